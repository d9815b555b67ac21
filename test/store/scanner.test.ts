import { expect, test } from "bun:test";

import { encodeClientLog } from "../../src/store/format.ts";
import { scanClientLog } from "../../src/store/scanner.ts";
import type { Hosts } from "../../src/host.ts";

const FOUR = { address: "203.0.113.7", since: 0, lastSeen: 1_795_266_062_123 };
const SIX = { address: "2001:db8::7", since: 951_868_799_999, lastSeen: 4_102_444_800_000 };
const HOSTS: Hosts = new Map([
  ["nas", { ipv4: FOUR }],
  ["attic-pi", { ipv4: FOUR, ipv6: SIX, counter: 2 ** 53 - 1 }],
  ["six", { ipv6: SIX }],
  ["signed", { ipv4: FOUR, counter: 0 }],
  ["signed-six", { ipv6: SIX, counter: 1_795_266_062_123_456 }],
  ['"\\ü漢字😀\u0007', { ipv4: FOUR }],
  ["__proto__", { ipv4: FOUR }],
]);

function encode(hosts: Hosts): string {
  return [...encodeClientLog(hosts)].join("");
}

/** The hosts, or undefined where it is not just as it would be written. */
function scan(bytes: Buffer): Hosts | undefined {
  const hosts: Hosts = new Map();
  return scanClientLog(bytes, hosts) ? hosts : undefined;
}

/** JSON may escape what need not be. */
function withOurEscapes(text: string): string {
  return text.replace(/^"(?:[^"\\]|\\.)*"/gm, (name) => JSON.stringify(JSON.parse(name)));
}

test("what is written is read", () => {
  expect(scan(Buffer.from(encode(HOSTS)))).toStrictEqual(HOSTS);
});

test("what is read would be written with the same bytes: each byte changed, left out, put in", () => {
  const bytes = Buffer.from(encode(HOSTS));
  let read = 0;
  for (let at = 0; at < bytes.length; at++) {
    for (const replacement of ["", "0", "9", "a", "f", '"', ",", "}", " ", "\n", "\\", "\xff"]) {
      for (const cut of [0, 1]) {
        const changed = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from(replacement, "latin1"),
          bytes.subarray(at + cut),
        ]);
        const hosts = scan(changed);
        if (!hosts) continue;
        read++;
        expect(encode(hosts)).toBe(withOurEscapes(changed.toString()));
      }
    }
  }
  expect(read).toBeGreaterThan(bytes.length); // a name, a digit of an address or of a time
});

test.each([
  ["nothing", ""],
  ["no hosts", "{\n}\n"],
  ["a name twice", encode(HOSTS).replace("signed-six", "six")],
  ["a time that there is none of", encode(HOSTS).replace("2000-02-29", "2000-02-30")],
  [
    "an address of the other family",
    encode(HOSTS).replace('ipv6":{"address":"2001:db8::7', 'ipv6":{"address":"1.2.3.4'),
  ],
  ["an address that is not canonical", encode(HOSTS).replace("2001:db8::7", "2001:DB8::7")],
  ["a counter above 2^53 - 1", encode(HOSTS).replace("001fffffffffffff", "0020000000000000")],
  ["a host without an address", '{\n"nas": {}\n}\n'],
  ["a log of DynIP 0.1e", '{"nas": ["203.0.113.7", "2026-11-22 13:07:50.933935"]}'],
  ["the end missing", encode(HOSTS).slice(0, -1)],
  ["something behind the end", `${encode(HOSTS)}\n`],
])("%s is for decodeClientLog", (_, text) => {
  expect(scan(Buffer.from(text))).toBeUndefined();
});
