import { describe, expect, test } from "bun:test";

import { addressFromHex, addressToHex } from "../../src/protocol/address.ts";
import {
  cutUtf8,
  decode,
  decodeAnswer,
  decodeCounter,
  decodeKey,
  decodeReply,
  DEFAULT_PORT,
  deriveKey,
  encodeAnswer,
  encodeCounter,
  encodeKey,
  encodePing,
  encodePlain,
  encodeQuestion,
  encodeReply,
  hasMac,
  isPlainName,
  isSignedName,
  LONGEST_AGE,
  MAX_NAME_BYTES,
  type Place,
  type Question,
  type Reply,
} from "../../src/protocol/message.ts";
import vectors from "../vectors.json";

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
  test.each([...names, "\u2801", "ñ", "n\u0303", "ｎａｓ", "か\u3099"])("%p", (name) => {
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
    ["an unassigned character", utf8("a\u0378"), "not a name"],
    ["U+034F, which joins graphemes and shows nothing", utf8("n\u034fas"), "not a name"],
    ["U+FE0F, a variation selector", utf8("nas\ufe0f"), "not a name"],
    ["U+E0100, one of the others", utf8("nas\u{e0100}"), "not a name"],
    ["U+3164, a filler that is a letter", utf8("\u3164nas"), "not a name"],
    ["U+115F, another one", utf8("nas\u115f"), "not a name"],
    ["U+FFA0, its narrow twin", utf8("nas\uffa0"), "not a name"],
    ["U+2800, a symbol that is blank", utf8("nas\u2800"), "not a name"],
    ["U+16FE4, a blank letter", utf8("nas\u{16fe4}"), "not a name"],
    ["U+13441 and U+13442, blank hieroglyphs", utf8("\u{13441}\u{13442}"), "not a name"],
    ["U+1D159, a note without a head", utf8("nas\u{1d159}"), "not a name"],
    ["U+FFFC, which stands for an object", utf8("nas\ufffc"), "not a name"],
    ["the signed prefix alone", utf8("dynip/"), "malformed"],
    ["the beginning of a signed ping", utf8("dynip/1 P 000640f8d1c2b3a4"), "malformed"],
    ["another version", utf8("dynip/2"), "malformed"],
    [
      "the signed prefix and bytes that are not UTF-8",
      Buffer.from("dynip/\xff", "latin1"),
      "malformed",
    ],
  ] as const)("%s", (_what, datagram, reason) => {
    expect(decode(datagram)).toEqual({ type: "dropped", reason });
  });
});

test("no datagram of up to two bytes makes decode throw, and what it accepts encodes back", () => {
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
  // 94 printable ASCII characters, their pairs, and the two-byte characters that names may have.
  expect(plain).toBeGreaterThan(94 + 94 * 94);
});

test.each(["", "a b", "a\n", "dynip/1", "a".repeat(257), "\ud800"])(
  "%p is no name, and is not sent",
  (name) => {
    expect(isPlainName(name)).toBe(false);
    expect(() => encodePlain(name)).toThrow(RangeError);
  },
);

test("cutUtf8 leaves short text alone and cuts at most three bytes more", () => {
  const short = utf8("é");
  expect(cutUtf8(short, 2)).toBe(short);
  expect(cutUtf8(Buffer.alloc(300, 0x80), 100)).toHaveLength(97);
});

const SECRET = Buffer.from(vectors.secret, "hex");
const NAS = deriveKey(SECRET, "nas", 1);
const GOOD = Buffer.from(vectors.pings[0]!.datagram);

