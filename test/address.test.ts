import { describe, expect, test } from "bun:test";

import { canonicalAddress, familyOf } from "../src/address.ts";

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

describe("what is no address has none", () => {
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
