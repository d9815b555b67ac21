import { expect, test } from "bun:test";

import fc from "fast-check";

import { NameIndex } from "../../src/store/name-index.ts";
import { namesOfOneKeyHash, namesOfOneXxHash32 } from "../colliding-names.ts";
import { filledWith } from "../host-table.ts";

test("names have rows in the order in which they were added, as in a Map", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "-", "ß", "漢", "😀", "\0") });
  fc.assert(
    fc.property(fc.integer(), fc.array(text), (seed, names) => {
      const index = new NameIndex(filledWith(seed));
      const map = new Map<string, number>();
      for (const name of names) {
        expect(index.find(name)).toBe(map.get(name));
        if (map.has(name)) continue;
        expect(index.add(name)).toBe(map.size);
        map.set(name, map.size);
      }
      expect(index.size).toBe(map.size);
      for (const [name, row] of map) {
        expect(index.find(name)).toBe(row);
        expect(index.nameOf(row)).toBe(name);
      }
    }),
  );
});

test("a name is not found by its beginning, nor by other characters with the same bytes", () => {
  const index = new NameIndex(filledWith(0));
  const names = ["", "nas", "nas2", "na", "ü", "Ã¼", "ü2"];
  for (const [row, name] of names.entries()) {
    expect(index.find(name)).toBeUndefined();
    expect(index.add(name)).toBe(row);
  }
  for (const [row, name] of names.entries()) expect(index.find(name)).toBe(row);
});

test("a name that is not Unicode text is refused", () => {
  expect(() => new NameIndex(filledWith(0)).add("\ud800")).toThrow(RangeError);
});

/** An index of these names, in which all are found, and how often it asked for random numbers. */
function indexOf(names: readonly string[]): { index: NameIndex; fills: number } {
  const fill = filledWith(1);
  const result = { fills: 0 };
  const index = new NameIndex((array) => {
    result.fills++;
    fill(array);
  });
  for (const [row, name] of names.entries()) {
    if (index.add(name) !== row) throw new Error(`${name} has another row`);
  }
  for (const [row, name] of names.entries()) {
    if (index.find(name) !== row) throw new Error(`${name} is not in its row`);
    if (index.nameOf(row) !== name) throw new Error(`row ${row} has another name`);
  }
  return { index, ...result };
}

// More than 128 probes for any name would make the index ask for other numbers.
test("a hundred thousand names are all found, and no other, with 128 probes at most", () => {
  const { index, fills } = indexOf(Array.from({ length: 100_000 }, (_, row) => `host-${row}`));
  expect(index.find("host-100000")).toBeUndefined();
  expect(index.find("host-")).toBeUndefined();
  expect(fills).toBe(1);
});

test("names that are made to collide in xxHash32, whatever its seed is, need 128 probes at most", () => {
  const names = namesOfOneXxHash32();
  for (const seed of [0, 1, 0x1234_5678, 0xffff_ffff]) {
    expect(new Set(names.map((name) => Bun.hash.xxHash32(name, seed))).size).toBe(1);
  }
  expect(indexOf(names).fills).toBe(1);
});

test("names that are made to collide in a Map need 128 probes at most", () => {
  expect(indexOf(namesOfOneKeyHash(20_000)).fills).toBe(1);
});

test("names with one of two characters at each place need 128 probes at most", () => {
  const names = Array.from({ length: 2 ** 16 }, (_, bits) =>
    bits.toString(2).padStart(16, "0").replaceAll("0", "a").replaceAll("1", "漢"),
  );
  expect(indexOf(names).fills).toBe(1);
});

test("when a name needs too many probes, the index takes other numbers, and all are found", () => {
  const random = filledWith(1);
  let fills = 0;
  const index = new NameIndex((array) => {
    if (++fills <= 2)
      array.fill(7); // names of one length collide
    else random(array);
  });
  const names = Array.from({ length: 3000 }, (_, row) => String(row + 1000));
  for (const name of names.slice(0, 2000)) index.add(name);
  expect(fills).toBe(3);
  for (const name of names.slice(2000)) index.add(name);
  for (const [row, name] of names.entries()) expect(index.find(name)).toBe(row);
  expect(fills).toBe(3);
});
