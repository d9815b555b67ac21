import { expect, test } from "bun:test";

import { limitPerMinute, limitPerSecond } from "../../src/server/limit.ts";

test("each key is allowed as often as the limit says, in each second of the clock", () => {
  let now = 0;
  const isAllowed = limitPerSecond(2, () => now);
  const taken = (key: number) => [1, 2, 3].map(() => isAllowed(key));
  expect(taken(0)).toEqual([true, true, false]);
  expect(taken(2 ** 32 - 1)).toEqual([true, true, false]);
  now = 999;
  expect(isAllowed(0)).toBe(false);
  now = 1000;
  expect(taken(0)).toEqual([true, true, false]);
});

test("a minute is a minute of the clock", () => {
  let now = 0;
  const isAllowed = limitPerMinute(2, () => now);
  const taken = (key: number) => [1, 2, 3].map(() => isAllowed(key));
  expect(taken(0)).toEqual([true, true, false]);
  now = 59_999;
  expect(isAllowed(0)).toBe(false);
  now = 60_000;
  expect(taken(0)).toEqual([true, true, false]);
});
