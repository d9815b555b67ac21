import { describe, expect, test } from "bun:test";

import { addressFromHex } from "../../src/protocol/address.ts";
import {
  decodeCounter,
  decodeReply,
  deriveKey,
  encodeCounter,
  encodePing,
  hasMac,
  NO_COOKIE,
  type Reply,
} from "../../src/protocol/message.ts";
import { recordedLog } from "../recorded-log.ts";
import { type ServerOptions, startServer, SyncedDisk } from "../world.ts";

const HOME = "203.0.113.7";
const AWAY = "198.51.100.9";
const SIX = "2001:db8::7";
const NOON = 1_763_812_800_000;
const SECRET = new Uint8Array(32).fill(1);
const KEY = deriveKey(SECRET, "nas", 1);

interface Options extends Pick<ServerOptions, "maxClients" | "allowPlain" | "isPublic"> {
  /** The address that the socket is bound to. */
  address?: string;
  isSigning?: boolean;
  /** Records wait until `disk.sync` is called. */
  isSlow?: boolean;
}

/** Starts a made-up server whose clocks stand still, with a client `nas`. */
async function newServer({ isSigning = false, isSlow = false, address, ...options }: Options = {}) {
  const log = recordedLog();
  const state = { steps: [] as string[], now: NOON, monotonic: 0 };
  const replies: { reply: Reply; port: number; peer: string }[] = [];
  const disk = new SyncedDisk(isSlow);
  const { hosts, receive, fail, stop } = await startServer({
    ...options,
    ...(isSigning && { keyOf: (name) => deriveKey(SECRET, name, 1) }),
    log,
    now: () => state.now,
    monotonic: () => state.monotonic,
    disk: {
      write: (...written) => disk.write(...written),
      settled() {
        state.steps.push("settled");
        return disk.settled();
      },
    },
    socket: {
      ...(address !== undefined && { address }),
      send(datagram, port, peer) {
        expect(datagram).toHaveLength(109);
        expect(hasMac(datagram, KEY)).toBe(true);
        state.steps.push("sent");
        replies.push({ reply: decodeReply(datagram)!, port, peer });
      },
      close: () => state.steps.push("closed"),
    },
  });
  const server = {
    hosts,
    log,
    state,
    disk,
    replies,
    fail,
    stop,
    send: (datagram: string | Uint8Array, from = HOME, port = 40_000) =>
      receive(Buffer.from(datagram as string), from, port, `peer of ${from}`),
    /** Sends a signed ping and returns the reply, if there is one. */
    ping(ping: Partial<Parameters<typeof encodePing>[0]> = {}, from = HOME, port = 40_000) {
      const before = replies.length;
      const counter = encodeCounter(state.now * 1000);
      const whole = { name: "nas", counter, nonce: "0123456789abcdef", cookie: NO_COOKIE, ...ping };
      server.send(encodePing(whole, KEY), from, port);
      return replies.length > before ? replies.at(-1)!.reply : undefined;
    },
    /** Sends a ping, answers its challenge, and returns the last reply. */
    exchange(from = HOME) {
      const challenge = server.ping({}, from);
      if (challenge?.type !== "C") return challenge;
      return server.ping({ counter: challenge.counter, cookie: challenge.value }, from);
    },
  };
  return server;
}

