/** The client against a server that the test plays, in simulated time. */
import { describe, expect, test } from "bun:test";

import { addressToHex } from "../../src/protocol/address.ts";
import { type Destination, type PingResult, pingServer } from "../../src/client/client.ts";
import { GIVE_UP_MS, NoAcknowledgementError, SCHEDULE } from "../../src/client/exchange.ts";
import {
  decode,
  decodeCounter,
  encodeCounter,
  encodeReply,
  hasMac,
  NO_COOKIE,
  type Ping,
  type Reply,
} from "../../src/protocol/message.ts";
import { Simulation } from "../simulation.ts";

const NAME = "nas";
const KEY = new Uint8Array(32).fill(1);
const HOME = "192.0.2.1";
const TO_SERVER: Destination = { hostname: "vps.example.com", port: 28630, family: "any" };
const SERVER = "203.0.113.1";

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const TODAY = Date.UTC(2025, 10, 22, 12);

test("connect() is not tried again after an error that waiting cannot help", async () => {
  const failure = Object.assign(new Error("not allowed"), { code: "EACCES" });
  const { result, times, duration } = await pingAgainst(() => {}, {
    before(what) {
      if (what === "connect") throw failure;
    },
  });
  expect({ result, times, duration }).toEqual({
    result: { kind: "failed", error: failure },
    times: [],
    duration: 0,
  });
});

