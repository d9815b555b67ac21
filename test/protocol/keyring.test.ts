import { expect, test } from "bun:test";

import { keyring } from "../../src/protocol/keyring.ts";
import { deriveKey } from "../../src/protocol/message.ts";

const SECRET = new Uint8Array(32).fill(1);

test("each name has the key of its generation, the first time and later", () => {
  const keyOf = keyring(SECRET, new Map([["laptop", 2]]));
  for (let round = 0; round < 2; round++) {
    expect(keyOf("nas")).toEqual(deriveKey(SECRET, "nas", 1));
    expect(keyOf("laptop")).toEqual(deriveKey(SECRET, "laptop", 2));
  }
});

test("20,000 made-up names change no other name's key", () => {
  const keyOf = keyring(SECRET, new Map());
  const nas = keyOf("nas");
  for (let i = 0; i < 20_000; i++) keyOf(`made-up-${i}`);
  expect(keyOf("nas")).toEqual(nas);
});
