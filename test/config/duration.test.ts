import { expect, test } from "bun:test";

import { describeAge, describeDuration, parseDuration } from "../../src/config/duration.ts";

test.each([
  ["30s", 30_000],
  ["30", 30_000],
  ["0", 0],
  ["1.5s", 1500],
  ["500ms", 500],
  ["2m", 120_000],
  ["12h", 43_200_000],
  ["1.5h", 5_400_000],
  ["1d", 86_400_000],
])("%s is %d milliseconds", (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each(["", "s", "-1", "1w", "1 h", "1D", "1hd", "1 s", "1e3", ".5", "NaN", "30ss"])(
  "%p is no time",
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);

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

test.each([
  [0, "0 seconds"],
  [1, "1 second"],
  [119, "119 seconds"],
  [120, "2 minutes"],
  [7199, "119 minutes"],
  [95_460, "26 hours"],
  [172_799, "47 hours"],
  [172_800, "2 days"],
  [0xffff_ffff, "136 years"],
])("an age of %d seconds is %s", (seconds, words) => {
  expect(describeAge(seconds)).toBe(words);
});
