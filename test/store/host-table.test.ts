import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import type { HostTable } from "../../src/store/host-table.ts";
import type { Host, Hosts } from "../../src/host.ts";
import { newHostTable } from "../host-table.ts";

const time = fc.integer({ min: 0, max: 4_102_444_800_000 });
const sighting = (address: fc.Arbitrary<string>) =>
  fc
    .record({ address, since: time, lastSeen: time, isClaimed: fc.boolean() })
    .map(({ isClaimed, ...seen }) => (isClaimed ? { ...seen, claimed: true as const } : seen));
const host: fc.Arbitrary<Host> = fc
  .record({
    ipv4: fc.option(sighting(fc.ipV4()), { nil: undefined }),
    ipv6: fc.option(sighting(fc.constantFrom("2001:db8::7", "fe80::1", "::")), { nil: undefined }),
    counter: fc.option(fc.maxSafeNat(), { nil: undefined }),
  })
  .map(({ ipv4, ipv6, counter }) => ({
    ...(ipv4 && { ipv4 }),
    ...(ipv6 && { ipv6 }),
    ...(counter !== undefined && { counter }),
  }));
const name = fc.constantFrom("nas", "pi", "__proto__", "constructor", "", "ß");

function tableOf(hosts: Iterable<[string, Host]>): HostTable {
  const table = newHostTable();
  for (const [one, record] of hosts) table.set(one, record);
  return table;
}

test("it holds what a Map holds, in the same order", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, host), { maxLength: 20 }), (changes) => {
      const map: Hosts = new Map();
      const table = newHostTable();
      for (const [one, record] of changes) {
        map.set(one, record);
        table.set(one, record);
        expect(table.get(one)).toStrictEqual(record);
        expect(table.size).toBe(map.size);
        const signed = [...map.values()].filter(({ counter }) => counter !== undefined);
        expect(table.signedSize).toBe(signed.length);
      }
      expect([...table]).toStrictEqual([...map]);
      expect(table.get("nobody")).toBeUndefined();
    }),
  );
});

test("ten thousand hosts are ten thousand rows", () => {
  const hosts = Array.from({ length: 10_000 }, (_, index): [string, Host] => {
    const ipv4 = { address: `10.1.${index >> 8}.${index & 255}`, since: index, lastSeen: -index };
    const ipv6 = { address: `2001:db8::${index.toString(16)}`, since: 0, lastSeen: index };
    return [`host-${index}`, index % 3 === 0 ? { ipv4, ipv6, counter: index } : { ipv4 }];
  });
  const table = tableOf(hosts);
  expect([...table]).toStrictEqual(hosts);
  expect(table.get("host-9999")).toStrictEqual(hosts[9999]![1]);
});

test("get returns a copy, which a later set does not change", () => {
  const before: Host = { ipv4: { address: "192.0.2.1", since: 1, lastSeen: 1 } };
  const table = tableOf([["nas", before]]);
  const got = table.get("nas");
  table.set("nas", { ipv4: { address: "192.0.2.2", since: 2, lastSeen: 2 } });
  expect(got).toEqual(before);
});

describe("marks", () => {
  const at = (lastSeen: number): Host => ({ ipv4: { address: "192.0.2.1", since: 0, lastSeen } });

  test("are taken once, in their order, with the record as it is by then", () => {
    const table = tableOf([
      ["nas", at(1)],
      ["pi", at(2)],
      ["tv", at(3)],
    ]);
    expect(table.markedSize).toBe(0);
    table.mark("tv");
    table.mark("nas");
    table.mark("tv");
    expect(table.markedSize).toBe(2);
    const taken = table.takeMarked();
    table.set("nas", at(9));
    expect([...taken]).toEqual([
      ["tv", at(3)],
      ["nas", at(9)],
    ]);
    expect(table.markedSize).toBe(0);
    expect([...table.takeMarked()]).toEqual([]);
  });

  test("made while others are taken are for the next time", () => {
    const table = tableOf([["nas", at(1)]]);
    table.mark("nas");
    const taken = table.takeMarked();
    table.mark("nas");
    expect([...taken]).toHaveLength(1);
    expect([...table.takeMarked()]).toHaveLength(1);
  });

  test("of a name that is not there are none", () => {
    const table = newHostTable();
    table.mark("nas");
    expect(table.markedSize).toBe(0);
  });
});

describe("a host that is deleted", () => {
  const at = (lastSeen: number): Host => ({ ipv4: { address: "192.0.2.1", since: 0, lastSeen } });

  test("is gone, and can come back as another one: what remains is what a Map holds", () => {
    const change = fc.tuple(name, fc.option(host, { nil: undefined }));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const map: Hosts = new Map();
        const table = newHostTable();
        for (const [one, record] of changes) {
          if (record) map.set(one, record);
          else map.delete(one);
          if (record) table.set(one, record);
          else table.delete(one);
          expect(table.get(one)).toStrictEqual(map.get(one));
          expect(table.size).toBe(map.size);
          const signed = [...map.values()].filter(({ counter }) => counter !== undefined);
          expect(table.signedSize).toBe(signed.length);
        }
        expect(new Map(table)).toStrictEqual(map);
      }),
    );
  });

  test("loses its mark, and can be marked again", () => {
    const table = tableOf([["nas", at(1)]]);
    table.mark("nas");
    table.delete("nas");
    table.mark("nas");
    expect([...table.takeMarked()]).toEqual([]);
    table.set("nas", at(2));
    table.mark("nas");
    expect([...table.takeMarked()]).toEqual([["nas", at(2)]]);
  });
});