describe("plain pings", () => {
  test("are recorded, and news is logged", async () => {
    const server = await newServer();
    server.send("nas");
    server.state.now += 1000;
    server.send("nas");
    server.send("nas", AWAY);
    server.send("nas", SIX);
    expect(server.log.lines).toEqual([
      "log: listening on UDP port 28630, every interface, IPv6 and IPv4",
      "log: new host nas at 203.0.113.7",
      "info: nas is still at 203.0.113.7",
      "log: nas moved from 203.0.113.7 to 198.51.100.9",
      "log: nas is at 2001:db8::7, too",
    ]);
    const now = NOON + 1000;
    expect([...server.hosts]).toEqual([
      [
        "nas",
        {
          ipv4: { address: AWAY, since: now, lastSeen: now },
          ipv6: { address: SIX, since: now, lastSeen: now },
        },
      ],
    ]);
    expect(server.replies).toEqual([]);
    expect(await server.stop()).toEqual({ accepted: 4 });
    expect(server.state.steps).toEqual(["settled", "closed"]);
  });

  test("are all written to the client log", async () => {
    const server = await newServer({ isSlow: true });
    server.send("nas");
    server.send("pi");
    expect(server.disk.waiting.map(({ name }) => name)).toEqual(["nas", "pi"]);
    await server.stop();
  });

  test("of a new name are dropped when max_clients names are known, which is said once", async () => {
    const server = await newServer({ maxClients: 1 });
    server.send("nas");
    for (let i = 0; i < 100; i++) server.send(`made-up-${i}`);
    server.send("nas", AWAY);
    const isShown = (line: string): boolean => !line.startsWith("debug");
    expect(server.log.lines.filter(isShown).slice(2)).toEqual([
      "warn: dropped the new name made-up-0 from 203.0.113.7: as many as max_clients are known",
      "hint: raise max_clients in [server], or remove names from the client log while it is stopped",
      "log: nas moved from 203.0.113.7 to 198.51.100.9",
    ]);
    expect(await server.stop()).toEqual({ accepted: 2, full: 100 });
  });

  test("do not fill a disk with messages: ten changes a second are shown, the others with -v", async () => {
    const server = await newServer();
    for (let i = 0; i < 100; i++) server.send("nas", `203.0.113.${i}`);
    const shown = () => server.log.lines.filter((line) => line.startsWith("log:")).length - 1;
    expect(shown()).toBe(10);
    expect(server.log.lines.filter((line) => line.startsWith("info:"))).toHaveLength(90);
    server.state.monotonic += 1000;
    server.send("nas", AWAY);
    expect(shown()).toBe(11);
    expect(server.hosts.get("nas")!.ipv4!.address).toBe(AWAY);
    await server.stop();
  });

  test("are dropped where they are not allowed, and the first is a warning with a hint", async () => {
    const server = await newServer({ isSigning: true, allowPlain: false });
    server.send("nas");
    server.send("pi");
    expect(server.hosts.size).toBe(0);
    expect(server.log.lines.filter((line) => !line.startsWith("debug")).slice(1)).toEqual([
      "warn: dropped a ping of nas from 203.0.113.7: it is not signed",
      "hint: allow_plain = true in [server] accepts the pings of DynIP 0.1e",
    ]);
    expect(await server.stop()).toEqual({ plain: 2 });
  });
});

test("what is no ping is dropped and counted, and shown only with --debug", async () => {
  const server = await newServer();
  server.send("");
  server.send(Buffer.from([0xff, 0xfe]));
  server.send("\x1b[31m");
  server.send("dynip/1 P");
  server.send("dynip/1 X");
  expect(server.hosts.size).toBe(0);
  expect(server.log.lines.slice(1)).toEqual([
    "debug: dropped 0 bytes from 203.0.113.7: empty",
    "debug: dropped 2 bytes from 203.0.113.7: not UTF-8",
    "debug: dropped 5 bytes from 203.0.113.7: not a name",
    "debug: dropped 9 bytes from 203.0.113.7: malformed",
    "debug: dropped 9 bytes from 203.0.113.7: malformed",
  ]);
  expect(await server.stop()).toEqual({ empty: 1, malformed: 2, "not UTF-8": 1, "not a name": 1 });
});

