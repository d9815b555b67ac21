import { describe, expect, test } from "bun:test";

import { decodeClientLog, encodeClientLog } from "../../src/store/format.ts";
import type { Hosts } from "../../src/host.ts";
import { hostsIn } from "../hosts-in.ts";

const T1 = "2026-11-20T08:00:00.000Z";
const T2 = "2026-11-22T13:01:02.123Z";
const since = Date.parse(T1);
const lastSeen = Date.parse(T2);
const four = { address: "203.0.113.7", since, lastSeen };
const six = { address: "2001:db8::7", since, lastSeen };

const encode = (hosts: Hosts): string => [...encodeClientLog(hosts)].join("");
const sighting = (address: string, first = T1, last = T2): string =>
  `{"address":"${address}","since":"${first}","last_seen":"${last}"}`;

test("the log is an object with one line per host", () => {
  const hosts: Hosts = new Map([
    ["nas", { ipv4: four }],
    ["attic-pi", { ipv4: four, ipv6: six }],
    ["six", { ipv6: six }],
    ["signed", { ipv4: four, counter: 0x000640f8d1c2b3a5 }],
    ["router", { ipv4: { ...four, claimed: true }, ipv6: six, counter: 0 }],
  ]);
  const claimed = sighting("203.0.113.7").replace("}", ',"claimed":true}');
  const text = [
    "{",
    `"nas": {"ipv4":${sighting("203.0.113.7")}},`,
    `"attic-pi": {"ipv4":${sighting("203.0.113.7")},"ipv6":${sighting("2001:db8::7")}},`,
    `"six": {"ipv6":${sighting("2001:db8::7")}},`,
    `"signed": {"ipv4":${sighting("203.0.113.7")},"counter":"000640f8d1c2b3a5"},`,
    `"router": {"ipv4":${claimed},"ipv6":${sighting("2001:db8::7")},"counter":"0000000000000000"}`,
    "}",
    "",
  ].join("\n");
  expect(encode(hosts)).toBe(text);
  expect(hostsIn(text)).toEqual(hosts);
  expect(decodeClientLog(text, new Map())).toBe(0);
});

test("a log without hosts is an object, too", () => {
  expect(encode(new Map())).toBe("{\n}\n");
  expect(hostsIn("{\n}\n").size).toBe(0);
});

test("what is read is written again byte for byte, over many slices", () => {
  const hosts: Hosts = new Map();
  for (let i = 0; i < 2000; i++) hosts.set(`host-${i}`, i % 2 ? { ipv4: four } : { ipv6: six });
  const slices = [...encodeClientLog(hosts)];
  expect(slices.length).toBeGreaterThan(5);
  expect(encode(hostsIn(slices.join("")))).toBe(slices.join(""));
});

test("any name is read back, and stays on its line", () => {
  const names = ["__proto__", "constructor", "10", "9", '"]}', "a\\", "a\nb", "\u2028", ""];
  const hosts: Hosts = new Map(names.map((name) => [name, { ipv4: four }]));
  const text = encode(hosts);
  expect(text.split("\n")).toHaveLength(names.length + 3);
  // JSON.parse gives integer-like names first: the order is not kept, the names are.
  expect([...hostsIn(text).keys()].sort()).toEqual(names.sort());
});

describe("a log of DynIP 0.1e is carried over", () => {
  const local = (...parts: [number, number, number, number, number, number, number]): number =>
    new Date(...parts).getTime();
  test.each([
    ["2026-11-22 13:07:50.933935", local(2026, 10, 22, 13, 7, 50, 933)],
    ["2026-11-22 13:07:50", local(2026, 10, 22, 13, 7, 50, 0)], // isoformat() when microseconds are 0
    ["2011-08-01 00:00:00.000001", local(2011, 7, 1, 0, 0, 0, 0)],
  ])("%s is this machine's local time", (time, seen) => {
    const text = `{"nas": ["203.0.113.7", "${time}"]}`;
    const ipv4 = { address: "203.0.113.7", since: seen, lastSeen: seen };
    expect(hostsIn(text)).toEqual(new Map([["nas", { ipv4 }]]));
    expect(decodeClientLog(text, new Map())).toBe(1);
  });

  test("names that 0.1e took, and a ping could not send, are kept", () => {
    const hosts = hostsIn(
      '{"": ["192.0.2.1", "2011-08-01 00:00:00"], "my pc\\n": ["192.0.2.2", "2011-08-01 00:00:00"]}',
    );
    expect([...hosts.keys()]).toEqual(["", "my pc\n"]);
  });
});

