import { describe, expect, test } from "bun:test";

import {
  cutUtf8,
  decode,
  DEFAULT_PORT,
  encodePlain,
  isPlainName,
  MAX_NAME_BYTES,
} from "../src/protocol.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

test("the port and the longest name are DynIP 0.1e's", () => {
  expect(DEFAULT_PORT).toBe(28630);
  expect(MAX_NAME_BYTES).toBe(256);
});

describe("a plain ping is the name's bytes and nothing more", () => {
  const names = [
    "nas",
    "NAS",
    "attic-pi.local",
    "büro",
    "家",
    "a".repeat(256),
    "é".repeat(128),
    "🏠".repeat(64),
    "__proto__",
    "constructor",
    "toString",
    "10",
    "1e3",
    '"]}',
    "<img/onerror=x>",
    "../../etc/x",
    "=cmd()",
    "dynip",
    "Dynip/1",
  ];
  test.each(names)("%p", (name) => {
    const datagram = encodePlain(name);
    expect(Buffer.from(datagram).toString("hex")).toBe(Buffer.from(name).toString("hex"));
    expect(decode(datagram)).toEqual({ type: "plain", name });
  });
});

describe("a name over 256 bytes is cut at a character boundary", () => {
  test.each([
    ["257 bytes", "a".repeat(257), "a".repeat(256)],
    ["the largest datagram", "a".repeat(65_507), "a".repeat(256)],
    ["a two-byte character across byte 256", "a".repeat(255) + "é", "a".repeat(255)],
    ["a two-byte character that ends at byte 256", "a".repeat(254) + "éé", "a".repeat(254) + "é"],
    ["a three-byte character with one byte inside", "a".repeat(255) + "家", "a".repeat(255)],
    ["a four-byte character with three bytes inside", "a".repeat(253) + "🏠", "a".repeat(253)],
  ])("%s", (_what, sent, name) => {
    expect(decode(utf8(sent))).toEqual({ type: "plain", name });
  });

  test("bytes after the cut are not looked at", () => {
    const datagram = Buffer.concat([Buffer.from("a".repeat(256)), Buffer.from([0xff, 0x00])]);
    expect(decode(datagram)).toEqual({ type: "plain", name: "a".repeat(256) });
  });
});

describe("what is not a name is dropped, with a reason", () => {
  test.each([
    ["no byte at all", Buffer.alloc(0), "empty"],
    ["one NUL byte", Buffer.from([0]), "not a name"],
    ["ff fe, which killed DynIP 0.1e", Buffer.from([0xff, 0xfe]), "not UTF-8"],
    [
      "a STUN Binding request (RFC 8489)",
      Buffer.from("000100002112a442000102030405060708090a0b", "hex"),
      "not UTF-8",
    ],
    ["an overlong encoding of /", Buffer.from([0xc0, 0xaf]), "not UTF-8"],
    ["a surrogate", Buffer.from([0xed, 0xa0, 0x80]), "not UTF-8"],
    ["300 continuation bytes", Buffer.alloc(300, 0x80), "not UTF-8"],
    ["a character cut off at the end", Buffer.from([0x61, 0xc3]), "not UTF-8"],
    ["a space", utf8("a b"), "not a name"],
    ["a no-break space", utf8("a\u00a0b"), "not a name"],
    ["ESC", utf8("\x1b[31mred"), "not a name"],
    ["a C1 control", utf8("a\u009b31m"), "not a name"],
    ["CR", utf8("a\rb"), "not a name"],
    ["LF", utf8("nas\n"), "not a name"],
    ["TAB", utf8("a\tb"), "not a name"],
    ["DEL", utf8("a\x7f"), "not a name"],
    ["U+202E, which turns text around", utf8("a\u202eb"), "not a name"],
    ["U+2028", utf8("a\u2028b"), "not a name"],
    ["a byte order mark", utf8("\ufeffnas"), "not a name"],
    ["a private use character", utf8("a\ue000"), "not a name"],
    ["a character nobody has assigned", utf8("a\u0378"), "not a name"],
    ["the signed prefix alone", utf8("dynip/"), "signed"],
    ["a signed ping", utf8("dynip/1 P 000640f8d1c2b3a4"), "signed"],
    ["another version", utf8("dynip/2"), "signed"],
    [
      "the signed prefix and bytes that are not UTF-8",
      Buffer.from("dynip/\xff", "latin1"),
      "signed",
    ],
  ] as const)("%s", (_what, datagram, reason) => {
    expect(decode(datagram)).toEqual({ type: "dropped", reason });
  });
});

test("no datagram of up to two bytes makes decode throw, and what it takes encodes back", () => {
  let plain = 0;
  for (let first = 0; first < 256; first++) {
    for (let second = -1; second < 256; second++) {
      const datagram = Buffer.from(second < 0 ? [first] : [first, second]);
      const message = decode(datagram);
      if (message.type !== "plain") continue;
      plain++;
      expect(Buffer.from(encodePlain(message.name)).equals(datagram)).toBe(true);
    }
  }
  // 94 printable ASCII characters, their pairs, and the two-byte characters that may stand in names.
  expect(plain).toBeGreaterThan(94 + 94 * 94);
});

test.each(["", "a b", "a\n", "dynip/1", "a".repeat(257), "\ud800"])(
  "%p is no name, and is not sent",
  (name) => {
    expect(isPlainName(name)).toBe(false);
    expect(() => encodePlain(name)).toThrow(RangeError);
  },
);

test("cutUtf8 leaves short text alone and never looks behind four bytes", () => {
  const short = utf8("é");
  expect(cutUtf8(short, 2)).toBe(short);
  expect(cutUtf8(Buffer.alloc(300, 0x80), 100)).toHaveLength(97);
});