describe("signed pings", () => {
  test("are challenged first, and acknowledged with the address that was seen", async () => {
    const server = await newServer({ isSigning: true });
    const challenge = server.ping();
    expect(challenge).toMatchObject({
      type: "C",
      nonce: "0123456789abcdef",
      counter: encodeCounter(NOON * 1000),
    });
    expect(server.hosts.size).toBe(0);
    const counter = challenge!.counter;
    const accepted = server.ping({ counter, cookie: challenge!.value, nonce: "f".repeat(16) });
    expect(accepted).toMatchObject({ type: "A", nonce: "f".repeat(16), counter });
    expect(addressFromHex(accepted!.value)).toBe(HOME);
    expect(server.replies.map(({ port, peer }) => [port, peer])).toEqual([
      [40_000, `peer of ${HOME}`],
      [40_000, `peer of ${HOME}`],
    ]);
    expect(server.hosts.get("nas")).toMatchObject({
      ipv4: { address: HOME },
      counter: decodeCounter(counter),
    });
    expect(server.log.lines).toContain("log: new host nas at 203.0.113.7");
    expect(await server.stop()).toEqual({ accepted: 1, challenged: 1 });
  });

  test("from the recorded address are acknowledged at once", async () => {
    const server = await newServer({ isSigning: true });
    server.exchange();
    server.state.now += 300_000;
    expect(server.ping()).toMatchObject({ type: "A" });
    await server.stop();
  });

  test("are acknowledged when they are durable, not before", async () => {
    const server = await newServer({ isSigning: true, isSlow: true });
    const challenge = server.ping()!;
    const answer = { counter: challenge.counter, cookie: challenge.value };
    expect(server.ping(answer)).toBeUndefined();
    expect(server.hosts.size).toBe(0);
    server.disk.sync();
    expect(server.replies.at(-1)!.reply.type).toBe("A");
    expect(server.hosts.size).toBe(1);
    await server.stop();
  });

  test("that cannot be made durable are not answered, and the counter is not used up", async () => {
    const server = await newServer({ isSigning: true, isSlow: true });
    const challenge = server.ping()!;
    const answer = { counter: challenge.counter, cookie: challenge.value };
    server.ping(answer);
    server.disk.sync(false);
    expect(server.replies).toHaveLength(1);
    expect(server.hosts.size).toBe(0);
    server.ping(answer);
    server.disk.sync();
    expect(server.replies.at(-1)!.reply).toMatchObject({ type: "A", counter: challenge.counter });
    expect(await server.stop()).toEqual({ accepted: 1, challenged: 1, "not durable": 1 });
  });

  test("of one name in one sync are both answered, each when its record is stored", async () => {
    const server = await newServer({ isSigning: true, isSlow: true });
    const { counter, value: cookie } = server.ping()!;
    const next = encodeCounter(decodeCounter(counter) + 1);
    server.ping({ counter, cookie, nonce: "1".repeat(16) });
    server.ping({ counter: next, cookie, nonce: "2".repeat(16) });
    server.disk.sync();
    expect(
      server.replies.slice(1).map(({ reply }) => [reply.type, reply.nonce, reply.counter]),
    ).toEqual([
      ["A", "1".repeat(16), counter],
      ["A", "2".repeat(16), next],
    ]);
    await server.stop();
  });

  test("with a wrong MAC are not answered, and a warning a second names the source", async () => {
    const server = await newServer({ isSigning: true });
    const ping = { name: "nas", counter: "0".repeat(16), nonce: "0".repeat(16), cookie: NO_COOKIE };
    const forged = encodePing(ping, deriveKey(SECRET, "pi", 1));
    for (let i = 0; i < 50; i++) server.send(forged, AWAY);
    server.state.monotonic += 1000;
    server.send(forged, HOME);
    expect(server.replies).toEqual([]);
    expect(server.log.lines.filter((line) => /^(warn|hint)/.test(line))).toEqual([
      `warn: dropped a ping from ${AWAY}: wrong MAC for nas`,
      // The first time alone.
      "hint: the client has another secret, or an older key of this name; or somebody else sent this",
      `warn: dropped a ping from ${HOME}: wrong MAC for nas`,
    ]);
    expect(await server.stop()).toEqual({ "wrong MAC": 51 });
  });

  test("are challenged three times a second for each nonce, which a replay has no new one of", async () => {
    const server = await newServer({ isSigning: true });
    for (const address of [HOME, AWAY, SIX]) for (let i = 0; i < 50; i++) server.ping({}, address);
    expect(server.replies).toHaveLength(3);
    expect(server.ping({ nonce: "f".repeat(16) })).toMatchObject({ type: "C" });
    server.state.monotonic += 1000;
    server.ping();
    expect(server.replies).toHaveLength(5);
    expect(await server.stop()).toEqual({ challenged: 5, "too many challenges": 147 });
  });

  test("are acknowledged within two round trips under a replay of 500 a second from their own address", async () => {
    const server = await newServer({ isSigning: true });
    server.exchange();
    const replay = () => server.ping({ counter: encodeCounter(NOON * 1000 - 1) }, HOME, 40_001);
    for (let n = 1; n <= 20; n++) {
      server.state.now += 300_000;
      server.state.monotonic += 300_000;
      for (let i = 0; i < 250; i++) replay();
      // The clock of the client is an hour slow, so that it is challenged.
      const nonce = n.toString(16).padStart(16, "0");
      const slow = encodeCounter((server.state.now - 3_600_000) * 1000);
      const challenge = server.ping({ counter: slow, nonce })!;
      expect(challenge).toMatchObject({ type: "C", nonce });
      for (let i = 0; i < 250; i++) replay();
      const answer = {
        counter: challenge.counter,
        cookie: challenge.value,
        nonce: `f${nonce.slice(1)}`,
      };
      expect(server.ping(answer)).toMatchObject({ type: "A", nonce: answer.nonce });
    }
    await server.stop();
  });

  test("that are replayed use up no challenge of the client, wherever it is now", async () => {
    const server = await newServer({ isSigning: true });
    server.exchange();
    const old = { counter: encodeCounter(NOON * 1000 - 1), nonce: "e".repeat(16) };
    for (const address of [HOME, AWAY, "192.0.2.66"]) {
      for (let i = 0; i < 50; i++) server.ping(old, address);
    }
    server.state.now += 1000;
    expect(server.exchange(AWAY)).toMatchObject({ type: "A" });
    expect(server.hosts.get("nas")!.ipv4!.address).toBe(AWAY);
    await server.stop();
  });

  test("with an answer to a challenge that was held back change nothing once a newer ping was accepted", async () => {
    const server = await newServer({ isSigning: true });
    server.exchange(HOME);
    server.state.now += 600_000;
    // Two minutes slow: the counter that a challenge names is above all that this clock gives.
    const slow = (): string => encodeCounter((server.state.now - 120_000) * 1000);
    const challenge = server.ping({ counter: slow() }, AWAY)!;
    server.state.now += 10_000;
    expect(server.ping({ counter: slow() }, HOME)).toMatchObject({ type: "A" });
    const held = { counter: challenge.counter, cookie: challenge.value };
    expect(server.ping(held, AWAY)).toMatchObject({ type: "C" });
    expect(server.hosts.get("nas")!.ipv4!.address).toBe(HOME);
    await server.stop();
  });

  test("with an answer to a challenge are accepted though a newer ping came in the other family", async () => {
    const server = await newServer({ isSigning: true });
    const challenge = server.ping({}, AWAY)!;
    server.exchange(SIX);
    const counter = encodeCounter(server.hosts.get("nas")!.counter! + 1);
    expect(server.ping({ counter, cookie: challenge.value }, AWAY)).toMatchObject({ type: "A" });
    await server.stop();
  });

  test("that the network doubled are both answered, and the copy is not challenged", async () => {
    const server = await newServer({ isSigning: true, isSlow: true });
    const challenge = server.ping()!;
    const answer = { counter: challenge.counter, cookie: challenge.value };
    server.ping(answer, HOME, 40_001); // a copy from another port, which comes first
    server.ping(answer);
    server.disk.sync();
    expect(server.replies.map(({ reply, port }) => [reply.type, port])).toEqual([
      ["C", 40_000],
      ["A", 40_001],
      ["A", 40_000],
    ]);
    expect(await server.stop()).toEqual({ accepted: 2, challenged: 1 });
  });

  test("are answered to 16 copies at most, however slow the disk is", async () => {
    const server = await newServer({ isSigning: true, isSlow: true });
    const challenge = server.ping()!;
    const answer = { counter: challenge.counter, cookie: challenge.value };
    for (let i = 0; i < 100; i++) server.ping(answer);
    server.disk.sync();
    expect(server.replies).toHaveLength(18);
    expect(await server.stop()).toEqual({ accepted: 17, challenged: 1, copy: 83 });
  });

  test("that were accepted are answered before the socket is closed", async () => {
    const server = await newServer({ isSigning: true, isSlow: true });
    const challenge = server.ping()!;
    server.ping({ counter: challenge.counter, cookie: challenge.value });
    expect(await server.stop()).toEqual({ accepted: 1, challenged: 1 });
    expect(server.state.steps).toEqual(["sent", "settled", "sent", "closed"]);
    server.ping(); // after the stop no datagram is handled
    expect(server.replies).toHaveLength(2);
  });

  test("are dropped by a server without a secret, which says once that it has none", async () => {
    const server = await newServer();
    expect(server.ping()).toBeUndefined();
    expect(server.ping()).toBeUndefined();
    expect(server.log.lines.filter((line) => /^(warn|hint)/.test(line))).toEqual([
      "warn: dropped a signed ping of nas from 203.0.113.7: this server has no secret",
      "hint: is the secret missing here? It belongs in the configuration or in DYNIP_SECRET. A server that " +
        "shall have none needs clients without one",
    ]);
    expect(await server.stop()).toEqual({ "no secret": 2 });
  });

  test.each([
    ["port 0", HOME, 0],
    ["broadcast", "255.255.255.255", 40_000],
    ["multicast", "224.0.0.1", 40_000],
    ["IPv6 multicast", "ff02::1", 40_000],
    ["the unspecified address", "0.0.0.0", 40_000],
  ])("from %s are not answered", async (_what, address, port) => {
    const server = await newServer({ isSigning: true });
    expect(server.ping({}, address, port)).toBeUndefined();
    expect(server.hosts.size).toBe(0);
    await server.stop();
  });

  test("of a name protect it from plain pings", async () => {
    const server = await newServer({ isSigning: true });
    server.send("nas", AWAY);
    server.exchange();
    expect(server.log.lines).toContain("log: nas at 203.0.113.7 is signed from now on");
    for (const name of ["nas", "NAS", "nas."]) server.send(name, AWAY);
    expect(server.hosts.get("nas")!.ipv4!.address).toBe(HOME);
    expect(await server.stop()).toEqual({ accepted: 2, challenged: 1, "signed name": 3 });
  });
});

