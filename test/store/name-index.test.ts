import { expect, test } from "bun:test";

import fc from "fast-check";

import { NameHash } from "../../src/name-map.ts";
import { NameIndex } from "../../src/store/name-index.ts";
import { namesOfOneKeyHash, namesOfOneXxHash32 } from "../colliding-names.ts";
import { newHash } from "../host-table.ts";

/** How many other hashes the last index took. */
let taken = 0;

function newIndex(): NameIndex {
  taken = 0;
  return new NameIndex(newHash(1), () => newHash(++taken + 1));
}

test("names have rows in the order in which they were added, as in a Map", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "-", "ß", "漢", "😀", "\0") });
  fc.assert(
    fc.property(fc.integer(), fc.array(text), (seed, names) => {
      const index = new NameIndex(newHash(seed), () => newHash(seed + 1));
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
  const index = newIndex();
  const names = ["", "nas", "nas2", "na", "ü", "Ã¼", "ü2"];
  for (const [row, name] of names.entries()) {
    expect(index.find(name)).toBeUndefined();
    expect(index.add(name)).toBe(row);
  }
  for (const [row, name] of names.entries()) expect(index.find(name)).toBe(row);
});

test("a name that is not Unicode text is refused", () => {
  expect(() => newIndex().add("\ud800")).toThrow(RangeError);
});

/** Indexes the names, and finds each: how often the index took another hash. */
function hashesTaken(names: readonly string[], index = newIndex()): number {
  for (const [row, name] of names.entries()) {
    if (index.add(name) !== row) throw new Error(`${name} has another row`);
  }
  for (const [row, name] of names.entries()) {
    if (index.find(name) !== row) throw new Error(`${name} is not in its row`);
    if (index.nameOf(row) !== name) throw new Error(`row ${row} has another name`);
  }
  return taken;
}

// The index takes another hash when a name needs more than 128 probes.
test("a hundred thousand names are all found, and no other, with 128 probes at most", () => {
  const index = newIndex();
  expect(
    hashesTaken(
      Array.from({ length: 100_000 }, (_, row) => `host-${row}`),
      index,
    ),
  ).toBe(0);
  expect(index.find("host-100000")).toBeUndefined();
  expect(index.find("host-")).toBeUndefined();
});

test("names that are made to collide in xxHash32, whatever its seed is, need 128 probes at most", () => {
  const names = namesOfOneXxHash32();
  for (const seed of [0, 1, 0x1234_5678, 0xffff_ffff]) {
    expect(new Set(names.map((name) => Bun.hash.xxHash32(name, seed))).size).toBe(1);
  }
  expect(hashesTaken(names)).toBe(0);
});

test("names that are made to collide in a Map need 128 probes at most", () => {
  expect(hashesTaken(namesOfOneKeyHash(20_000))).toBe(0);
});

test("names with one of two characters at each place need 128 probes at most", () => {
  const names = Array.from({ length: 2 ** 16 }, (_, bits) =>
    bits.toString(2).padStart(16, "0").replaceAll("0", "a").replaceAll("1", "漢"),
  );
  expect(hashesTaken(names)).toBe(0);
});

test("when a name needs too many probes, the index takes other hashes until none does", () => {
  // A hash by which all names of one length collide.
  const bad = () => new NameHash((array) => array.fill(7));
  taken = 0;
  const index = new NameIndex(bad(), () => (++taken < 3 ? bad() : newHash(1)));
  const names = Array.from({ length: 3000 }, (_, row) => String(row + 1000));
  for (const name of names.slice(0, 128)) index.add(name);
  expect(taken).toBe(0);
  index.add(names[128]!);
  expect(taken).toBe(3);
  for (const name of names.slice(129)) index.add(name);
  for (const [row, name] of names.entries()) expect(index.find(name)).toBe(row);
  expect(index.find("4000")).toBeUndefined();
  expect(taken).toBe(3);
});