describe("the test vectors, made by another implementation", () => {
  test.each(vectors.keys)("the key of $name, generation $generation", (vector) => {
    const key = deriveKey(SECRET, vector.name, vector.generation);
    expect(Buffer.from(key).toString("hex")).toBe(vector.key);
  });

  test.each(vectors.pings)("ping: $why", ({ name, counter, nonce, cookie, datagram }) => {
    const key = deriveKey(SECRET, name, 1);
    const ping = { name, counter, nonce, cookie };
    expect(Buffer.from(encodePing(ping, key)).toString()).toBe(datagram);
    expect(decode(Buffer.from(datagram))).toEqual({ type: "signed", ping });
    expect(hasMac(Buffer.from(datagram), key)).toBe(true);
  });

  test.each(vectors.replies)(
    "reply: $why",
    ({ type, counter, nonce, cookie, address, datagram }) => {
      const value = cookie ?? addressToHex(address!);
      const reply = { type: type as Reply["type"], counter, nonce, value };
      expect(Buffer.from(encodeReply(reply, NAS)).toString()).toBe(datagram);
      expect(decodeReply(Buffer.from(datagram))).toEqual(reply);
      expect(hasMac(Buffer.from(datagram), NAS)).toBe(true);
      if (address) expect(addressFromHex(value)).toBe(address);
    },
  );

  test.each(vectors.rejected)("rejected: $why", ({ datagram }) => {
    const bytes = Buffer.from(datagram);
    const message = decode(bytes);
    expect(message.type).not.toBe("plain");
    const isGood =
      message.type === "signed" && hasMac(bytes, deriveKey(SECRET, message.ping.name, 1));
    expect(isGood).toBe(false);
  });
});

const SPARE: Question = {
  asker: "phone",
  name: "nas",
  nonce: "0123456789abcdef",
  cookie: "0".repeat(32),
};

describe("the test vectors of questions and answers", () => {
  test.each(vectors.questions)("question: $why", ({ asker, name, nonce, cookie, datagram }) => {
    const key = deriveKey(SECRET, asker, 1);
    const question = { asker, name, nonce, cookie };
    expect(Buffer.from(encodeQuestion(question, key)).toString()).toBe(datagram);
    expect(datagram).toHaveLength(352);
    expect(decode(Buffer.from(datagram))).toEqual({ type: "question", question });
    expect(hasMac(Buffer.from(datagram), key)).toBe(true);
  });

  test.each(vectors.answers)("answer: $why", ({ asker, nonce, signed, ipv4, ipv6, datagram }) => {
    const key = deriveKey(SECRET, asker, 1);
    const place = (given: typeof ipv4 | undefined) =>
      given ? { address: given.address, age: given.seen, stay: given.there } : undefined;
    const answer = { nonce, isSigned: signed, ipv4: place(ipv4), ipv6: place(ipv6) };
    expect(Buffer.from(encodeAnswer(answer, key)).toString()).toBe(datagram);
    expect(datagram).toHaveLength(163);
    const fits = (given: Place | undefined) =>
      given && {
        ...given,
        age: Math.min(given.age, LONGEST_AGE),
        stay: Math.min(given.stay, LONGEST_AGE),
      };
    const decoded = { ...answer, ipv4: fits(answer.ipv4), ipv6: fits(answer.ipv6) };
    expect(decodeAnswer(Buffer.from(datagram))).toEqual(decoded);
    expect(Buffer.from(encodeAnswer(decoded, key)).toString()).toBe(datagram);
    expect(hasMac(Buffer.from(datagram), key)).toBe(true);
  });

  test.each(vectors.rejectedQuestions)("rejected question: $why", ({ why, datagram }) => {
    const bytes = Buffer.from(datagram);
    const message = decode(bytes);
    const isQuestion = message.type === "question";
    if (!isQuestion) expect(message).toEqual({ type: "dropped", reason: "malformed" });
    // The last one is a question with the key of generation 1, where the asker is at 2.
    const generation = why.startsWith("an older generation") ? 2 : 1;
    const key = isQuestion && deriveKey(SECRET, message.question.asker, generation);
    expect(key && hasMac(bytes, key)).toBe(false);
  });

  test.each(vectors.rejectedAnswers)("rejected answer: $why", ({ datagram }) => {
    const bytes = Buffer.from(datagram);
    const answer = decodeAnswer(bytes);
    const key = deriveKey(SECRET, SPARE.asker, 1);
    expect(answer?.nonce === SPARE.nonce && hasMac(bytes, key)).toBe(false);
  });

  test("neither is a ping or a reply, and a question is longer than each thing that it may bring", () => {
    for (const { datagram } of vectors.questions) {
      expect(decodeReply(Buffer.from(datagram))).toBeUndefined();
      expect(decodeAnswer(Buffer.from(datagram))).toBeUndefined();
    }
    for (const { datagram } of vectors.answers) {
      expect(decode(Buffer.from(datagram))).toEqual({ type: "dropped", reason: "malformed" });
      expect(decodeReply(Buffer.from(datagram))).toBeUndefined();
    }
    for (const { datagram } of vectors.replies) {
      expect(decodeAnswer(Buffer.from(datagram))).toBeUndefined();
    }
  });
});

