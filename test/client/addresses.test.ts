/** The client and a server with several addresses, some of them dead, in simulated time. */
import { describe, expect, test } from "bun:test";

import { type Destination, type PingResult, pingServer } from "../../src/client/client.ts";
import { GIVE_UP_MS, NoAcknowledgementError, SCHEDULE } from "../../src/client/exchange.ts";
import { decode, decodeCounter, NO_COOKIE, type Ping } from "../../src/protocol/message.ts";
import { Simulation } from "../simulation.ts";
import { startServer } from "../world.ts";

const KEY = new Uint8Array(32).fill(1);
const TODAY = Date.UTC(2026, 10, 22, 12);

/** The server's addresses, and where the client is when it pings in that family. */
const FOUR = "203.0.113.1";
const FOUR_TOO = "203.0.113.2";
const FOUR_THREE = "203.0.113.3";
const SIX = "2001:db8::1";
const HOME = "192.0.2.7";
const HOME_SIX = "2001:db8:1::7";

/** How long a datagram is under way to and from an address; dead where nothing arrives. */
type Delay = number | "dead";

interface Sent {
  time: number;
  /** The server's address. */
  to: string;
  ping: Ping;
}

/** A server, a client, and a way between them for each of the server's addresses. */
async function newNetwork(ways: Record<string, Delay>, { clientClock = TODAY } = {}) {
  const simulation = new Simulation();
  const clientParts = simulation.clientParts();
  const sockets = new Map<number, { to: string; onDatagram: (datagram: Uint8Array) => void }>();
  const unreachable = new Map<string, Error>();
  let lastPort = 40_000;
  let sent: Sent[] = [];

  function carry(to: string, deliver: () => void): void {
    const delay = ways[to]!;
    if (delay !== "dead") simulation.after(delay, deliver);
  }

  const server = await startServer({
    keyOf: () => KEY,
    now: () => TODAY + simulation.time,
    monotonic: () => simulation.time,
    disk: {
      write: (_name, _host, done) => void simulation.after(3, () => done?.(true)),
      settled: async () => {},
    },
    socket: {
      send(datagram, port) {
        const socket = sockets.get(port);
        if (socket) carry(socket.to, () => socket.onDatagram(datagram));
      },
    },
  });

  const parts = {
    ...clientParts,
    now: () => clientClock + simulation.time,
    resolve: async () => Object.keys(ways),
    async connect(to: string, _port: number, onDatagram: (datagram: Uint8Array) => void) {
      const error = unreachable.get(to);
      if (error) throw error;
      const port = ++lastPort;
      const from = to.includes(":") ? HOME_SIX : HOME;
      sockets.set(port, { to, onDatagram });
      return {
        send(datagram: Uint8Array) {
          const message = decode(datagram);
          if (message.type !== "signed") throw new Error("not a signed ping");
          sent.push({ time: simulation.time, to, ping: message.ping });
          carry(to, () => server.receive(datagram, from, port, from));
          return true;
        },
        close: () => void sockets.delete(port),
      };
    },
  };

  return {
    simulation,
    ways,
    /** Addresses that a socket cannot be connected to, and why. */
    unreachable,
    hosts: server.hosts,
    /** One run of the client. */
    async ping(family: Destination["family"], timeout = Number.POSITIVE_INFINITY) {
      sent = [];
      const start = simulation.time;
      const to: Destination = { hostname: "vps.example.com", port: 28630, family };
      const results: PingResult[] = await simulation.until(
        pingServer({ name: "nas", key: KEY }, to, timeout, parts),
      );
      expect(sockets.size).toBe(0); // all are closed
      const pings = sent.map(({ time, ...rest }) => ({ ...rest, time: time - start }));
      const counters = pings.map(({ ping }) => ping.counter);
      expect(new Set(counters).size).toBe(counters.length);
      expect(new Set(pings.map(({ ping }) => ping.nonce)).size).toBe(pings.length);
      return {
        results,
        pings,
        /** When each datagram was sent, and where to. */
        times: pings.map(({ time, to: address }) => [time, address] as const),
        duration: simulation.time - start,
      };
    },
    pass: (milliseconds: number) => simulation.pass(milliseconds),
    [Symbol.asyncDispose]: async () => void (await server.stop()),
  };
}

const at = (address: string, recorded: string, isChallenged: boolean) =>
  expect.objectContaining({ kind: "acknowledged", address, recorded, isChallenged });

const unreachable = Object.assign(new Error("ENETUNREACH"), { code: "ENETUNREACH" });

