import { expect, test } from "bun:test";

import { suggestName } from "../../src/config/keys.ts";
import { isSignedName } from "../../src/protocol/message.ts";

test.each([
  ["Kris's MacBook", "kris-macbook"],
  ["Kris’s MacBook Pro (2)", "kris-macbook-pro-2"],
  ["NAS", "nas"],
  ["DESKTOP-AB12CD", "desktop-ab12cd"],
  ["my nas", "my-nas"],
  ["Büro.local", "buro.local"],
  ["-nas.", "nas"],
  ["ｎａｓ", "nas"],
  ["a".repeat(200), "a".repeat(128)],
  [`${"a".repeat(127)} b`, "a".repeat(127)],
] as [string, string][])("for %j it suggests %p", (name, suggestion) => {
  expect(suggestName(name)).toBe(suggestion);
  expect(isSignedName(suggestion)).toBe(true);
});

test.each(["", "'s", "家", "---"])("for %j it has no suggestion", (name) => {
  expect(suggestName(name)).toBeUndefined();
});
