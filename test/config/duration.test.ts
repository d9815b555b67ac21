import { expect, test } from "bun:test";

import { describeDuration, parseDuration } from "../../src/config/duration.ts";

test.each([
  ["30s", 30_000],
  ["30", 30_000],
  ["0", 0],
  ["1.5s", 1500],
  ["500ms", 500],
  ["2m", 120_000],
])("%s is %d milliseconds", (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each(["", "s", "-1", "1h", "1 s", "1e3", ".5", "NaN", "30ss"])("%p is no time", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test.each([
  [0, "0 seconds"],
  [1, "1 second"],
  [59, "59 seconds"],
  [301, "5 minutes"],
  [3600, "1 hour"],
  [86_400 * 20, "20 days"],
  [86_400 * 365.25 * 56, "56 years"],
])("%d seconds are %s", (seconds, words) => {
  expect(describeDuration(seconds)).toBe(words);
});