describe("of a good question and of a good answer", () => {
  const question = Buffer.from(vectors.questions[0]!.datagram);
  const answer = Buffer.from(vectors.answers[0]!.datagram);
  const isQuestion = (bytes: Uint8Array): boolean => {
    const message = decode(bytes);
    return (
      message.type === "question" && hasMac(bytes, deriveKey(SECRET, message.question.asker, 1))
    );
  };
  const isAnswer = (bytes: Uint8Array): boolean =>
    decodeAnswer(bytes) !== undefined && hasMac(bytes, deriveKey(SECRET, "phone", 1));

  test.each([
    ["question", question, isQuestion],
    ["answer", answer, isAnswer],
  ])("no bit of the %s can be flipped, no byte be cut or added", (_what, good, isGood) => {
    expect(isGood(good)).toBe(true);
    for (let bit = 0; bit < good.length * 8; bit++) {
      const flipped = Buffer.from(good);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(isGood(flipped)).toBe(false);
      // Where the prefix is broken it may be a plain ping.
      if (bit >= "dynip/".length * 8) expect(decode(flipped).type).not.toBe("plain");
    }
    for (let length = 0; length < good.length; length++) {
      expect(isGood(good.subarray(0, length))).toBe(false);
    }
    for (let byte = 0; byte < 256; byte++) {
      expect(isGood(Buffer.concat([good, Buffer.from([byte])]))).toBe(false);
    }
  });

  // The MAC is right: what is refused is the form.
  test.each([
    ["a flag for nothing known", " 1 ", `${"0".repeat(32)} 00000000 00000000`, undefined],
    ["an age of no address", " 0 ", `${"0".repeat(32)} 00000001 00000000`, undefined],
    ["an IPv6 address for IPv4", " 0 ", `20010db8${"0".repeat(24)} 00000000 00000000`, undefined],
    [
      "an IPv4 address for IPv6",
      " 0 ",
      undefined,
      `${"0".repeat(20)}ffffcb007107 00000000 00000000`,
    ],
  ])("an answer is refused with %s", (_what, flag, ipv4, ipv6) => {
    const none = `${"0".repeat(32)} 00000000 00000000`;
    const text = `dynip/1 R ${SPARE.nonce}${flag}${ipv4 ?? none} ${ipv6 ?? none} ${"0".repeat(32)}`;
    expect(text).toHaveLength(163);
    expect(decodeAnswer(Buffer.from(text))).toBeUndefined();
  });
});

test("ages are whole seconds, 0 at least", () => {
  const key = deriveKey(SECRET, "phone", 1);
  const round = (age: number) => {
    const ipv4 = { address: "203.0.113.7", age, stay: age };
    const answer = { nonce: SPARE.nonce, isSigned: true, ipv4, ipv6: undefined };
    return decodeAnswer(encodeAnswer(answer, key))!.ipv4;
  };
  for (const [age, whole] of [
    [-1, 0],
    [0.9, 0],
    [59.99, 59],
    [LONGEST_AGE - 1, LONGEST_AGE - 1],
    [LONGEST_AGE + 1, LONGEST_AGE],
    [Number.POSITIVE_INFINITY, LONGEST_AGE],
  ] as const) {
    expect(round(age)).toEqual({ address: "203.0.113.7", age: whole, stay: whole });
  }
  expect(() => round(Number.NaN)).toThrow(RangeError);
});

test("malformed questions and answers are not signed", () => {
  const key = deriveKey(SECRET, "phone", 1);
  for (const wrong of [
    { asker: "PHONE" },
    { asker: "" },
    { name: "nas." },
    { name: "a".repeat(129) },
    { asker: "a".repeat(129), name: "a" },
    { nonce: "0".repeat(15) },
    { cookie: "0".repeat(33) },
  ]) {
    expect(() => encodeQuestion({ ...SPARE, ...wrong }, key)).toThrow(RangeError);
  }
  const nothing = { nonce: SPARE.nonce, isSigned: false, ipv4: undefined, ipv6: undefined };
  expect(encodeAnswer(nothing, key)).toHaveLength(163);
  const place = { address: "2001:db8::7", age: 0, stay: 0 };
  for (const wrong of [{ isSigned: true }, { ipv4: place }, { nonce: "" }]) {
    expect(() => encodeAnswer({ ...nothing, ...wrong }, key)).toThrow(RangeError);
  }
});

