/** What of a request is used, whatever it is. */
import { describe, expect, test } from "bun:test";

import {
  isFromElsewhere,
  parseCredentials,
  parseTarget,
  sourceOf,
} from "../../src/server/http-request.ts";

describe("a target", () => {
  test.each([
    ["http://dyn.example.com/", "/", ""],
    ["http://dyn.example.com/hosts/nas?family=ipv6", "/hosts/nas", "family=ipv6"],
    ["/nic/update?hostname=a&myip=", "/nic/update", "hostname=a&myip="],
    ["/nic/update", "/nic/update", ""],
    ["https://[2001:db8::1]:8080/a?b?c", "/a", "b%3Fc="],
    ["http://user:password@host/a", "/a", ""],
    ["http://host", "", ""],
    ["host:443", "", ""],
    ["", "", ""],
    ["*", "", ""],
    ["//evil/a", "//evil/a", ""],
    ["/a#b?c", "/a", ""],
  ])("%j", (url, path, query) => {
    const target = parseTarget(url);
    expect([target.path, target.query.toString()]).toEqual([path, query]);
  });
});

describe("credentials", () => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
  test.each([
    [basic("nas:secret"), "nas", "nas", "secret"],
    [basic("nas:a:b:"), "nas", "nas", "a:b:"],
    [basic("NAS:secret"), "nas", undefined, "secret"],
    [basic("nas:secret").replace("Basic", "bASIC"), "nas", "nas", "secret"],
    [basic("nas:secret").replace(" ", "  "), "nas", "nas", "secret"],
    [basic("nas:"), "nas", "nas", ""],
    [basic(":secret"), undefined, undefined, "secret"],
    [basic("<b>:secret"), undefined, undefined, "secret"],
    [basic("na\ns:secret"), undefined, undefined, "secret"],
    [basic(`${"x".repeat(129)}:secret`), undefined, undefined, "secret"],
    [basic("nas"), undefined, undefined, "nas"],
    ["", undefined, undefined, ""],
    ["Basic", undefined, undefined, ""],
    ["Basic ", undefined, undefined, ""],
    ["Basic !!!", undefined, undefined, ""],
    [`${basic("nas:secret")}, ${basic("nas:secret")}`, undefined, undefined, ""],
    [basic("nas:secret").replace("Basic", "Bearer"), undefined, undefined, ""],
    ['Digest username="nas"', undefined, undefined, ""],
  ])("%j", (header, name, shownName, password) => {
    expect(parseCredentials(header)).toEqual({ name, shownName, password });
  });

  test("cut base64 is never the whole password", () => {
    const header = basic("nas:secret");
    for (let length = 0; length < header.replace(/=+$/, "").length; length++) {
      const { name, password } = parseCredentials(header.slice(0, length));
      expect(name === "nas" && password === "secret").toBe(false);
    }
  });
});

describe("the source", () => {
  test.each([
    ["203.0.113.7", null, "203.0.113.7"],
    ["::ffff:203.0.113.7", null, "203.0.113.7"],
    ["203.0.113.7", "198.51.100.9", "203.0.113.7"],
    ["10.0.0.1", "198.51.100.9", "10.0.0.1"],
    ["127.0.0.1", "198.51.100.9", "198.51.100.9"],
    ["::ffff:127.0.0.1", "198.51.100.9", "198.51.100.9"],
    ["::1", "2001:DB8::9", "2001:db8::9"],
    ["127.0.0.1", "192.0.2.1, 198.51.100.9", "198.51.100.9"],
    ["127.0.0.1", "192.0.2.1,198.51.100.9 ", "198.51.100.9"],
    ["127.0.0.1", "198.51.100.9, unknown", "127.0.0.1"],
    ["127.0.0.1", "198.51.100.9:1234", "127.0.0.1"],
    ["127.0.0.1", "", "127.0.0.1"],
    ["127.0.0.1", "198.51.100.9,", "127.0.0.1"],
    ["", null, ""],
  ])("of %j with %j is %j", (peer, forwarded, source) => {
    expect(sourceOf(peer, forwarded)).toBe(source);
  });
});

test.each<[boolean, Record<string, string>]>([
  [false, {}],
  [false, { "Sec-Fetch-Site": "none" }],
  [true, { "Sec-Fetch-Site": "cross-site" }],
  [true, { "Sec-Fetch-Site": "same-site" }],
  [true, { "Sec-Fetch-Site": "same-origin" }],
  [true, { "Sec-Fetch-Site": "" }],
  [true, { Origin: "https://evil.example" }],
  [true, { Origin: "null" }],
  [true, { "Accept-Language": "en-US,en;q=0.9" }],
  [false, { "Accept-Language": "en-US,en;q=0.9", "Sec-Fetch-Site": "none" }],
  [true, { Origin: "", "Sec-Fetch-Site": "none" }],
])("from elsewhere: %p, with %j", (expected, headers) => {
  expect(isFromElsewhere(new Headers(headers))).toBe(expected);
});
