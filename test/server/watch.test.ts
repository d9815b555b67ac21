/** When silence and return are told, in simulated time: hosts ping every five minutes, ticks come every five seconds. */
import { describe, expect, test } from "bun:test";

import type { Host } from "../../src/host.ts";
import { DailyLimit } from "../../src/server/daily-limit.ts";
import {
  type Digest,
  isSilent,
  type SilentAfter,
  tickOf,
  Watch,
  windowOf,
} from "../../src/server/watch.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 10, 24, 12);
const DEFAULT: SilentAfter = new Map([["*", 15 * MINUTE]]);

/** A server whose clock and machine the test controls. */
class World {
  /** What really passes, in milliseconds. */
  elapsed = 0;
  /** How far the server's clock is off. */
  offset = 0;
  readonly hosts = new Map<string, Host>();
  readonly digests: Digest[] = [];
  readonly #offline = new Set<string>();
  #watch: Watch | undefined;
  #told: ReadonlyMap<string, number> = new Map();
  #silentAfter: SilentAfter;
  readonly #limit: DailyLimit;

  constructor(names: readonly string[] = [], silentAfter = DEFAULT, perDay = 50) {
    this.#limit = new DailyLimit({ bytes: Infinity, perKey: perDay }, () => this.elapsed);
    this.#silentAfter = silentAfter;
    for (const name of names) this.ping(name);
    this.start();
  }

  get now(): number {
    return START + this.elapsed + this.offset;
  }

  /** The messages, one word for each: `silent:nas,pi`. */
  get messages(): string[] {
    return this.digests.map(({ silent, back, isEveryone }) =>
      [
        silent.length > 0 ? `silent:${silent.map(({ name }) => name)}` : "",
        back.length > 0 ? `back:${back.map(({ name }) => name)}` : "",
        isEveryone ? "everyone" : "",
      ]
        .filter(Boolean)
        .join(" "),
    );
  }

  ping(name: string, counter: number | "plain" = 1): void {
    const sighting = { address: "192.0.2.1", since: START, lastSeen: this.now };
    this.hosts.set(name, { ipv4: sighting, ...(counter !== "plain" && { counter }) });
  }

  start(silentAfter = this.#silentAfter): void {
    this.#silentAfter = silentAfter;
    this.#watch = new Watch({
      silentAfter,
      told: this.#told,
      mayTell: (name) => this.#limit.has(name),
      time: this.now,
    });
  }

  /** The server is stopped, or killed: it keeps what it told. */
  stop(): void {
    this.#told = new Map(this.#watch!.told);
    this.#watch = undefined;
  }

  offline(...names: string[]): void {
    for (const name of names) this.#offline.add(name);
  }

  online(...names: string[]): void {
    for (const name of names) this.#offline.delete(name);
  }

  /** Lets time pass, with pings and ticks if the server runs. */
  pass(milliseconds: number, isAwake = true): void {
    const end = this.elapsed + milliseconds;
    const isRunning = isAwake && this.#watch !== undefined;
    while (this.elapsed < end) {
      this.elapsed += 5 * SECOND;
      if (!isRunning) continue;
      if (this.elapsed % (5 * MINUTE) === 0) {
        for (const [name, { counter }] of this.hosts) {
          if (!this.#offline.has(name) && counter !== 0) this.ping(name, counter ?? "plain");
        }
      }
      this.tick();
    }
  }

  tick(isFree = true): void {
    const digest = this.#watch!.tick(this.now, this.hosts, isFree);
    if (!digest) return;
    for (const { name } of [...digest.silent, ...digest.back]) this.#limit.take(name, 0);
    this.digests.push(digest);
  }
}

const homeOf = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `host-${index}`);
const FIVE = ["attic", "cam", "nas", "pi", "printer"];

