import { expect, test } from "bun:test";

import { Cookies, EPOCH_MS } from "../../src/protocol/cookie.ts";

const cookies = new Cookies(new Uint8Array(32).fill(7));
const SEEN = 1_763_812_800_000;

test("a cookie is 32 digits, and good only for what it was made for", () => {
  const cookie = cookies.make("ping", "203.0.113.7", "nas", SEEN, 1000);
  expect(cookie).toMatch(/^[0-9a-f]{32}$/);
  expect(cookies.isGood(cookie, "ping", "203.0.113.7", "nas", SEEN, 1000)).toBe(true);
  expect(cookies.isGood(cookie, "ping", "203.0.113.8", "nas", SEEN, 1000)).toBe(false);
  expect(cookies.isGood(cookie, "ping", "203.0.113.7", "pi", SEEN, 1000)).toBe(false);
  expect(cookies.isGood(cookie, "ping", "203.0.113.7", "nas", SEEN + 1, 1000)).toBe(false);
  expect(cookies.isGood(cookie, "ping", "203.0.113.7", "nas", 0, 1000)).toBe(false);
  expect(cookies.isGood("0".repeat(32), "ping", "203.0.113.7", "nas", SEEN, 1000)).toBe(false);
});

test("it is good for 30 to 60 seconds", () => {
  for (const made of [0, 1, EPOCH_MS - 1, EPOCH_MS, 10 * EPOCH_MS + 12_345]) {
    const cookie = cookies.make("ping", "::1", "nas", 0, made);
    expect(cookies.isGood(cookie, "ping", "::1", "nas", 0, made + 30_000)).toBe(true);
    expect(cookies.isGood(cookie, "ping", "::1", "nas", 0, made + 60_000)).toBe(false);
    expect(cookies.isGood(cookie, "ping", "::1", "nas", 0, made - EPOCH_MS)).toBe(false);
  }
});

test("it is good only in the process that made it", () => {
  const restarted = new Cookies(new Uint8Array(32).fill(8));
  const cookie = cookies.make("ping", "::1", "nas", 0, 0);
  expect(restarted.isGood(cookie, "ping", "::1", "nas", 0, 0)).toBe(false);
});
