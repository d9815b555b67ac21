/** Medians, ranges and ratios of samples. */
import { expect, test } from "bun:test";

import { median, percentile, ratios, summarise } from "./statistics.ts";

test.each([
  [[3], 3],
  [[10, 9, 100], 10],
  [[4, 1, 3, 2], 2.5],
  [[], Number.NaN],
])("the median of %p is %p", (samples, expected) => {
  expect(median(samples)).toBe(expected);
});

test.each([
  [[5], 90, 5],
  [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 90, 9],
  [[11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 90, 10],
  [[3, 1, 2], 0, 1],
  [[3, 1, 2], 100, 3],
  [[], 90, Number.NaN],
])("of %p, percentile %p is %p", (samples, percent, expected) => {
  expect(percentile(samples, percent)).toBe(expected);
});

test("the samples stay as they are", () => {
  const samples = [3, 1, 2];
  expect(summarise(samples)).toEqual({ median: 2, min: 1, max: 3 });
  expect(samples).toEqual([3, 1, 2]);
});

test("a ratio is of one round, not of all", () => {
  expect(ratios([10, 40], [10, 20])).toEqual([1, 2]);
});