describe("the scenarios of the design", () => {
  test("all is well for a week: nothing is told", () => {
    const world = new World(FIVE);
    world.pass(7 * DAY);
    expect(world.messages).toEqual([]);
  });

  test("a home of five goes offline and comes back: two messages", () => {
    const world = new World([...FIVE, "office"]);
    world.pass(HOUR);
    world.offline(...FIVE);
    world.pass(3 * HOUR);
    world.online(...FIVE);
    world.pass(3 * HOUR);
    expect(world.messages).toEqual([`silent:${FIVE}`, `back:${FIVE}`]);
  });

  test("a home of five whose pings are minutes apart: two messages all the same", () => {
    const world = new World(["office"]);
    for (const name of FIVE) {
      world.ping(name);
      world.pass(50 * SECOND);
    }
    world.offline(...FIVE);
    world.pass(3 * HOUR);
    expect(world.messages).toEqual([`silent:${FIVE}`]);
    for (const name of FIVE) {
      world.online(name);
      world.ping(name);
      world.pass(50 * SECOND);
    }
    world.pass(3 * HOUR);
    expect(world.messages).toEqual([`silent:${FIVE}`, `back:${FIVE}`]);
  });

  test("a thousand homes at once: one message, which says that it may be this server", () => {
    const names = homeOf(1000);
    const world = new World(names);
    world.pass(HOUR);
    world.offline(...names);
    world.pass(DAY);
    expect(world.messages).toEqual([`silent:${names} everyone`]);
  });

  test("the server is off for an hour: nothing is told", () => {
    const world = new World(FIVE);
    world.pass(HOUR);
    world.stop();
    world.pass(HOUR);
    world.start();
    world.pass(DAY);
    expect(world.messages).toEqual([]);
  });

  test("the server is asleep for an hour: nothing is told", () => {
    const world = new World(FIVE);
    world.pass(HOUR);
    world.pass(HOUR, false);
    world.pass(DAY);
    expect(world.messages).toEqual([]);
  });

  test("the server is asleep for an hour, and the hosts reach it only ten minutes later", () => {
    const world = new World(FIVE);
    world.pass(HOUR);
    world.pass(HOUR, false);
    world.offline(...FIVE);
    world.pass(10 * MINUTE);
    world.online(...FIVE);
    world.pass(DAY);
    expect(world.messages).toEqual([]);
  });

  test("a host that goes and comes every 40 minutes for 10 hours: 14 messages", () => {
    const world = new World(["nas", "pi"]);
    for (let minutes = 0; minutes < 600; minutes += 40) {
      if ((minutes / 40) % 2 === 0) world.online("nas");
      else world.offline("nas");
      world.pass(40 * MINUTE);
    }
    expect(world.messages).toEqual(Array(7).fill(["silent:nas", "back:nas"]).flat());
  });

  test("a host that misses two pings: nothing is told", () => {
    const world = new World(["nas", "pi"]);
    for (let times = 0; times < 20; times++) {
      world.offline("nas");
      world.pass(10 * MINUTE);
      world.online("nas");
      world.pass(HOUR);
    }
    expect(world.messages).toEqual([]);
  });

  test("a host that is back before the window ends: nothing is told", () => {
    const world = new World(["nas", "pi"]);
    world.pass(HOUR);
    world.offline("nas");
    world.pass(17 * MINUTE);
    world.ping("nas");
    world.online("nas");
    world.pass(HOUR);
    expect(world.messages).toEqual([]);
  });
});

