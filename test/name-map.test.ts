import { expect, test } from "bun:test";

import fc from "fast-check";

import { NameHash, NameMap } from "../src/name-map.ts";
import { namesOfOneKeyHash, namesOfOneXxHash32 } from "./colliding-names.ts";
import { filledWith, newHash } from "./host-table.ts";

test("a map by name holds what a Map holds, also when names have the same hash", () => {
  const change = fc.tuple(
    fc.constantFrom("set", "delete"),
    fc.constantFrom("", "a", "b", "ab", "ß"),
    fc.nat(),
  );
  fc.assert(
    fc.property(fc.array(change), fc.constantFrom(1, 2, 2 ** 32), (changes, hashes) => {
      const hash = newHash(1);
      const map = new NameMap<number>((name) => hash.of(name) % hashes);
      const wanted = new Map<string, number>();
      for (const [what, name, value] of changes) {
        if (what === "set") {
          map.set(name, value);
          wanted.set(name, value);
        } else {
          map.delete(name);
          wanted.delete(name);
        }
        expect(map.get(name)).toBe(wanted.get(name));
        expect(map.size).toBe(wanted.size);
        expect(new Map(map)).toEqual(wanted);
      }
    }),
  );
});

test("a hash is 32 bits, the same each time, and another one for other random numbers", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string(), (name, other) => {
      const [hash, another] = [newHash(1), newHash(2)];
      const first = hash.of(name);
      expect(first).toBe(first >>> 0);
      hash.of(other);
      expect(hash.of(name)).toBe(first);
      if (name !== "") expect(another.of(name)).not.toBe(first);
    }),
    { seed: 1 },
  );
});

test("every character at every place counts, and so does the length", () => {
  const hash = newHash(1);
  const names = new Set([""]);
  for (const character of ["a", "b", "\u00ff", "\u0100", "\u0200", "漢"]) {
    for (let length = 1; length <= 256; length++) {
      names.add(character.repeat(length));
      names.add(`${"a".repeat(length - 1)}${character}${"a".repeat(256 - length)}`);
    }
  }
  expect(new Set([...names].map((name) => hash.of(name))).size).toBe(names.size);
});

test("names that are made to collide in other hashes have hashes of their own", () => {
  for (const names of [namesOfOneXxHash32(), namesOfOneKeyHash(20_000)]) {
    const hash = new NameHash(filledWith(1));
    // Of 20,000 random numbers of 32 bits two are the same once in 20 sets.
    expect(new Set(names.map((name) => hash.of(name))).size).toBeGreaterThan(names.length - 3);
  }
});