test("a public server warns once of a host with an address of a private network", async () => {
  const server = await newServer({ isPublic: true });
  for (const address of ["172.17.0.1", "172.17.0.1", "172.17.0.2"]) server.send("nas", address);
  server.send("pi", HOME);
  expect(server.log.lines.filter((line) => /^(warn|hint)/.test(line))).toEqual([
    "warn: nas is recorded at 172.17.0.1, an address of a private network or of this machine",
    "hint: if it is not in this network, a gateway or a container bridge hides its own address",
  ]);
  await server.stop();
});

test("a log line stays under 300 bytes, however long the name", async () => {
  const server = await newServer({ maxClients: 2, isPublic: true });
  const six = "fd00:db8:1111:2222:3333:4444:5555:6666";
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
  const server = await newServer({ address });
  expect(server.log.lines).toEqual([`log: listening on UDP port 28630, ${words}`]);
  await server.stop();
});

test("an error of the socket does not stop the server", async () => {
  const server = await newServer();
  server.fail(new Error("ECONNREFUSED"));
  server.send("nas");
  expect(server.log.lines).toContain("debug: socket: ECONNREFUSED");
  expect(await server.stop()).toEqual({ accepted: 1 });
});

describe("the loop itself", () => {
  test("rejects with the system's error when the address cannot be bound", async () => {
    const inUse = Object.assign(new Error("in use"), { code: "EADDRINUSE" });
    await expect(startServer({ bindError: inUse })).rejects.toBe(inUse);
  });

  test("is stopped by a signal that came before the socket was bound, too", async () => {
    let closed = false;
    const stopping = new AbortController();
    stopping.abort();
    const server = await startServer({ stopping, socket: { close: () => (closed = true) } });
    await server.stop();
    expect(closed).toBe(true);
  });
});
