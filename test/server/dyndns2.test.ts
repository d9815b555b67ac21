/** What routers ask for, and what they are answered. */
import { describe, expect, test } from "bun:test";

import { formatResults, isOwn, parseReport } from "../../src/server/dyndns2.ts";

const SOURCE = "198.51.100.9";
const parse = (query: string, source = SOURCE) =>
  parseReport(new URLSearchParams(query), "nas", source);

describe("hostname", () => {
  test.each([
    ["", ["nas"]],
    ["hostname=", ["nas"]],
    ["hostname=,", ["nas"]],
    ["hostname=nas", ["nas"]],
    ["hostname=NAS.Example.com", ["nas.example.com"]],
    ["hostname=nas,pi", ["nas", "pi"]],
    ["hostname=nas&hostname=pi", ["nas", "pi"]],
    ["hostname=%3Cdomain%3E", ["<domain>"]],
  ])("%j", (query, hostnames) => {
    expect(parse(query).hostnames).toEqual(hostnames);
  });

  test.each([
    ["nas", true],
    ["nas.dyn.example.com", true],
    ["nas.home", true],
    ["nas.example.com.", true],
    ["nas.", false],
    ["nas..", false],
    ["nas.ex ample", false],
    ["nas.<script>", false],
    ["nas2", false],
    ["na", false],
    ["pi", false],
    ["pi.nas", false],
    ["xnas.example.com", false],
    ["*.nas", false],
  ])("%j means nas: %p", (hostname, isNas) => {
    expect(isOwn(hostname, "nas")).toBe(isNas);
  });
});

describe("addresses", () => {
  test.each([
    ["myip=203.0.113.7", ["203.0.113.7"]],
    ["myip=2001:DB8::7", ["2001:db8::7"]],
    ["myip=203.0.113.7,2001:db8::7", ["203.0.113.7", "2001:db8::7"]],
    ["myip=2001:db8::7,203.0.113.7", ["203.0.113.7", "2001:db8::7"]],
    ["myip=203.0.113.7&myipv6=2001:db8::7", ["203.0.113.7", "2001:db8::7"]],
    ["myipv6=2001:db8::7", ["2001:db8::7"]],
    ["myip=::ffff:203.0.113.7", ["203.0.113.7"]],
    ["myip=203.0.113.7,203.0.113.8", ["203.0.113.7"]],
    ["myip=,2001:db8::7", ["2001:db8::7"]],
    ["myip=203.0.113.7,", ["203.0.113.7"]],
    ["myip=2001:db8::/64,203.0.113.7", ["203.0.113.7"]],
    ["myip=203.0.113.7,2001:db8:1:2::/64", ["203.0.113.7"]],
    ["myip=192.168.178.1,2001:db8::7", ["2001:db8::7"]],
    ["myip=203.0.113.7,fe80::1%25eth0", ["203.0.113.7"]],
    ["myip=203.0.113.7,fd00::1", ["203.0.113.7"]],
  ] as [string, string[]][])("%j", (query, addresses) => {
    expect(parse(query).addresses).toEqual(addresses);
  });

  const UNUSABLE = [
    "",
    "myip=",
    "myip=,",
    "myip=%3Cipaddr%3E",
    "myip=10.0.0.1",
    "myip=172.16.0.1",
    "myip=192.168.0.1",
    "myip=100.64.0.1",
    "myip=169.254.0.1",
    "myip=127.0.0.1",
    "myip=0.0.0.0",
    "myip=255.255.255.255",
    "myip=224.0.0.1",
    "myip=::",
    "myip=::1",
    "myip=fe80::1",
    "myip=ff02::1",
    "myip=fd00::1",
    "myip=1.2.3",
    "myip=1.2.3.4.5",
    "myip=01.2.3.4",
    "myip=0x1020304",
    "myip=16909060",
    "myip=1.2.3.4%20",
    "myip=1.2.3.4:80",
    "myip=[2001:db8::1]",
    "myip=2001:db8::/64",
    "myip=example.com",
  ];

  test.each(UNUSABLE)("%j is the address that the request came from", (query) => {
    expect(parse(query).addresses).toEqual([SOURCE]);
    expect(parse(query, "2001:db8::9").addresses).toEqual(["2001:db8::9"]);
    // A server at home may have its router in the same network.
    expect(parse(query, "192.168.178.1").addresses).toEqual(["192.168.178.1"]);
  });

  test.each(UNUSABLE)("%j by way of loopback is no address at all", (query) => {
    for (const source of ["127.0.0.1", "127.1.2.3", "::1"]) {
      expect(parse(query, source).addresses).toEqual([]);
    }
  });
});

test("the answer has a line for each hostname, with the addresses of the request", () => {
  expect(formatResults(["good"], ["203.0.113.7"])).toBe("good 203.0.113.7");
  expect(formatResults(["nochg", "nohost"], ["203.0.113.7", "2001:db8::7"])).toBe(
    "nochg 203.0.113.7,2001:db8::7\nnohost",
  );
});
