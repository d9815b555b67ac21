import { describe, expect, test } from "bun:test";
import { BlockList, isIP } from "node:net";

import fc from "fast-check";

import {
  addressFromHex,
  addressToHex,
  canonicalAddress,
  familyOf,
  isAddress,
  isPrivate,
  isUnicast,
} from "../../src/protocol/address.ts";

describe("one text per address", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1", "ipv4"],
    ["::ffff:192.0.2.1", "192.0.2.1", "ipv4"],
    ["::FFFF:192.0.2.1", "192.0.2.1", "ipv4"],
    ["::ffff:c000:201", "192.0.2.1", "ipv4"],
    ["0:0:0:0:0:ffff:c000:0201", "192.0.2.1", "ipv4"],
    ["::ffff:0.0.0.0", "0.0.0.0", "ipv4"],
    ["::ffff:255.255.255.255", "255.255.255.255", "ipv4"],
    ["2001:db8::7", "2001:db8::7", "ipv6"],
    ["2001:0DB8:0000:0000:0000:0000:0000:0007", "2001:db8::7", "ipv6"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", "ipv6"], // RFC 5952, section 4.2.2
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1", "ipv6"], // section 4.2.3
    ["::", "::", "ipv6"],
    ["::1", "::1", "ipv6"],
    ["fe80::1%eth0", "fe80::1", "ipv6"],
    ["fe80::1%12", "fe80::1", "ipv6"],
    // Not mapped addresses, although they look like it.
    ["::ffff:0:192.0.2.1", "::ffff:0:c000:201", "ipv6"],
    ["::192.0.2.1", "::c000:201", "ipv6"],
  ] as const)("%s is %s, %s", (text, canonical, family) => {
    expect(canonicalAddress(text)).toBe(canonical);
    expect(canonicalAddress(canonical)).toBe(canonical);
    expect(familyOf(canonical)).toBe(family);
  });
});

describe("other text is refused", () => {
  test.each([
    "",
    "nas",
    "192.0.2",
    "192.0.2.256",
    "01.2.3.4",
    "::ffff:1.2.3",
    ":::",
    "1::2::3",
    "[::1]",
  ])("%p", (text) => {
    expect(canonicalAddress(text)).toBeUndefined();
  });
});

test.each([
  ["203.0.113.7", "00000000000000000000ffffcb007107"],
  ["0.0.0.0", "00000000000000000000ffff00000000"],
  ["2001:db8::7", "20010db8000000000000000000000007"],
  ["::", "00000000000000000000000000000000"],
  ["::1", "00000000000000000000000000000001"],
  ["1::", "00010000000000000000000000000000"],
  ["2001:db8:1:2:3:4:5:6", "20010db8000100020003000400050006"],
])("%s is %s on the wire, and comes back", (address, hex) => {
  expect(addressToHex(address)).toBe(hex);
  expect(addressFromHex(hex)).toBe(address);
});

test("addresses of private networks and of this machine", () => {
  for (const address of [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.1.1",
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "fd00::1",
    "fe80::1",
  ]) {
    expect([address, isPrivate(address)]).toEqual([address, true]);
  }
  for (const address of [
    "203.0.113.7",
    "172.32.0.1",
    "192.169.0.1",
    "100.128.0.1",
    "2001:db8::1",
    "::2",
  ]) {
    expect([address, isPrivate(address)]).toEqual([address, false]);
  }
});

test("multicast, broadcast and unspecified addresses are not unicast", () => {
  for (const address of [
    "255.255.255.255",
    "224.0.0.1",
    "239.255.255.255",
    "0.0.0.0",
    "::",
    "ff02::1",
  ]) {
    expect([address, isUnicast(address)]).toEqual([address, false]);
  }
  for (const address of ["203.0.113.7", "127.0.0.1", "223.255.255.255", "2001:db8::1", "fe80::1"]) {
    expect([address, isUnicast(address)]).toEqual([address, true]);
  }
});

describe("it agrees with node:net, which takes long to load", () => {
  const changed = fc
    .tuple(
      fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom("fe80::1%eth0", "::ffff:192.0.2.1", "1::8")),
      fc.array(fc.tuple(fc.nat(), fc.nat(1), fc.constantFrom(...":.%0129afFgx []-", "::", "")), {
        maxLength: 3,
      }),
    )
    .map(([text, edits]) =>
      edits.reduce((edited, [at, cut, put]) => {
        const start = at % (edited.length + 1);
        return edited.slice(0, start) + put + edited.slice(start + cut);
      }, text),
    );

  test("on what is an address", () => {
    fc.assert(
      fc.property(changed, (text) => expect(isAddress(text)).toBe(isIP(text) !== 0)),
      { numRuns: 20_000 },
    );
  });

  test("on which addresses are in a network", () => {
    const list = (...subnets: string[]) => {
      const blocks = new BlockList();
      for (const subnet of subnets) {
        const [address = "", prefix] = subnet.split("/");
        blocks.addSubnet(address, Number(prefix), familyOf(address));
      }
      return blocks;
    };
    const privates = list(
      ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"],
      ...["127.0.0.0/8", "::1/128", "fc00::/7", "fe80::/10"],
    );
    const notUnicast = list("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8");
    const octet = fc.oneof(
      fc.nat(255),
      fc.constantFrom(0, 10, 64, 100, 127, 169, 172, 192, 224, 255),
    );
    const group = fc.oneof(
      fc.nat(0xffff),
      fc.constantFrom(0, 1, 0xfbff, 0xfc00, 0xfe80, 0xfebf, 0xff00),
    );
    const address = fc.oneof(
      fc.tuple(octet, octet, octet, octet).map((octets) => octets.join(".")),
      fc
        .array(group, { minLength: 8, maxLength: 8 })
        .map((groups) => groups.map((one) => one.toString(16)).join(":")),
    );
    fc.assert(
      fc.property(address, (text) => {
        const canonical = canonicalAddress(text)!;
        expect(isPrivate(canonical)).toBe(privates.check(canonical, familyOf(canonical)));
        expect(isUnicast(canonical)).toBe(!notUnicast.check(canonical, familyOf(canonical)));
        expect(addressFromHex(addressToHex(canonical))).toBe(canonical);
      }),
      { numRuns: 5000 },
    );
  });
});
