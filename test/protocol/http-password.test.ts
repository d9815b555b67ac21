import { expect, test } from "bun:test";

import { httpPassword, isHttpPassword } from "../../src/protocol/http-password.ts";
import { deriveKey } from "../../src/protocol/message.ts";
import { withoutSecrets } from "../../src/system/redact.ts";

const SECRET = new Uint8Array(32);
const password = httpPassword(deriveKey(SECRET, "nas", 1));

test("the password of nas, with a secret of zeros, is the one that the specification has", () => {
  expect(password).toBe("yKxUGmKiRO7TB_SgDEgA8Q");
});

test("another name, generation or secret has another password", () => {
  const others = [
    deriveKey(SECRET, "nas2", 1),
    deriveKey(SECRET, "nas", 2),
    deriveKey(new Uint8Array(32).fill(1), "nas", 1),
  ].map(httpPassword);
  expect(new Set([password, ...others]).size).toBe(4);
});

test("it alone is right, whatever the length of another text", () => {
  const key = deriveKey(SECRET, "nas", 1);
  expect(isHttpPassword(password, key)).toBe(true);
  const wrong = [
    "",
    "x",
    `${password}=`,
    ` ${password}`,
    password.slice(1),
    password.toUpperCase(),
  ];
  for (const text of [...wrong, "x".repeat(100_000)]) expect(isHttpPassword(text, key)).toBe(false);
  for (let at = 0; at < password.length - 1; at++) {
    const text = `${password.slice(0, at)}${password[at] === "x" ? "y" : "x"}${password.slice(at + 1)}`;
    expect(isHttpPassword(text, key)).toBe(false);
  }
});

test("it is safe in URLs and INI files, and hidden in messages", () => {
  let hidden = 0;
  for (let n = 0; n < 10_000; n++) {
    const one = httpPassword(deriveKey(SECRET, `host-${n}`, 1));
    expect(one).toMatch(/^[A-Za-z0-9_-]{22}$/);
    if (withoutSecrets(`the password is "${one}"`) === 'the password is "(a secret)"') hidden++;
  }
  expect(hidden).toBeGreaterThan(9980);
});