describe("both families at once", () => {
  test.each([
    ["alike", 10, 10],
    ["IPv6 the faster", 60, 5],
    ["IPv4 the faster", 5, 60],
    ["both over half a satellite", 240, 235],
  ])(
    "a known host is challenged in neither for the other's sake: %s",
    async (_which, four, six) => {
      await using network = await newNetwork({ [FOUR]: four, [SIX]: six });
      await network.ping("both");
      for (let round = 0; round < 5; round++) {
        await network.pass(300_000);
        const { results, pings } = await network.ping("both");
        expect(results).toEqual([at(FOUR, HOME, false), at(SIX, HOME_SIX, false)]);
        expect(pings).toHaveLength(2);
      }
    },
  );

  test.each([
    ["right", TODAY],
    ["in 1970", 0],
    ["in 2099", Date.UTC(2099, 0, 1)],
  ])("a new host is challenged once in each, with a clock that is %s", async (_which, clock) => {
    await using network = await newNetwork({ [FOUR]: 60, [SIX]: 5 }, { clientClock: clock });
    const { results, pings, duration } = await network.ping("both");
    expect(results).toEqual([at(FOUR, HOME, true), at(SIX, HOME_SIX, true)]);
    expect(pings).toHaveLength(4);
    expect(duration).toBeLessThan(500); // nothing waited for the schedule
  });

  test("paths so unlike that IPv4's ping comes after IPv6's cost no half second more", async () => {
    await using network = await newNetwork({ [FOUR]: 10, [SIX]: 10 });
    await network.ping("both");
    await network.pass(300_000);
    network.ways[FOUR] = 400;
    const { results, times, duration } = await network.ping("both");
    // The first is challenged, and answers at 0.8 s; the second, sent at 0.5 s, is accepted before.
    expect(results).toEqual([at(FOUR, HOME, false), at(SIX, HOME_SIX, false)]);
    expect(times).toEqual([
      [0, FOUR],
      [250, SIX],
      [500, FOUR],
      [800, FOUR],
      [1300, FOUR],
    ]);
    expect(duration).toBe(1303);
  });

  test("two challenges that name one counter are not answered with one", async () => {
    // Sent at 0 and 250 ms, the two first pings arrive in the same millisecond.
    await using network = await newNetwork({ [FOUR]: 400, [SIX]: 150 });
    const { results, pings } = await network.ping("both");
    expect(results).toEqual([at(FOUR, HOME, true), at(SIX, HOME_SIX, true)]);
    const named = pings.filter(({ ping }) => ping.cookie !== NO_COOKIE);
    const [first, second] = named.map(({ ping }) => decodeCounter(ping.counter));
    expect(named.slice(0, 2).map(({ to }) => to)).toEqual([SIX, FOUR]);
    expect(first).toBe((TODAY + 400) * 1000);
    expect(second).toBeGreaterThan(first!);
  });

  test("one of them dead does not keep the other", async () => {
    await using network = await newNetwork({ [FOUR]: "dead", [SIX]: 10 });
    const { results, times } = await network.ping("both", 5000);
    expect(results).toEqual([
      { kind: "failed", error: expect.any(NoAcknowledgementError), family: "ipv4" },
      at(SIX, HOME_SIX, true),
    ]);
    expect(times.find(([, to]) => to === SIX)![0]).toBeLessThan(500);
  });

  test("a timeout is for both", async () => {
    await using network = await newNetwork({ [FOUR]: "dead", [SIX]: 10 });
    const { results, duration } = await network.ping("both", 100);
    expect(results[1]).toEqual(at(SIX, HOME_SIX, true));
    expect(duration).toBe(100);
  });
});

