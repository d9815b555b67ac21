import { expect, test } from "bun:test";

import type { Host } from "../../src/host.ts";
import { LookAlikes } from "../../src/store/look-alikes.ts";
import { newHostTable } from "../host-table.ts";

const PLAIN: Host = { ipv4: { address: "192.0.2.1", since: 0, lastSeen: 0 } };
const SIGNED: Host = { ...PLAIN, counter: 1 };

function learn(...hosts: [string, Host][]) {
  const table = newHostTable();
  const alikes = new LookAlikes(table);
  return hosts.map(([name, host]) => {
    table.set(name, host);
    return alikes.add(name, host);
  });
}

test("plain names go when the signed name that they look like comes", () => {
  const found = learn(
    ["Kris-PC", PLAIN],
    ["KRIS-PC", PLAIN],
    ["other", PLAIN],
    ["kris-pc", SIGNED],
  );
  expect(found).toEqual([
    undefined,
    undefined,
    undefined,
    { plain: ["Kris-PC", "KRIS-PC"], signed: "kris-pc" },
  ]);
});

test("a plain name that comes later goes at once", () => {
  expect(learn(["kris-pc", SIGNED], ["Kris-PC", PLAIN])[1]).toEqual({
    plain: ["Kris-PC"],
    signed: "kris-pc",
  });
});

test("a plain name beside another plain one stays, and so does one that looks like no signed name", () => {
  expect(learn(["kris-pc", PLAIN], ["Kris-PC", PLAIN], ["büro", PLAIN], ["BÜRO", PLAIN])).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
