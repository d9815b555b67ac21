/** What is said while a ping waits, in simulated time. */
import { expect, test } from "bun:test";

import { ResolverSilentError, type ClientParts } from "../../src/client/client.ts";
import { watchPing } from "../../src/client/watch.ts";
import { encodeReply, NO_COOKIE } from "../../src/protocol/message.ts";
import { Simulation } from "../simulation.ts";

const KEY = new Uint8Array(32).fill(1);
const FOUR = "203.0.113.7";
const unreachable = Object.assign(new Error("ENETUNREACH"), { code: "ENETUNREACH" });
const refused = Object.assign(new Error("ECONNREFUSED"), { code: "ECONNREFUSED" });

/** Lines, and when each was said, in milliseconds. */
type Said = [number, string][];

interface World {
  timeout?: number;
  isTerminal?: boolean;
  resolve?: ClientParts["resolve"];
  connect?: (...args: Parameters<ClientParts["connect"]>) => void;
  /** What the network does with a datagram. */
  onSend?: (
    nonce: string,
    answer: (datagram: Uint8Array) => void,
    fail: (error: Error) => void,
    simulation: Simulation,
  ) => void;
}

async function run({ timeout = Infinity, isTerminal = true, resolve, connect, onSend }: World) {
  const simulation = new Simulation();
  const waiting: Said = [];
  const events: Said = [];
  const { observe: _unused, ...clientParts } = simulation.clientParts();
  const ping = watchPing(
    { name: "nas", key: KEY },
    { hostname: "vps.example.com", port: 28630, family: "any" },
    timeout,
    {
      ...clientParts,
      now: () => simulation.time,
      resolve: resolve ?? (async () => [FOUR]),
      async connect(address, port, onDatagram, onError) {
        connect?.(address, port, onDatagram, onError);
        return {
          send(datagram) {
            const nonce = Buffer.from(datagram).toString("latin1", 27, 43);
            onSend?.(nonce, onDatagram, onError, simulation);
            return true;
          },
          close() {},
        };
      },
    },
    {
      waiting: isTerminal ? (message) => waiting.push([simulation.time, message]) : undefined,
      event: (message) => events.push([simulation.time, message]),
    },
  );
  return { ...(await simulation.until(ping)), waiting, events };
}

const acknowledge = (nonce: string, key: Uint8Array) =>
  encodeReply({ type: "A", counter: "0".repeat(16), nonce, value: NO_COOKIE }, key);

test("a ping that is not answered says once, after 2 s, what it waits for and how long", async () => {
  const { waiting } = await run({});
  const words = "no answer yet from vps.example.com (203.0.113.7), port 28630; trying for 39 s";
  expect(waiting).toEqual([[2000, words]]);
});

test("with --timeout it says that time", async () => {
  const { waiting } = await run({ timeout: 5000 });
  expect(waiting.map(([, words]) => words.split("; ")[1])).toEqual(["trying for 5 s"]);
});

test("a ping that is over before says nothing", async () => {
  expect((await run({ timeout: 1900 })).waiting).toEqual([]);
  const answered = await run({
    onSend: (nonce, answer, _fail, simulation) =>
      void simulation.after(1900, () => answer(acknowledge(nonce, KEY))),
  });
  expect(answered.results).toMatchObject([{ kind: "acknowledged" }]);
  expect(answered.waiting).toEqual([]);
});

test("elsewhere than at a terminal it says nothing", async () => {
  expect((await run({ isTerminal: false })).waiting).toEqual([]);
});

test("it says that a name cannot be resolved, also when the resolver says nothing", async () => {
  const words = '"vps.example.com" cannot be resolved yet; trying for 39 s';
  const unknown = await run({ resolve: () => Promise.reject(new Error("ENOTFOUND")) });
  expect(unknown.waiting).toEqual([[2000, words]]);
  const silent = await run({ resolve: () => new Promise(() => {}) });
  expect(silent.waiting).toEqual([[2000, words]]);
  expect(silent.results).toMatchObject([{ error: expect.any(ResolverSilentError) }]);
});

test("it says that there is no way to an address", async () => {
  const { waiting } = await run({
    connect() {
      throw unreachable;
    },
  });
  const words = "203.0.113.7 cannot be reached yet: the network is unreachable; trying for 39 s";
  expect(waiting).toEqual([[2000, words]]);
});

test("what ICMP says ends nothing: the ping is acknowledged after all", async () => {
  let count = 0;
  const { results, events } = await run({
    onSend(nonce, answer, fail, simulation) {
      if (++count < 3) simulation.after(10, () => fail(refused));
      else simulation.after(10, () => answer(acknowledge(nonce, KEY)));
    },
  });
  expect(results).toMatchObject([{ kind: "acknowledged", address: FOUR }]);
  expect(events).toEqual([
    [0, "vps.example.com, 0.000 s: resolved to 203.0.113.7"],
    [0, "vps.example.com, 0.000 s: sent to 203.0.113.7"],
    [10, "vps.example.com, 0.010 s: the network says of 203.0.113.7: nothing listens on that port"],
    [500, "vps.example.com, 0.500 s: sent to 203.0.113.7"],
    [
      510,
      "vps.example.com, 0.510 s: the network says of 203.0.113.7: nothing listens on that port",
    ],
    [1500, "vps.example.com, 1.500 s: sent to 203.0.113.7"],
    [1510, "vps.example.com, 1.510 s: an acknowledgement from 203.0.113.7"],
  ]);
});

test("an answer under another key is told as what it is, and is no acknowledgement", async () => {
  const { results, evidence } = await run({
    timeout: 5000,
    onSend: (nonce, answer) => answer(acknowledge(nonce, new Uint8Array(32).fill(2))),
  });
  expect(results).toMatchObject([{ kind: "failed" }]);
  expect(evidence.silence(["ipv4", "ipv6"]).kind).toBe("unsigned");
});

test("a late copy of an answer is signed with this key, and no evidence of another", async () => {
  const { evidence } = await run({
    timeout: 5000,
    onSend: (_nonce, answer) => answer(acknowledge("f".repeat(16), KEY)),
  });
  expect(evidence.silence(["ipv4", "ipv6"]).kind).toBe("nothing");
});
