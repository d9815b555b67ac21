/** How much the log says of what clients do. The words themselves: datagrams.test.ts. */
import { describe, expect, test } from "bun:test";

import type { Change, Host } from "../../src/host.ts";
import { Announcer } from "../../src/server/announce.ts";
import { recordedLog } from "../recorded-log.ts";

const DAY_MS = 86_400_000;

function newAnnouncer() {
  const log = { ...recordedLog(), shown: "log" as const };
  const state = { monotonic: 0 };
  const announcer = new Announcer({ log, isPublic: true, monotonic: () => state.monotonic });
  return {
    state,
    announcer,
    /** What is written without -v and --debug, as long as in a file, with the time in front. */
    shown: () => log.lines.filter((line) => !/^(info|debug):/.test(line)),
    takeBytes(): number {
      const shown = log.lines.splice(0).filter((line) => !/^(info|debug):/.test(line));
      return shown.reduce((sum, line) => sum + Buffer.byteLength(line) + 26, 0);
    },
  };
}

const host = (address: string, isSigned: boolean): Host => ({
  ipv4: { address, since: 0, lastSeen: 0 },
  ...(isSigned && { counter: 1 }),
});

/** A move from 192.0.2.1 to 192.0.2.2, or back. */
function move(name: string, isBack: boolean, how: Change["how"] = "proven"): Change {
  const isSigned = how !== "plain";
  const hosts = [host("192.0.2.1", isSigned), host("192.0.2.2", isSigned)] as const;
  const [before, now] = isBack ? [hosts[1], hosts[0]] : hosts;
  return { name, family: "ipv4", before, now, time: 0, how };
}

/** What clients do to fill the log, with a key or without; `n` counts up. */
const FLOODS: [string, (announcer: Announcer, n: number) => void][] = [
  ["a signed name that alternates", (to, n) => to.changed(move("nas", n % 2 === 1))],
  [
    "10,000 signed names that alternate",
    (to, n) => to.changed(move(`nas-${n % 10_000}`, n % 2 === 1)),
  ],
  ["a plain name that alternates", (to, n) => to.changed(move("nas", n % 2 === 1, "plain"))],
  [
    "new names without end, the longest, behind a NAT",
    (to, n) =>
      to.changed({
        name: `${n}`.padEnd(128, "x"),
        family: "ipv4",
        before: undefined,
        now: host("10.0.0.1", true),
        time: 0,
        how: "proven",
      }),
  ],
  [
    "forged pings from ever new addresses",
    (to, n) => to.dropped("wrong MAC", "nas", `2001:db8::${n.toString(16)}`),
  ],
  ["a router that alternates", (to, n) => to.changed(move("home", n % 2 === 1, "claimed"))],
  [
    "logins without end, with the longest names, from ever new addresses",
    (to, n) => to.loginFailed("x".repeat(128), `2001:db8::${n.toString(16)}`),
  ],
  ["plain pings where they are not accepted", (to, n) => to.dropped("plain", `${n}`, "192.0.2.1")],
];

describe("less than a megabyte is written in any 24 hours, whatever clients do:", () => {
  test.each(FLOODS)("%s", (_what, flood) => {
    const { announcer, state, takeBytes } = newAnnouncer();
    const perHour: number[] = [];
    for (let n = 0; n < 2 * 24 * 3600; n++) {
      state.monotonic = n * 1000;
      flood(announcer, n);
      if (n % 3600 === 3599) perHour.push(takeBytes());
    }
    for (let hour = 0; hour + 24 <= perHour.length; hour++) {
      const bytes = perHour.slice(hour, hour + 24).reduce((sum, number) => sum + number, 0);
      expect(bytes).toBeLessThan(1_000_000);
    }
    expect(perHour[0]).toBeGreaterThan(0);
  });

  test("all of it at once", () => {
    const { announcer, state, takeBytes } = newAnnouncer();
    let bytes = 0;
    for (let n = 0; n < 24 * 300; n++) {
      state.monotonic = n * 12_000;
      for (const [, flood] of FLOODS) for (let i = 0; i < 3; i++) flood(announcer, 3 * n + i);
      if (n % 300 === 299) bytes += takeBytes();
    }
    expect(bytes).toBeLessThan(1_000_000);
  });
});

