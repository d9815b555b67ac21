import { expect, test } from "bun:test";

import { ResolverSilentError } from "../../src/client/client.ts";
import { isResolverError, resolve } from "../../src/client/resolve.ts";

/** A label of DNS has 63 bytes at most (RFC 1035, section 2.3.4), so that no network is needed. */
const UNRESOLVABLE = `${"x".repeat(64)}.invalid`;

test("localhost is resolved to an address of loopback", async () => {
  const addresses = await resolve("localhost");
  expect(addresses.some((address) => ["127.0.0.1", "::1"].includes(address))).toBe(true);
  expect(new Set(addresses).size).toBe(addresses.length);
});

test("a name that cannot be resolved rejects with a resolver's error", async () => {
  const error = await resolve(UNRESOLVABLE).then(
    () => undefined,
    (error) => error,
  );
  expect(isResolverError(error)).toBe(true);
});

test("only the resolver's errors are its errors", () => {
  const withCode = (code: string) => Object.assign(new Error(code), { code });
  for (const code of ["ENOTFOUND", "DNS_ENOTFOUND", "EAI_AGAIN", "DNS_ETIMEOUT", "ESERVFAIL"]) {
    expect(isResolverError(withCode(code))).toBe(true);
  }
  expect(isResolverError(new ResolverSilentError())).toBe(true);
  for (const error of [withCode("ENETUNREACH"), withCode("EACCES"), new Error("ENOTFOUND")]) {
    expect(isResolverError(error)).toBe(false);
  }
});
