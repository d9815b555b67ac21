import { expect, test } from "bun:test";

import fc from "fast-check";

import { NameIndex } from "../../src/store/name-index.ts";

test("names have rows in the order in which they came, as in a Map", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "-", "ß", "漢", "😀", "\0") });
  fc.assert(
    fc.property(fc.integer(), fc.array(text), (seed, names) => {
      const index = new NameIndex(seed >>> 0);
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

test("one name that begins as another, or whose bytes are another's characters, is not that one", () => {
  const index = new NameIndex(0);
  const names = ["", "nas", "nas2", "na", "ü", "Ã¼", "ü2"];
  for (const [row, name] of names.entries()) {
    expect(index.find(name)).toBeUndefined();
    expect(index.add(name)).toBe(row);
  }
  for (const [row, name] of names.entries()) expect(index.find(name)).toBe(row);
});

test("a hundred thousand names are all found, and no other", () => {
  const index = new NameIndex(0xffff_ffff);
  for (let row = 0; row < 100_000; row++) index.add(`host-${row}`);
  for (let row = 0; row < 100_000; row++) {
    if (index.find(`host-${row}`) !== row) throw new Error(`host-${row} is not in its row`);
    if (index.nameOf(row) !== `host-${row}`) throw new Error(`row ${row} has another name`);
  }
  expect(index.find("host-100000")).toBeUndefined();
  expect(index.find("host-")).toBeUndefined();
});
