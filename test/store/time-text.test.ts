import { expect, test } from "bun:test";

import fc from "fast-check";

import { formatTime, parseTime, TIME_BYTES } from "../../src/store/time-text.ts";

/** Parsed in the middle of other bytes. */
const parse = (text: string) => parseTime(Buffer.from(`"${text}"`), 1);

const LAST = 253_402_300_799_999; // the end of the year 9999

test("it writes what Date writes, and reads it back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: LAST }), (time) => {
      const text = formatTime(time);
      expect(text).toBe(new Date(time).toISOString());
      expect(parse(text)).toBe(time);
      expect(text).toHaveLength(TIME_BYTES);
    }),
  );
});

test.each([-1, -62_167_219_200_000, LAST + 1])("%d, too, as Date does", (time) => {
  expect(formatTime(time)).toBe(new Date(time).toISOString());
});

test("what no Date can hold is an error", () => {
  expect(() => formatTime(8.64e15 + 86_400_000)).toThrow(RangeError);
  expect(() => formatTime(Number.NaN)).toThrow(RangeError);
});

test.each([
  "",
  "2026-11-22",
  "2026-11-22T13:01:02Z",
  "2026-11-22T13:01:02.1234Z",
  "12026-11-22T13:01:02.123Z",
  "2026-11-22T13:01:02.123+",
  "2026-11-22 13:01:02.123Z",
  "2026-02-30T13:01:02.123Z",
  "2026-13-01T13:01:02.123Z",
  "2026-11-22T24:00:00.000Z",
  "2026-11-22T13:60:02.123Z",
  "2026-11-22T13:01:60.123Z",
  "2026-11-22T13:01:0a.123Z",
  "2026-11-22T13:01:02.12٣Z",
])("%p is none of its texts", (text) => {
  expect(parse(text)).toBeUndefined();
});
