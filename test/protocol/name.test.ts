import { expect, test } from "bun:test";

import { foldName, isDnsName } from "../../src/protocol/name.ts";

test.each([
  ["nas", "nas"],
  ["attic-pi.local", "attic-pi.local"],
  ["a_b-9", "a_b-9"],
  ["NAS", "nas"],
  ["Nas.", "nas"],
  ["nas...", "nas"],
  ["naſ", "nas"], // U+017F, a long s
  ["pı", "pi"], // U+0131, an i without a dot
  ["ｎａｓ", "nas"], // full width
  ["ＮＡＳ．", "nas"],
  ["nas…", "nas"], // U+2026, three dots in one
  ["ⁿᵃˢ", "nas"], // raised letters
  ["𝐧𝐚𝐬", "nas"], // letters of mathematics
  ["ⓝⓐⓢ", "nas"], // letters in circles
  ["Ⓝⓐⓢ", "nas"],
  ["oﬃce", "office"], // U+FB03, three letters in one
  ["Ⅷ", "viii"],
  ["10", "10"],
  ["__proto__", "__proto__"],
])("%p is taken for %p", (name, folded) => {
  expect(foldName(name)).toBe(folded);
});

test.each(["büro", "nás", "na\u0301s", "家", "пас", "nas!", "n🏠s", "ﷺ", "㎯"])(
  "%p can be taken for no signed name",
  (name) => expect(foldName(name)).toBeUndefined(),
);

test.each(["nas2", "na", "an-other", "n.as", ".nas"])("%p is another name than nas", (name) => {
  expect(foldName(name)).toBe(name);
});

test("what it gives stays as it is, and the second time it gives the same", () => {
  for (const name of ["ＮＡＳ．", "oﬃce", "ⓝⓐⓢ"]) {
    const folded = foldName(name)!;
    expect(foldName(folded)).toBe(folded);
    expect(foldName(name)).toBe(folded);
  }
});

test("a character at a time it finds all that normalizing the whole name would", () => {
  const whole = (text: string) =>
    text.normalize("NFKC").toUpperCase().toLowerCase().normalize("NFKC").replace(/\.+$/, "");
  // All that have a compatible character in ASCII are in the first two of Unicode's 17 planes.
  for (let code = 0; code < 0x2_0000; code++) {
    if (code === 0xd800) code = 0xe000; // no surrogates
    const name = `n${String.fromCodePoint(code)}s`;
    const folded = whole(name);
    if (foldName(name) !== (/^[a-z0-9._-]+$/.test(folded) ? folded : undefined)) {
      throw new Error(`U+${code.toString(16)}`);
    }
  }
});

const LABEL = "a".repeat(63);

test.each([
  "nas.dyn.example.com",
  "Nas",
  "9.a-b.xn--bro-hoa",
  `${LABEL}.example`,
  [LABEL, LABEL, LABEL, "a".repeat(61)].join("."), // 253 characters
])("%p is a DNS name", (name) => expect(isDnsName(name)).toBe(true));

test.each([
  "",
  "a_b",
  "-a.b",
  "a-.b",
  "a..b",
  ".a",
  "a.",
  "büro.example",
  "a b",
  `${LABEL}a.example`,
  [LABEL, LABEL, LABEL, "a".repeat(62)].join("."),
])("%p is no DNS name", (name) => expect(isDnsName(name)).toBe(false));
