import { expect, test } from "bun:test";

import { type Hosts, Registry } from "../src/registry.ts";
import { type Counters, listenLoop } from "../src/server.ts";
import type { DatagramHandler } from "../src/udp.ts";
import { recordedLog } from "./recorded-log.ts";

const NOTHING: Counters = {
  accepted: 0,
  full: 0,
  empty: 0,
  signed: 0,
  "not UTF-8": 0,
  "not a name": 0,
};

/** A server without a socket: datagrams are put in by hand, and the clock stands at 1000. */
async function startServer({ maxClients = 10, address = "::" } = {}) {
  const hosts: Hosts = new Map();
  const log = recordedLog();
  const stop = new AbortController();
  const state = { changes: 0, closed: false, now: 1000 };
  let receive: DatagramHandler = () => {};
  let fail: (error: Error) => void = () => {};
  const loop = listenLoop({
    async bind({ onDatagram, onError }) {
      receive = onDatagram;
      fail = onError;
      return { address, port: 28630, close: () => (state.closed = true) };
    },
    registry: new Registry(hosts, maxClients),
    clientLog: { changed: () => state.changes++ },
    log,
    now: () => state.now,
    signal: stop.signal,
  });
  await Promise.resolve();
  return {
    hosts,
    log,
    state,
    fail: (error: Error) => fail(error),
    send: (datagram: string | Uint8Array, from = "203.0.113.7") =>
      receive(Buffer.from(datagram as string), from, 40000),
    async stop(): Promise<Counters> {
      stop.abort();
      return await loop;
    },
  };
}

test("pings are recorded, and what a person wants to know is logged", async () => {
  const server = await startServer();
  server.send("nas");
  server.state.now = 2000;
  server.send("nas");
  server.send("nas", "198.51.100.9");
  server.send("nas", "2001:db8::7");
  expect(server.log.lines).toEqual([
    "log: listening on UDP port 28630, every interface, IPv6 and IPv4",
    "log: new host nas at 203.0.113.7",
    "info: nas is still at 203.0.113.7",
    "log: nas moved from 203.0.113.7 to 198.51.100.9",
    "log: nas is at 2001:db8::7, too",
  ]);
  expect([...server.hosts]).toEqual([
    [
      "nas",
      {
        ipv4: { address: "198.51.100.9", since: 2000, lastSeen: 2000 },
        ipv6: { address: "2001:db8::7", since: 2000, lastSeen: 2000 },
      },
    ],
  ]);
  expect(server.state.changes).toBe(4);
  expect(await server.stop()).toEqual({ ...NOTHING, accepted: 4 });
  expect(server.state.closed).toBe(true);
});

test("what is no ping is dropped and counted, and shown only with --debug", async () => {
  const server = await startServer();
  server.send("");
  server.send(Buffer.from([0xff, 0xfe]));
  server.send("\x1b[31m");
  server.send("dynip/1 P");
  server.send("dynip/1 X");
  expect(server.hosts.size).toBe(0);
  expect(server.state.changes).toBe(0);
  expect(server.log.lines.slice(1)).toEqual([
    "debug: dropped 0 bytes from 203.0.113.7 port 40000: empty",
    "debug: dropped 2 bytes from 203.0.113.7 port 40000: not UTF-8",
    "debug: dropped 5 bytes from 203.0.113.7 port 40000: not a name",
    "debug: dropped 9 bytes from 203.0.113.7 port 40000: signed",
    "debug: dropped 9 bytes from 203.0.113.7 port 40000: signed",
  ]);
  expect(await server.stop()).toEqual({
    ...NOTHING,
    empty: 1,
    signed: 2,
    "not UTF-8": 1,
    "not a name": 1,
  });
});

test("when max_clients names are known a new one is dropped, and that is said once", async () => {
  const server = await startServer({ maxClients: 1 });
  server.send("nas");
  for (let i = 0; i < 100; i++) server.send(`made-up-${i}`);
  server.send("nas", "198.51.100.9");
  const isShown = (line: string, index: number, all: string[]) =>
    !line.startsWith("debug") && !all[index - 1]?.startsWith("debug");
  expect(server.log.lines.filter(isShown).slice(2)).toEqual([
    "warn: dropped the new name made-up-0 from 203.0.113.7: as many as max_clients are known",
    "hint: raise max_clients in [server], or remove names from the client log while it is stopped",
    "log: nas moved from 203.0.113.7 to 198.51.100.9",
  ]);
  expect(await server.stop()).toEqual({ ...NOTHING, accepted: 2, full: 100 });
});

test("a log line stays under 300 bytes, however long the name", async () => {
  const server = await startServer({ maxClients: 2 });
  const six = "2001:db8:1111:2222:3333:4444:5555:6666";
  for (const name of ["a".repeat(65_507), "é".repeat(128), "🏠".repeat(64)]) {
    server.send(name, six);
    server.send(name, six.replace("6666", "7777"));
  }
  const timestamp = "2026-11-22T13:01:02.123Z ".length;
  for (const line of server.log.lines) {
    expect(Buffer.byteLength(line) + timestamp).toBeLessThan(300);
    expect(line).not.toContain("\ufffd"); // cut at a character boundary
  }
  expect(server.log.lines.filter((line) => line.includes("…")).length).toBeGreaterThanOrEqual(5);
  await server.stop();
});

test.each([
  ["::", "every interface, IPv6 and IPv4"],
  ["0.0.0.0", "every interface, IPv4"],
  ["192.0.2.1", "192.0.2.1"],
])("bound to %s it says that it listens on %s", async (address, words) => {
  const server = await startServer({ address });
  expect(server.log.lines).toEqual([`log: listening on UDP port 28630, ${words}`]);
  await server.stop();
});

test("a socket's error is no reason to stop", async () => {
  const server = await startServer();
  server.fail(new Error("ECONNREFUSED"));
  server.send("nas");
  expect(server.log.lines).toContain("debug: socket: ECONNREFUSED");
  expect((await server.stop()).accepted).toBe(1);
});

test("an address that cannot be bound rejects with the system's error", async () => {
  const inUse = Object.assign(new Error("in use"), { code: "EADDRINUSE" });
  const loop = listenLoop({
    bind: () => Promise.reject(inUse),
    registry: new Registry(new Map(), 1),
    clientLog: { changed() {} },
    log: recordedLog(),
    now: () => 0,
    signal: new AbortController().signal,
  });
  await expect(loop).rejects.toBe(inUse);
});

test("a signal that came before the socket was bound stops the loop, too", async () => {
  let closed = false;
  const counters = await listenLoop({
    bind: async () => ({ address: "::", port: 1, close: () => (closed = true) }),
    registry: new Registry(new Map(), 1),
    clientLog: { changed() {} },
    log: recordedLog(),
    now: () => 0,
    signal: AbortSignal.abort(),
  });
  expect(counters).toEqual(NOTHING);
  expect(closed).toBe(true);
});