test("what a router says is said to be so", () => {
  const { announcer, shown } = newAnnouncer();
  const { now } = move("home", true);
  announcer.changed({ ...move("home", true, "claimed"), before: undefined });
  announcer.changed({ ...move("home", true, "claimed"), before: { ...now, ipv4: undefined! } });
  announcer.changed({ ...move("home", true, "claimed"), before: host("192.0.2.1", false) });
  announcer.changed(move("home", false, "claimed"));
  announcer.changed({ ...move("home", true, "claimed"), before: now });
  expect(shown()).toEqual([
    "log: new host home at 192.0.2.1, as its router says",
    "log: home is at 192.0.2.1, too, as its router says",
    "log: home at 192.0.2.1 is signed from now on, as its router says",
    "log: home moved from 192.0.2.1 to 192.0.2.2, as its router says",
  ]);
});

test("a failed login is said with its address, once a second, without what is no name", () => {
  const { announcer, shown, state } = newAnnouncer();
  announcer.loginFailed("nas", "192.0.2.1");
  announcer.loginFailed("nas", "192.0.2.1");
  state.monotonic += 1000;
  announcer.loginFailed(undefined, "2001:db8::1");
  expect(shown()).toEqual([
    "warn: wrong name or password for nas by HTTP from 192.0.2.1",
    "warn: wrong name or password by HTTP from 2001:db8::1",
  ]);
});

test("a report without an address is warned of once for each name", () => {
  const { announcer, shown } = newAnnouncer();
  announcer.reportedNowhere("home", "127.0.0.1");
  announcer.reportedNowhere("home", "127.0.0.1");
  announcer.reportedNowhere("office", "192.168.1.1");
  const hint =
    "hint: have the router send its address as myip; a proxy in front has to send X-Forwarded-For";
  expect(shown()).toEqual([
    "warn: home reported no address of the internet, from 127.0.0.1",
    hint,
    "warn: office reported no address of the internet, from 192.168.1.1",
    hint,
  ]);
});

describe("a name that comes back within the hour to an address that it left", () => {
  const WARNING = [
    "warn: nas is back at 192.0.2.1, which it left 5 minutes ago",
    "hint: do two machines ping as nas? Then give each its own client_name",
  ];

  test("is warned of once a day", () => {
    const { announcer, shown, state } = newAnnouncer();
    const warnings = () => shown().filter((line) => /^(warn|hint)/.test(line));
    announcer.changed(move("nas", false));
    for (let n = 1; n <= 12; n++) {
      state.monotonic += 300_000;
      announcer.changed(move("nas", n % 2 === 1));
      expect(warnings()).toEqual(WARNING);
    }
    state.monotonic += DAY_MS;
    announcer.changed(move("nas", true));
    announcer.changed(move("nas", false));
    expect(warnings()).toHaveLength(4);
  });

  test("and not of one that comes back later, that goes on, or that is in two families", () => {
    const { announcer, shown, state } = newAnnouncer();
    announcer.changed(move("nas", false));
    state.monotonic += 3_600_001;
    announcer.changed(move("nas", true));
    const six: Host = {
      ...host("192.0.2.1", true),
      ipv6: { address: "2001:db8::1", since: 0, lastSeen: 0 },
    };
    announcer.changed({
      ...move("pi", false),
      family: "ipv6",
      before: host("192.0.2.1", true),
      now: six,
    });
    announcer.changed(move("pi", false));
    const on = host("192.0.2.3", true);
    announcer.changed({ ...move("pi", false), before: host("192.0.2.2", true), now: on });
    expect(shown().filter((line) => line.startsWith("warn"))).toEqual([]);
  });
});

test("a name that moves all the time is said so, and leaves the others their messages", () => {
  const { announcer, shown, state } = newAnnouncer();
  for (let n = 0; n < 1000; n++) announcer.changed(move("nas", n % 2 === 1));
  const lines = shown();
  expect(lines).toHaveLength(54); // of them two warn of the return
  expect(lines.slice(-2)).toEqual([
    "warn: no more messages about nas today: too many",
    "hint: the client log has the newest address, and -v shows every change",
  ]);
  announcer.changed(move("pi", false));
  expect(shown().at(-1)).toBe("log: pi moved from 192.0.2.1 to 192.0.2.2");
  state.monotonic += DAY_MS;
  announcer.changed(move("nas", false));
  expect(shown().at(-1)).toBe("log: nas moved from 192.0.2.1 to 192.0.2.2");
});