const ok = `"a": {"ipv4":${sighting("192.0.2.1")}}`;
const old = '["203.0.113.7", "2026-11-22 13:07:50"]';

describe("a comma behind the last host, which stays when its line is removed by hand, is accepted", () => {
  test.each([
    ["in a log of our own", `{\n${ok},\n}\n`],
    ["without the last newline", `{\n${ok},\n}`],
    ["with spaces around it", `{\n${ok} , \r\n }\n\n`],
    ["in a log on one line", `{${ok},}`],
    [
      "in a log with indentation",
      `${JSON.stringify(JSON.parse(`{${ok}}`), null, 2).slice(0, -2)},\n}`,
    ],
  ])("%s", (_, text) => {
    expect(encode(hostsIn(text))).toBe(`{\n${ok}\n}\n`);
  });

  test("in a log of DynIP 0.1e", () => {
    const text = `{"a": ${old}, "b": ${old},}`;
    expect([...hostsIn(text).keys()]).toEqual(["a", "b"]);
    expect(decodeClientLog(text, new Map())).toBe(2);
  });
});

describe("a host that is there twice is refused: JSON.parse would drop the first record", () => {
  const other = `"b": {"ipv4":${sighting("192.0.2.2")}}`;
  test.each([
    [
      "on its own line",
      `{\n${ok},\n${other},\n${ok}\n}\n`,
      'line 4: host "a" is there a second time',
    ],
    ["before a last comma", `{\n${ok},\n${ok},\n}\n`, 'line 3: host "a" is there a second time'],
    [
      "escaped",
      `{\n${ok},\n${ok.replace("a", "\\u0061")}\n}\n`,
      'line 3: host "a" is there a second time',
    ],
    ["with indentation", `{\n  ${ok},\n  ${ok}\n}`, 'line 3: host "a" is there a second time'],
    ["with another on one line", `{${ok},${ok}}`, 'line 1: host "a" is there a second time'],
    [
      "called address",
      `{\n${ok.replace("a", "address")},\n${ok.replace("a", "address")}\n}`,
      'line 3: host "address" is there a second time',
    ],
  ])("%s", (_, text, problem) => {
    expect(() => hostsIn(text)).toThrow(problem);
  });

  test("a host called address, or with that in its name, is there once", () => {
    const names = ["address", '"address"', '\\"address', "ipv4"];
    const text = encode(new Map(names.map((name) => [name, { ipv4: four, ipv6: six }])));
    expect([...hostsIn(text).keys()]).toEqual(names);
  });
});

