import { expect, test } from "bun:test";

import { keyring } from "../../src/protocol/keyring.ts";
import { deriveKey, encodePing, NO_COOKIE } from "../../src/protocol/message.ts";
import { newHash } from "../host-table.ts";

const SECRET = new Uint8Array(32).fill(1);
const NUMBER = "0123456789abcdef";

/** A keyring with the names that it derived a key for. */
function newKeyring(hashOf = hashBySeed()) {
  const derived: string[] = [];
  const keyIfMac = keyring((name) => {
    derived.push(name);
    return deriveKey(SECRET, name, 1);
  }, hashOf);
  return { keyIfMac, derived };
}

function hashBySeed(): (name: string) => number {
  const hash = newHash(1);
  return (name) => hash.of(name);
}

/** A ping by the key that `name` has in this generation. */
function pingOf(name: string, generation = 1): Uint8Array {
  const ping = { name, counter: NUMBER, nonce: NUMBER, cookie: NO_COOKIE };
  return encodePing(ping, deriveKey(SECRET, name, generation));
}

test("a datagram with a right MAC brings its name's key, and with a wrong one none", () => {
  const { keyIfMac } = newKeyring();
  for (let round = 0; round < 3; round++) {
    expect(keyIfMac("nas", pingOf("nas", 2))).toBeUndefined();
    expect(keyIfMac("nas", pingOf("nas"))).toEqual(deriveKey(SECRET, "nas", 1));
    expect(keyIfMac("pi", pingOf("nas"))).toBeUndefined();
  }
});

test("names that share a slot have each its own key", () => {
  const { keyIfMac, derived } = newKeyring(() => 7);
  for (const name of ["nas", "pi", "nas", "nas"]) {
    expect(keyIfMac(name, pingOf(name))).toEqual(deriveKey(SECRET, name, 1));
    expect(keyIfMac("forged", pingOf(name))).toBeUndefined();
  }
  expect(derived.filter((name) => name !== "forged")).toEqual(["nas", "pi", "nas"]);
});

test("20,000 names with wrong MACs make it derive no honest name's key again", () => {
  const { keyIfMac, derived } = newKeyring();
  keyIfMac("nas", pingOf("nas"));
  const forged = pingOf("nas", 2);
  for (let i = 0; i < 20_000; i++) keyIfMac(`made-up-${i}`, forged);
  keyIfMac("nas", forged);
  keyIfMac("nas", pingOf("nas"));
  expect(derived.filter((name) => name === "nas")).toEqual(["nas"]);
  expect(derived.length).toBe(20_001);
});