describe("more of what happens", () => {
  test("one falls silent in the window in which another comes back: one message", () => {
    const world = new World(["nas", "office", "pi"]);
    world.offline("pi");
    world.pass(HOUR);
    world.offline("nas");
    world.pass(14 * MINUTE);
    world.ping("pi");
    world.online("pi");
    world.pass(HOUR);
    expect(world.messages).toEqual(["silent:pi", "silent:nas back:pi"]);
  });

  test("a server that was down for a day tells only of the host that stays away", () => {
    const world = new World(["nas", "pi"]);
    world.pass(HOUR);
    world.stop();
    world.pass(DAY);
    world.offline("pi");
    world.start();
    world.pass(14 * MINUTE);
    expect(world.messages).toEqual([]);
    world.pass(DAY);
    expect(world.messages).toEqual(["silent:pi"]);
  });

  test("what is silent is not told again after a restart, and its return is told", () => {
    const world = new World(["nas", "pi"]);
    world.offline("nas");
    world.pass(HOUR);
    for (let restarts = 0; restarts < 3; restarts++) {
      world.stop();
      world.pass(MINUTE);
      world.start();
      world.pass(HOUR);
    }
    expect(world.messages).toEqual(["silent:nas"]);
    world.stop();
    world.start();
    world.online("nas");
    world.pass(HOUR);
    expect(world.messages).toEqual(["silent:nas", "back:nas"]);
  });

  test("what came back while the server was stopped, and pings, is told", () => {
    const world = new World(["nas", "pi"]);
    world.offline("nas");
    world.pass(HOUR);
    world.stop();
    world.online("nas");
    world.pass(HOUR);
    world.start();
    world.pass(HOUR);
    expect(world.messages).toEqual(["silent:nas", "back:nas"]);
  });

  test.each([
    ["an hour forth", HOUR],
    ["a year forth", 365 * DAY],
    ["an hour back", -HOUR],
    ["three years back", -3 * 365 * DAY],
    ["a minute back", -MINUTE],
    ["half a minute forth", 30 * SECOND],
  ])(
    "a clock that is set %s: nothing is told, and a host that stays away later is",
    (_, offset) => {
      const world = new World(["nas", "pi"]);
      world.pass(HOUR);
      world.offset = offset;
      world.pass(DAY);
      expect(world.messages).toEqual([]);
      world.offline("nas");
      world.pass(HOUR);
      expect(world.messages).toEqual(["silent:nas"]);
    },
  );

  test("a host that falls silent just when the clock is set back is told soon, not in three years", () => {
    const world = new World(["nas", "pi"]);
    world.pass(HOUR);
    world.offline("nas");
    world.offset = -3 * 365 * DAY;
    world.pass(HOUR);
    expect(world.messages).toEqual(["silent:nas"]);
    world.online("nas");
    world.pass(HOUR);
    expect(world.messages).toEqual(["silent:nas", "back:nas"]);
  });

  test("a clock that is set to and fro every ten minutes tells nothing", () => {
    const world = new World(FIVE);
    for (let times = 0; times < 100; times++) {
      world.offset = times % 2 === 0 ? HOUR : 0;
      world.pass(10 * MINUTE);
    }
    expect(world.messages).toEqual([]);
  });

  test("a host that is forgotten while it is silent is not told of again", () => {
    const world = new World(["nas", "pi"]);
    world.offline("nas");
    world.pass(HOUR);
    world.hosts.delete("nas");
    world.pass(HOUR);
    world.ping("nas");
    world.online("nas");
    world.pass(HOUR);
    expect(world.messages).toEqual(["silent:nas"]);
  });

  test("a host that is forgotten in the window is not told of", () => {
    const world = new World(["nas", "pi"]);
    world.pass(HOUR);
    world.offline("nas");
    world.pass(17 * MINUTE);
    world.hosts.delete("nas");
    world.pass(DAY);
    expect(world.messages).toEqual([]);
  });

  test.each([
    ["while the server runs", false],
    ["while it is stopped", true],
  ])("a silent host that is renamed %s is not told twice; its return is told", (_, isStopped) => {
    const world = new World(["nas", "pi"]);
    world.offline("nas", "vault");
    world.pass(HOUR);
    if (isStopped) world.stop();
    world.hosts.set("vault", world.hosts.get("nas")!);
    world.hosts.delete("nas");
    if (isStopped) world.start();
    world.pass(DAY);
    expect(world.messages).toEqual(["silent:nas"]);
    world.online("vault");
    world.pass(HOUR);
    expect(world.messages).toEqual(["silent:nas", "back:vault"]);
  });

  test("a longer silent_after after a restart: what was told stays told, its return is told once", () => {
    const world = new World(["nas", "pi"]);
    world.offline("nas");
    world.pass(HOUR);
    world.stop();
    world.start(new Map([["*", 3 * DAY]]));
    world.pass(2 * DAY);
    expect(world.messages).toEqual(["silent:nas"]);
    world.online("nas");
    world.pass(HOUR);
    expect(world.messages).toEqual(["silent:nas", "back:nas"]);
  });

  test("a shorter silent_after after a restart: the host that is silent now is told", () => {
    const world = new World(["nas", "pi"], new Map([["*", 3 * DAY]]));
    world.offline("nas");
    world.pass(DAY);
    expect(world.messages).toEqual([]);
    world.stop();
    world.start(DEFAULT);
    world.pass(14 * MINUTE);
    expect(world.messages).toEqual([]);
    world.pass(HOUR);
    expect(world.messages).toEqual(["silent:nas"]);
  });

  test('"never" after a restart: nothing more is told of it', () => {
    const world = new World(["nas", "pi"]);
    world.offline("nas");
    world.pass(HOUR);
    world.stop();
    world.start(new Map([...DEFAULT, ["nas", Infinity]]));
    world.pass(HOUR);
    world.online("nas");
    world.pass(DAY);
    expect(world.messages).toEqual(["silent:nas"]);
  });

  test("each host has its own time; the window is a third of the shortest", () => {
    const silentAfter = new Map([...DEFAULT, ["laptop", 3 * DAY], ["cam", 6 * MINUTE]]);
    expect(windowOf(silentAfter)).toBe(2 * MINUTE);
    expect(tickOf(silentAfter)).toBe(5 * SECOND);
    const world = new World(["laptop", "cam", "nas"], silentAfter);
    world.pass(HOUR);
    world.offline("laptop", "cam");
    world.pass(8 * MINUTE + 5 * SECOND);
    expect(world.messages).toEqual(["silent:cam"]);
    world.pass(2 * DAY);
    expect(world.messages).toEqual(["silent:cam"]);
    world.pass(DAY);
    expect(world.messages).toEqual(["silent:cam", "silent:laptop"]);
  });

  test.each([
    ["a router that reports on change alone", 0],
    ["plain pings, which anyone can forge", "plain"],
  ] as const)("%s: not watched, unless silent_after names the host", (_, counter) => {
    const world = new World(["nas"]);
    world.ping("fritz", counter);
    world.offline("fritz");
    world.pass(DAY);
    expect(world.messages).toEqual([]);
    world.stop();
    world.start(new Map([...DEFAULT, ["fritz", HOUR]]));
    world.pass(DAY);
    expect(world.messages).toEqual(["silent:fritz"]);
  });

  test("a plain host that calls itself * is not every host", () => {
    const world = new World(["nas"]);
    world.ping("*", "plain");
    world.offline("*");
    world.pass(DAY);
    expect(world.messages).toEqual([]);
  });

  test("ten thousand forged names that fall silent tell nothing", () => {
    const world = new World(["nas"]);
    for (const name of homeOf(10_000)) world.ping(name, "plain");
    world.offline(...homeOf(10_000));
    world.pass(HOUR);
    expect(world.messages).toEqual([]);
  });

  test.each([50, 5])(
    "a host is told of at most %p times a day, and then as it is by then",
    (limit) => {
      const world = new World(["nas", "pi"], DEFAULT, limit);
      for (let times = 0; times < 30; times++) {
        world.offline("nas");
        world.pass(20 * MINUTE + 5 * SECOND);
        world.online("nas");
        world.pass(20 * MINUTE - 5 * SECOND);
      }
      expect(world.messages).toHaveLength(limit);
      const isToldSilent = world.messages.at(-1) === "silent:nas";
      world.pass(2 * DAY);
      expect(world.messages.slice(limit)).toEqual(isToldSilent ? ["back:nas"] : []);
    },
  );

  test("a host that pings once amid its silence is not told to be back after a restart", () => {
    const world = new World(["nas", "pi"]);
    world.offline("nas");
    world.pass(HOUR);
    world.ping("nas");
    world.pass(MINUTE);
    world.stop();
    world.pass(HOUR);
    world.start();
    world.pass(DAY);
    expect(world.messages).toEqual(["silent:nas"]);
  });

  test("a host with three days that was away for a week is told 15 minutes after the start", () => {
    const world = new World(["laptop", "pi"], new Map([...DEFAULT, ["laptop", 3 * DAY]]));
    world.stop();
    world.pass(7 * DAY);
    world.offline("laptop");
    world.start();
    world.pass(14 * MINUTE);
    expect(world.messages).toEqual([]);
    world.pass(10 * MINUTE);
    expect(world.messages).toEqual(["silent:laptop"]);
  });

  test("while no digest can be told, the window stays open, and one digest has it all", () => {
    const world = new World(["nas", "office", "pi"]);
    world.pass(HOUR);
    world.offline("nas", "pi");
    for (let ticks = 0; ticks < 720; ticks++) {
      world.elapsed += 5 * SECOND;
      if (ticks % 60 === 0) world.ping("office");
      if (ticks === 700) world.ping("pi");
      world.tick(false);
    }
    world.pass(5 * SECOND);
    expect(world.messages).toEqual(["silent:nas"]);
  });
});