describe("a text that is not a log is refused, and the message says where", () => {
  test.each([
    ["", "it is empty"],
    [" \n", "it is empty"],
    ["{", "line 1: the end is missing"],
    [`{\n${ok},\n"b": {"ipv4":{"addr`, "line 3: it is not JSON"],
    [`{\n${ok},\n"b" {},\n"c": {}\n}\n`, "line 3: it is not JSON"],
    [`{\n${ok}\n`, "line 2: the end is missing"],
    [`{\n${ok}\n}\n}\n`, "line 4: there is something behind the end"],
    [`{\n${ok},,\n}\n`, "line 2: a comma without a host"],
    ["{,}", "line 1: a comma without a host"],
    ["{\n,\n}", "line 2: a comma without a host"],
    [`{\n${ok}\n\n"b" {}\n}`, "line 2: the comma at the end is missing"],
    [`{\n\n${ok},\n\n"b" {}\n}`, "line 5: it is not JSON"],
    [`{\n${ok},\n}\n}\n`, "line 4: there is something behind the end"],
    [
      `{\n${ok}\n"b": {"ipv4":${sighting("192.0.2.2")}}\n}\n`,
      "line 2: the comma at the end is missing",
    ],
    [`{\n"a": {"ipv4":${sighting("192.0.2.1", "2026-02-30T08:00:00.000Z")}}\n}`, "ipv4.since is"],
    ['{"a": ["192.0.2.1", "2026-13-01 00:00:00"]}', 'host "a": the time is "2026-13-01T00:00:00Z"'],
    ['{"a": ["192.0.2.1", "2026-02-30 00:00:00"]}', 'host "a": the time is "2026-02-30T00:00:00Z"'],
    ['{"a": ["192.0.2.1", "2026-02-03 25:00:00"]}', 'host "a": the time is "2026-02-03T25:00:00Z"'],
    ['{"nas": ["203.0.113.7", "2026-11', "line 1: it is not JSON"],
    [`{\n${ok},\nnull\n}`, 'line 3: it is not JSON: "name": {…} is expected'],
    [`{\n${ok};\n}`, "line 2: it is not JSON"],
    [`{\n"a\nb": {"ipv4":${sighting("192.0.2.1")}}\n}`, "line 2: it is not JSON"],
    [`{\n"\\x": {"ipv4":${sighting("192.0.2.1")}}\n}`, "line 2: it is not JSON"],
    [`{\n"a": 01,\n${ok}\n}`, "line 2: it is not JSON"],
    [`{\n"a":\n}`, "line 2: it is not JSON"],
    ["{} {}", "line 1: there is something behind the end"],
    ["\ufeff{}", "it begins with a byte order mark"],
    [`{\n"\\ud800": {"ipv4":${sighting("192.0.2.1")}}\n}`, "its name is not Unicode text"],
    ["[]", "it is not a JSON object"],
    ["null", "it is not a JSON object"],
    ['"nas"', "it is not a JSON object"],
    [`{\n${ok},\n"b": 1\n}`, 'line 3: host "b": its record is not an object'],
    [
      `{\n"a": {"ipv4":${sighting("192.0.2.1")},"counter":5}\n}`,
      'host "a": its counter is 5, must be',
    ],
    [`{\n"a": {"ipv4":${sighting("192.0.2.1")},"counter":"5"}\n}`, 'its counter is "5", must be'],
    [
      `{\n"a": {"ipv4":${sighting("192.0.2.1")},"counter":"ffffffffffffffff"}\n}`,
      "must be 16 hexadecimal digits of at most 2^53 - 1",
    ],
    [`{\n"a": {}\n}`, 'line 2: host "a": it has no address'],
    [`{\n"a": {"ipv4": null}\n}`, 'line 2: host "a": its ipv4 record is not an object'],
    [`{\n"a": {"ipv5": {}}\n}`, 'line 2: host "a": its record has an unknown key "ipv5"'],
    [
      `{\n"a": {"ipv4":${sighting("2001:db8::1")}}\n}`,
      'line 2: host "a": its address is "2001:db8::1", must be an IPv4 address',
    ],
    [
      `{\n"a": {"ipv6":${sighting("home")}}\n}`,
      'line 2: host "a": its address is "home", must be an IPv6 address',
    ],
    [
      `{\n"a": {"ipv4":${sighting("192.0.2.1", "yesterday")}}\n}`,
      'line 2: host "a": ipv4.since is "yesterday", must be a time like 2026-11-22T13:01:02.123Z',
    ],
    [
      `{\n"a": {"ipv4":${sighting("192.0.2.1", T1, "2026-13-22T13:01:02.123Z")}}\n}`,
      'ipv4.last_seen is "2026-13-22T13:01:02.123Z"',
    ],
    [
      `{\n"a": {"ipv4":${sighting("192.0.2.1", T1, "2026-11-22T13:01:02")}}\n}`,
      'ipv4.last_seen is "2026-11-22T13:01:02"',
    ],
    [
      `{\n"a": {"ipv4":{"address":"192.0.2.1","since":"${T1}"}}\n}`,
      'host "a": ipv4.last_seen is missing',
    ],
    ...["false", "1", '"true"', "null"].map((value) => [
      `{\n"a": {"ipv4":${sighting("192.0.2.1").replace("}", `,"claimed":${value}}`)}\n}`,
      `line 2: host "a": ipv4.claimed is ${value}, must be true or not there`,
    ]),
    ['{"a": ["192.0.2.1"]}', 'host "a": it is not the address and time that DynIP 0.1e records'],
    ['{"a": ["192.0.2.1", "now"]}', 'host "a": it is not the address and time that DynIP'],
    ['{"a": ["localhost", "2011-08-01 00:00:00"]}', 'host "a": its address is "localhost"'],
  ] as [string, string][])("%j", (text, problem) => {
    expect(() => hostsIn(text)).toThrow(problem);
  });
});