describe("an address that is dead", () => {
  test("IPv4 dead: any falls back to IPv6 at the third send", async () => {
    await using network = await newNetwork({ [FOUR]: "dead", [SIX]: 10 });
    for (const isChallenged of [true, false]) {
      const { results, times } = await network.ping("any");
      expect(results).toEqual([at(SIX, HOME_SIX, isChallenged)]);
      expect(times.slice(0, 4)).toEqual([
        [0, FOUR],
        [500, FOUR],
        [1500, FOUR],
        [1500, SIX],
      ]);
      // The challenge is answered at once, and where it came from.
      expect(times.slice(4)).toEqual(isChallenged ? [[1520, SIX]] : []);
    }
  });

  test.each(["ipv4", "any"] as const)("the first of two A records, family %s", async (family) => {
    await using network = await newNetwork({ [FOUR]: "dead", [FOUR_TOO]: 10 });
    const { results, duration } = await network.ping(family);
    expect(results).toEqual([at(FOUR_TOO, HOME, true)]);
    expect(duration).toBe(1500 + 20 + 20 + 3);
  });

  test("both: each family falls back to its own second address", async () => {
    await using network = await newNetwork({ [FOUR]: "dead", [FOUR_TOO]: 10, [SIX]: 10 });
    const { results } = await network.ping("both");
    expect(results).toEqual([at(FOUR_TOO, HOME, true), at(SIX, HOME_SIX, true)]);
  });

  test("the third of three is reached at the fourth send", async () => {
    await using network = await newNetwork({ [FOUR]: "dead", [FOUR_TOO]: "dead", [FOUR_THREE]: 1 });
    const { results, times } = await network.ping("any");
    expect(results).toEqual([at(FOUR_THREE, HOME, true)]);
    expect(times.find(([, to]) => to === FOUR_THREE)).toEqual([3500, FOUR_THREE]);
  });

  test("an address that is only slow goes on being asked, and its answer counts", async () => {
    await using network = await newNetwork({ [FOUR]: 1000, [SIX]: "dead" });
    network.hosts.set("nas", {
      ipv4: { address: HOME, since: TODAY, lastSeen: TODAY },
      counter: (TODAY - 1000) * 1000,
    });
    const { results, times, duration } = await network.ping("any");
    expect(results).toEqual([at(FOUR, HOME, false)]);
    expect(duration).toBe(2003);
    expect(times.at(-1)).toEqual([1500, SIX]);
  });

  test("all dead: each gets its datagrams, the first all seven, and it ends on time", async () => {
    await using network = await newNetwork({ [FOUR]: "dead", [FOUR_TOO]: "dead", [SIX]: "dead" });
    const { results, times, pings, duration } = await network.ping("any");
    expect(results).toEqual([{ kind: "failed", error: expect.any(NoAcknowledgementError) }]);
    expect(duration).toBe(GIVE_UP_MS);
    const timesOf = (address: string) =>
      times.filter(([, to]) => to === address).map(([time]) => time);
    expect(timesOf(FOUR)).toEqual([...SCHEDULE]);
    expect(timesOf(FOUR_TOO)).toEqual([...SCHEDULE.slice(2)]);
    expect(timesOf(SIX)).toEqual([...SCHEDULE.slice(3)]);
    expect(new Set(pings.map(({ ping }) => ping.cookie))).toEqual(new Set([NO_COOKIE]));
    const counters = pings.map(({ ping }) => decodeCounter(ping.counter));
    expect(counters).toEqual(counters.toSorted((a, b) => a - b));
  });

  test("one that dies after its challenge is replaced, too", async () => {
    await using network = await newNetwork({ [FOUR]: 10, [SIX]: 10 });
    network.simulation.after(25, () => (network.ways[FOUR] = "dead"));
    const { results, pings } = await network.ping("any");
    expect(results).toEqual([at(SIX, HOME_SIX, true)]);
    // No cookie goes to another address than the one that sent it.
    const first = pings.find(({ to }) => to === SIX)!;
    expect(first.ping.cookie).toBe(NO_COOKIE);
  });
});

describe("an address that no socket can be connected to", () => {
  test("is passed over at once", async () => {
    await using network = await newNetwork({ [FOUR]: 10, [FOUR_TOO]: 10, [SIX]: 10 });
    network.unreachable.set(FOUR, unreachable).set(FOUR_TOO, unreachable);
    const { results, times } = await network.ping("any");
    expect(results).toEqual([at(SIX, HOME_SIX, true)]);
    expect(times[0]).toEqual([0, SIX]);
  });

  test("is passed over when its turn comes, too", async () => {
    await using network = await newNetwork({ [FOUR]: "dead", [FOUR_TOO]: 10, [SIX]: 10 });
    network.unreachable.set(FOUR_TOO, unreachable);
    const { results, times } = await network.ping("any");
    expect(results).toEqual([at(SIX, HOME_SIX, true)]);
    expect(times[3]).toEqual([1500, SIX]);
  });

  test("is tried again with the later sends: a network may come up", async () => {
    await using network = await newNetwork({ [FOUR]: 10, [SIX]: "dead" });
    network.unreachable.set(FOUR, unreachable);
    network.simulation.after(1000, () => network.unreachable.clear());
    const { results, times } = await network.ping("any");
    expect(results).toEqual([at(FOUR, HOME, true)]);
    expect(times.slice(0, 4)).toEqual([
      [0, SIX],
      [500, SIX],
      [1500, SIX],
      [1500, FOUR],
    ]);
  });
});
