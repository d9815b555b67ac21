import { describe, expect, test } from "bun:test";
import { crc32 } from "node:zlib";

import { encodeSeal, readContents, type Seal } from "../../src/store/seal.ts";

const batch = (lines: string, seal: Partial<Seal> = {}): string => {
  const bytes = Buffer.byteLength(lines);
  return lines + encodeSeal({ bytes, generation: 7, oldest: 6, ...seal }, crc32(lines));
};
const read = (...parts: string[]) => readContents(Buffer.from(parts.join("")));
const ZEROS = "\0".repeat(5000);

test("a seal is the bytes of its lines, the generations, and the CRC-32 of all before it", () => {
  expect(batch('"nas": {}\n"pi": {}\n')).toBe(
    '"nas": {}\n"pi": {}\n= 19 7 6 ' +
      `${crc32('"nas": {}\n"pi": {}\n= 19 7 6 ').toString(16).padStart(8, "0")}\n`,
  );
});

test("batches are read from the beginning, with zeros behind them", () => {
  const [one, two, none] = [batch("one\n"), batch("zwei, é\ntwo\n"), batch("")];
  const { batches, end, tailEnd, stray } = read(one, two, none, ZEROS);
  expect(batches).toEqual([
    { bytes: 4, generation: 7, oldest: 6, start: 0, end: one.length },
    { bytes: 13, generation: 7, oldest: 6, start: one.length, end: one.length + two.length + 1 },
    { bytes: 0, generation: 7, oldest: 6, start: end - none.length, end },
  ]);
  expect(tailEnd).toBe(end);
  expect(stray).toEqual([]);
});

describe("a file has no batches", () => {
  test.each([
    ["of no bytes", ""],
    ["of zeros", ZEROS],
    ["of lines without a seal", "one\ntwo\n"],
    ["that begins with zeros", ZEROS + batch("one\n")],
    ["whose seal has another length", batch("one\n", { bytes: 3 })],
    ["whose seal is longer than the file", batch("one\n", { bytes: 400 })],
    [
      "whose seal has a number that is not written as it would be",
      batch("one\n").replace("7", "07"),
    ],
    ["whose seal has no newline", batch("one\n").trimEnd()],
  ])("%s", (_, text) => {
    const { batches, end, tailEnd } = read(text);
    expect({ batches, end }).toEqual({ batches: [], end: 0 });
    expect(tailEnd).toBe(text === ZEROS ? 0 : text.length);
  });

  test("when any bit of its only batch is flipped", () => {
    const bytes = Buffer.from(batch("one\ntwo\n"));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(readContents(bytes).batches).toEqual([]);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(readContents(bytes).batches).toHaveLength(1);
  });
});

test("a batch of another generation ends what is read, and is a stray one", () => {
  const one = batch("one\n");
  const { batches, end, stray } = read(one, batch("older\n", { generation: 5 }), batch("same\n"));
  expect(batches).toHaveLength(1);
  expect(end).toBe(one.length);
  expect(stray.map(({ generation }) => generation)).toEqual([5, 7]);
});

test("whole batches behind a break are stray ones, wherever the break is", () => {
  const [one, two, three] = [batch("one\n"), batch("two\n"), batch("three\n")];
  for (let at = one.length; at < one.length + two.length; at++) {
    const bytes = Buffer.from(one + two + three);
    bytes[at] = 0;
    const { batches, end, stray, tailEnd } = readContents(bytes);
    expect({ batches: batches.length, end }).toEqual({ batches: 1, end: one.length });
    expect(stray.map(({ start }) => start)).toEqual([one.length + two.length]);
    expect(tailEnd).toBe(bytes.length);
  }
});