describe("the schedule", () => {
  test("a silent server gets seven datagrams in 31.5 s, and is given up at 39.5 s", async () => {
    const { result, times, pings, duration, open } = await pingAgainst(() => {});
    expect(times).toEqual([0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    expect(duration).toBe(39_500);
    expect(result).toMatchObject({ kind: "failed", error: expect.any(NoAcknowledgementError) });
    expect(new Set(pings.map(({ nonce }) => nonce)).size).toBe(7);
    expect(pings.map(({ cookie }) => cookie)).toEqual(Array(7).fill(NO_COOKIE));
    // Each counter is what the clock showed when its datagram was sent, in microseconds.
    expect(countersOf(pings)).toEqual(times.map((time) => (TODAY + time) * 1000));
    expect(open).toBe(0);
  });

  test.each([
    ["stands still", () => TODAY, TODAY * 1000],
    ["runs backwards", (time: number) => TODAY - time, TODAY * 1000],
    ["shows 1970", () => 0, 1],
    ["shows a time before 1970", () => -HOUR, 1],
  ])("with a clock that %s each counter is still one higher", async (_clock, now, first) => {
    const { pings } = await pingAgainst(() => {}, { now });
    expect(countersOf(pings)).toEqual([0, 1, 2, 3, 4, 5, 6].map((more) => first + more));
  });

  test.each([
    [100, [0]],
    [500, [0]],
    [1500, [0, 500]],
    [2000, [0, 500, 1500]],
    [39_000, [0, 500, 1500, 3500, 7500, 15_500, 31_500]],
  ])("a timeout of %d ms shortens it", async (timeout, expected) => {
    const { result, times, duration } = await pingAgainst(() => {}, { timeout });
    expect(times).toEqual(expected);
    expect(duration).toBe(timeout);
    expect(result).toMatchObject({ kind: "failed", error: expect.any(NoAcknowledgementError) });
  });

  test("a timeout longer than it changes nothing", async () => {
    const { duration } = await pingAgainst(() => {}, { timeout: HOUR });
    expect(duration).toBe(39_500);
  });

  test("an answer to any datagram of the schedule ends it", async () => {
    // The answer to the first comes after the second was sent, as over a long distance.
    const { result, times, duration } = await pingAgainst(({ ping, index }, answer) => {
      if (index === 0) answer(acknowledge(ping), 700);
    });
    expect(result).toMatchObject({ kind: "acknowledged", recorded: HOME, isChallenged: false });
    expect(times).toEqual([0, 500]);
    expect(duration).toBe(700);
  });

  test("a timeout counts on through a challenge", async () => {
    const { times, duration } = await pingAgainst(
      ({ ping, index }, answer) => {
        if (index === 0) answer(challenge(ping, 5000), 400);
      },
      { timeout: 2000 },
    );
    expect(times).toEqual([0, 400, 900, 1900]);
    expect(duration).toBe(2000);
  });

  test("the schedule goes on after an error of send()", async () => {
    const { result, times } = await pingAgainst(({ ping, index }, answer) => {
      if (index < 2) throw Object.assign(new Error("ENETUNREACH"), { code: "ENETUNREACH" });
      answer(acknowledge(ping), 10);
    });
    expect(times).toEqual([0, 500, 1500]);
    expect(result).toMatchObject({ kind: "acknowledged", recorded: HOME });
  });
});

describe("after a challenge", () => {
  const COUNTER = 1_700_000_000_000_000;

  test.each([
    ["in 1970", 0],
    ["right", TODAY],
    ["in 2099", Date.UTC(2099, 0, 1)],
  ])("a clock %s has no say: the counter is the server's, and goes up by one", async (_, clock) => {
    const { times, pings, duration } = await pingAgainst(
      ({ ping, index }, answer) => {
        if (index === 0) answer(challenge(ping, COUNTER), 100);
      },
      { now: (time) => clock + time },
    );
    // The schedule starts again at 100 ms, with the cookie in each datagram and new nonces.
    expect(times).toEqual([0, ...SCHEDULE.map((time) => 100 + time)]);
    expect(duration).toBe(100 + 39_500);
    expect(countersOf(pings).slice(1)).toEqual([0, 1, 2, 3, 4, 5, 6].map((more) => COUNTER + more));
    expect(pings.map(({ cookie }) => cookie)).toEqual([NO_COOKIE, ...Array(7).fill(COOKIE)]);
    expect(new Set(pings.map(({ nonce }) => nonce)).size).toBe(8);
  });

  test("another challenge of a datagram from before it is late, and ignored", async () => {
    const { result, times, pings } = await pingAgainst(({ ping, index, pings: all }, answer) => {
      if (index === 0) answer(challenge(ping, COUNTER), 600);
      if (index === 1) answer(challenge(ping, COUNTER + 7), 700);
      if (index !== 2) return;
      answer(challenge(all[0]!, COUNTER + 8), 150);
      answer(acknowledge(ping), 300);
    });
    // Sent at 0 and 500 ms, and at 600 ms when the first was challenged; to no other challenge.
    expect(times).toEqual([0, 500, 600]);
    expect(countersOf(pings)[2]).toBe(COUNTER);
    expect(result).toMatchObject({ kind: "acknowledged", recorded: HOME, isChallenged: true });
  });

  test("a challenge of a datagram from after it is answered, with its counter", async () => {
    // The cookie became too old, or the server was restarted.
    const { result, pings } = await pingAgainst(({ ping, index }, answer) => {
      answer(index < 3 ? challenge(ping, COUNTER - index) : acknowledge(ping), 10);
    });
    expect(countersOf(pings).slice(1)).toEqual([COUNTER, COUNTER - 1, COUNTER - 2]);
    expect(result).toMatchObject({ kind: "acknowledged", isChallenged: true });
  });

  test("three challenges are answered, and the fourth ends it", async () => {
    const { result, times, duration } = await pingAgainst(({ ping }, answer) =>
      answer(challenge(ping, COUNTER), 10),
    );
    expect(times).toEqual([0, 10, 20, 30]);
    expect(duration).toBe(40);
    expect(result).toMatchObject({ kind: "failed", error: expect.any(NoAcknowledgementError) });
  });
});

describe("what is no answer is ignored", () => {
  // A client that accepted one would believe something false.
  const ELSEWHERE = "198.51.100.66";
  const OTHER_KEY = new Uint8Array(32).fill(2);
  const UNKNOWN = "f".repeat(16);

  const FORGERIES: [string, (ping: Ping, datagram: Uint8Array) => Uint8Array][] = [
    ["an acknowledgement with a wrong MAC", (ping) => acknowledge(ping, ELSEWHERE, OTHER_KEY)],
    ["a challenge with a wrong MAC", (ping) => challenge(ping, 5000, OTHER_KEY)],
    ["an acknowledgement with an unknown nonce", () => acknowledge({ nonce: UNKNOWN }, ELSEWHERE)],
    ["a challenge with an unknown nonce", () => challenge({ nonce: UNKNOWN }, 5000)],
    ["the ping itself, reflected", (_ping, datagram) => datagram],
    ["an acknowledgement cut short", (ping) => acknowledge(ping, ELSEWHERE).subarray(0, -1)],
    ["an empty datagram", () => new Uint8Array()],
  ];

  test.each(FORGERIES)("%s", async (_what, forge) => {
    const { result, times, pings, duration } = await pingAgainst(
      ({ ping, datagram, index }, answer) => {
        for (const delay of [0, 10, 20]) answer(forge(ping, datagram), delay);
        if (index === 1) answer(acknowledge(ping), 30);
      },
    );
    // It neither ends the schedule nor brings it forward, and the true answer still counts.
    expect(times).toEqual([0, 500]);
    expect(duration).toBe(530);
    expect(pings[1]?.cookie).toBe(NO_COOKIE);
    expect(result).toMatchObject({ kind: "acknowledged", recorded: HOME, isChallenged: false });
  });

  test("all of them at once are no acknowledgement", async () => {
    const { result, times, duration } = await pingAgainst(({ ping, datagram }, answer) => {
      for (const [, forge] of FORGERIES) answer(forge(ping, datagram), 50);
    });
    expect(times).toEqual([...SCHEDULE]);
    expect(duration).toBe(GIVE_UP_MS);
    expect(result).toMatchObject({ kind: "failed", error: expect.any(NoAcknowledgementError) });
  });
});

describe.each([
  ["resolve", "EAI_AGAIN"],
  ["connect", "ENETUNREACH"],
] as const)("%s() that fails with %s", (part, code) => {
  const failure = Object.assign(new Error("not yet"), { code });

  /** Pings a server that acknowledges; `part` fails the first `count` times. */
  async function pingWithFailures(count: number, timeout?: number) {
    const attempts: number[] = [];
    const run = await pingAgainst(({ ping }, answer) => answer(acknowledge(ping), 10), {
      ...(timeout === undefined ? {} : { timeout }),
      before(what, { time }) {
        if (what !== part) return;
        attempts.push(time);
        if (attempts.length <= count) throw failure;
      },
    });
    return { ...run, attempts };
  }

  test("at first is tried again at the schedule's times", async () => {
    const { result, attempts, times } = await pingWithFailures(3);
    expect(attempts).toEqual([0, 500, 1500, 3500]);
    expect(times).toEqual([3500]);
    expect(result).toMatchObject({ kind: "acknowledged", recorded: HOME });
  });

  test("can still succeed at the last of them", async () => {
    const { result, attempts } = await pingWithFailures(6);
    expect(attempts).toEqual([...SCHEDULE]);
    expect(result).toMatchObject({ kind: "acknowledged", recorded: HOME });
  });

  test("every time makes the ping fail with its error", async () => {
    const { result, attempts, times } = await pingWithFailures(Infinity);
    expect(attempts).toEqual([...SCHEDULE]);
    expect(times).toEqual([]);
    expect(result).toEqual({ kind: "failed", error: failure });
  });

  test("is not tried after the timeout", async () => {
    const { result, attempts, duration } = await pingWithFailures(Infinity, 2000);
    // The last attempt is at 2 s exactly.
    expect(attempts).toEqual([0, 500, 1500, 2000]);
    expect(duration).toBe(2000);
    expect(result).toEqual({ kind: "failed", error: failure });
  });
});

describe("a resolver that is slow to fail", () => {
  // resolv.conf's default for a name server that does not answer is five seconds.
  const slow = Object.assign(new Error("timed out"), { code: "EAI_AGAIN" });

  // It fails after the time of the schedule's next attempt.
  test("is asked again, too", async () => {
    let attempts = 0;
    const { result } = await pingAgainst(({ ping }, answer) => answer(acknowledge(ping), 10), {
      async before(what, simulation) {
        if (what !== "resolve" || ++attempts > 2) return;
        await simulation.wait(5 * SECOND);
        throw slow;
      },
    });
    expect(result).toMatchObject({ kind: "acknowledged", recorded: HOME });
  });

  test("is not waited for longer than the timeout", async () => {
    const { result, duration } = await pingAgainst(() => {}, {
      timeout: 2000,
      async before(what, simulation) {
        if (what === "resolve") await simulation.wait(20 * SECOND);
      },
    });
    expect(result.kind).toBe("failed");
    expect(duration).toBe(2000);
  });
});

interface Received {
  ping: Ping;
  /** The ping's bytes. */
  datagram: Uint8Array;
  /** 0 for the first. */
  index: number;
  /** All pings so far. */
  pings: readonly Ping[];
}

interface AgainstOptions {
  timeout?: number;
  /** What the client's clock shows `time` milliseconds after the start. */
  now?: (time: number) => number;
  /** Called before every resolve() and connect(), which fails if it throws. */
  before?: (what: "resolve" | "connect", simulation: Simulation) => void | Promise<void>;
}

/**
 * Pings a server that the test plays: `server` is called with each ping when it is sent, and may answer
 * with any datagram, `delay` milliseconds later.
 */
async function pingAgainst(
  server: (received: Received, answer: (datagram: Uint8Array, delay: number) => void) => void,
  {
    timeout = Number.POSITIVE_INFINITY,
    now = (time) => TODAY + time,
    before = () => {},
  }: AgainstOptions = {},
): Promise<{
  result: PingResult;
  /** When each datagram was sent. */
  times: number[];
  pings: Ping[];
  duration: number;
  /** How many sockets were left open. */
  open: number;
}> {
  const simulation = new Simulation();
  const times: number[] = [];
  const pings: Ping[] = [];
  let open = 0;
  const [result] = await simulation.until(
    pingServer({ name: NAME, key: KEY }, TO_SERVER, timeout, {
      ...simulation.clientParts(),
      now: () => now(simulation.time),
      async resolve() {
        await before("resolve", simulation);
        return [SERVER];
      },
      async connect(_address, _port, onDatagram) {
        await before("connect", simulation);
        open++;
        return {
          send(datagram) {
            const ping = pingIn(datagram);
            times.push(simulation.time);
            pings.push(ping);
            server({ ping, datagram, index: pings.length - 1, pings }, (reply, delay) => {
              simulation.after(delay, () => onDatagram(reply));
            });
            return true;
          },
          close: () => void open--,
        };
      },
    }),
  );
  return { result: result!, times, pings, duration: simulation.time, open };
}
/** A client's datagram, which must be a ping with the right MAC. */
function pingIn(datagram: Uint8Array): Ping {
  const message = decode(datagram);
  if (message.type !== "signed" || !hasMac(datagram, KEY)) throw new Error("not a signed ping");
  return message.ping;
}
const COOKIE = "c".repeat(32);

function acknowledge({ nonce }: Pick<Ping, "nonce">, address = HOME, key = KEY): Uint8Array {
  const counter = encodeCounter(TODAY * 1000);
  const reply: Reply = { type: "A", counter, nonce, value: addressToHex(address) };
  return encodeReply(reply, key);
}

function challenge({ nonce }: Pick<Ping, "nonce">, counter: number, key = KEY): Uint8Array {
  return encodeReply({ type: "C", counter: encodeCounter(counter), nonce, value: COOKIE }, key);
}

function countersOf(pings: readonly Ping[]): number[] {
  return pings.map(({ counter }) => decodeCounter(counter));
}