test("the page shows as silent what a digest tells, and hosts that send plain pings", () => {
  const host = { ipv4: { address: "192.0.2.1", since: 0, lastSeen: START }, counter: 1 };
  const at = (time: number, listeningSince: number, heardUntil = 0) =>
    isSilent(DEFAULT, ["nas", host], { time, listeningSince, heardUntil });
  expect(at(START + 15 * MINUTE - 1, START - HOUR)).toBe(false);
  expect(at(START + 15 * MINUTE, START - HOUR)).toBe(true);
  expect(at(START + DAY, START + DAY - MINUTE)).toBe(false);
  expect(at(START + DAY, START + DAY - 15 * MINUTE)).toBe(true);
  // It was silent before the server was started, while others were heard of; or it need not have been.
  expect(at(START + DAY, START + DAY - MINUTE, START + 15 * MINUTE)).toBe(true);
  expect(at(START + DAY, START + DAY - MINUTE, START + 15 * MINUTE - 1)).toBe(false);
  const later = { time: START + DAY, listeningSince: 0, heardUntil: 0 };
  const { ipv4 } = host;
  expect(isSilent(DEFAULT, ["nas", { ipv4 }], later)).toBe(true);
  expect(isSilent(DEFAULT, ["nas", { ipv4, counter: 0 }], later)).toBe(false);
  const named = new Map([...DEFAULT, ["nas", HOUR]]);
  expect(isSilent(named, ["nas", { ipv4, counter: 0 }], later)).toBe(true);
  expect(isSilent(new Map([["*", Infinity]]), ["nas", host], later)).toBe(false);
  const ipv6 = { ...ipv4, lastSeen: START + DAY - MINUTE };
  expect(isSilent(DEFAULT, ["nas", { ipv4, ipv6, counter: 1 }], later)).toBe(false);
});
