import { expect, test } from "bun:test";

import { isSilent } from "../../src/server/silence.ts";

const MINUTE = 60_000;
const NOW = 1_763_812_800_000;
const ago = (minutes: number) => {
  const lastSeen = NOW - minutes * MINUTE;
  return { address: "203.0.113.7", since: lastSeen, lastSeen };
};

test.each([
  [false, "seen 15 minutes ago", { ipv4: ago(15), counter: 1 }],
  [true, "seen longer ago", { ipv4: ago(15.01), counter: 1 }],
  [true, "seen by plain pings longer ago", { ipv4: ago(16) }],
  [false, "seen in one family", { ipv4: ago(60), ipv6: ago(5), counter: 1 }],
  [false, "never pinged, reported by a router", { ipv4: ago(600_000), counter: 0 }],
  [false, "seen later than now, the clock was set", { ipv4: ago(-60), counter: 1 }],
] as const)("silent: %p, where a host was %s", (expected, _what, host) => {
  expect(isSilent(host, NOW)).toBe(expected);
});