describe("of a good ping", () => {
  test("no part is a ping, nor is it with one byte more", () => {
    for (let length = 0; length < GOOD.length; length++) {
      const message = decode(GOOD.subarray(0, length));
      // A shorter datagram may still have the form of a ping. Then its MAC is wrong.
      expect(message.type === "signed" && hasMac(GOOD.subarray(0, length), NAS)).toBe(false);
      if (length >= "dynip/".length)
        expect(message).toEqual({ type: "dropped", reason: "malformed" });
    }
    for (let byte = 0; byte < 256; byte++) {
      const longer = Buffer.concat([GOOD, Buffer.from([byte])]);
      expect(decode(longer)).toEqual({ type: "dropped", reason: "malformed" });
    }
  });

  test("no single bit can be flipped", () => {
    for (let bit = 0; bit < GOOD.length * 8; bit++) {
      const flipped = Buffer.from(GOOD);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const message = decode(flipped);
      if (message.type === "plain") expect(bit).toBeLessThan("dynip/".length * 8);
      const isGood =
        message.type === "signed" && hasMac(flipped, deriveKey(SECRET, message.ping.name, 1));
      expect(isGood).toBe(false);
    }
  });

  test("it is no reply, and a reply is no ping", () => {
    expect(decodeReply(GOOD)).toBeUndefined();
    for (const { datagram } of vectors.replies) {
      expect(decode(Buffer.from(datagram))).toEqual({ type: "dropped", reason: "malformed" });
    }
  });
});

test("malformed fields are not signed", () => {
  const ping = {
    name: "nas",
    counter: "0".repeat(16),
    nonce: "0".repeat(16),
    cookie: "0".repeat(32),
  };
  expect(encodePing(ping, NAS)).toHaveLength(113);
  for (const wrong of [
    { name: "NAS" },
    { name: "" },
    { name: "a b" },
    { counter: "0".repeat(17) },
    { counter: "A".repeat(16) },
    { nonce: "" },
    { cookie: "0".repeat(31) },
  ]) {
    expect(() => encodePing({ ...ping, ...wrong }, NAS)).toThrow(RangeError);
  }
  const reply = { type: "A", counter: "0".repeat(16), nonce: "0".repeat(16), value: "" } as const;
  expect(() => encodeReply(reply, NAS)).toThrow(RangeError);
});

test("signed names", () => {
  for (const name of ["a", "0", "nas", "attic-pi.local", "a_b", "a--b", "a".repeat(128)]) {
    expect(isSignedName(name)).toBe(true);
  }
  for (const name of [
    "",
    "NAS",
    "nas.",
    "-a",
    "a-",
    ".a",
    "_a",
    "a b",
    "é",
    "a\n",
    "a".repeat(129),
  ]) {
    expect(isSignedName(name)).toBe(false);
  }
});

test("counters are 16 digits, and decode to what was encoded", () => {
  for (const counter of [0, 1, 1_763_816_400_000_000, Number.MAX_SAFE_INTEGER]) {
    expect(encodeCounter(counter)).toMatch(/^[0-9a-f]{16}$/);
    expect(decodeCounter(encodeCounter(counter))).toBe(counter);
  }
  expect(decodeCounter("ffffffffffffffff")).toBeGreaterThan(Number.MAX_SAFE_INTEGER);
});

test("secrets and keys are 43 characters of base64url, and nothing else is", () => {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const text = encodeKey(key);
  expect(text).toMatch(/^[\w-]{43}$/);
  expect(decodeKey(text)).toEqual(Buffer.from(key));
  expect(decodeKey(`${text}=`)).toEqual(Buffer.from(key));
  // The last character has two unused bits. Only the encoding with zeros there is accepted.
  const spareBits = text.slice(0, -1) + String.fromCharCode(text.charCodeAt(42) + 1);
  expect(decodeKey(spareBits)).toBeUndefined();
  expect(decodeKey(`${text}A`)).toBeUndefined();
  expect(decodeKey("")).toBeUndefined();
  expect(decodeKey(text.slice(1))).toBeUndefined();
  expect(decodeKey("+".repeat(43))).toBeUndefined();
});
