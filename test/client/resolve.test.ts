import { expect, test } from "bun:test";

import { ResolverSilentError } from "../../src/client/client.ts";
import { isResolverError, resolver } from "../../src/client/resolve.ts";

/** A label of DNS has 63 bytes at most (RFC 1035, section 2.3.4), so that no network is needed. */
const UNRESOLVABLE = `${"x".repeat(64)}.invalid`;

test.each(["192.0.2.1", "2001:db8::1", "fe80::1%eth0"])(
  "%s is its own address",
  async (address) => {
    expect(await resolver(() => expect.unreachable())(address)).toEqual([address]);
  },
);

test("localhost is resolved to an address of loopback", async () => {
  const addresses = await resolver(() => expect.unreachable())("localhost");
  expect(addresses.some((address) => ["127.0.0.1", "::1"].includes(address))).toBe(true);
});

test("a name that cannot be resolved rejects every time, and is said once", async () => {
  const said: string[] = [];
  const resolve = resolver((host) => said.push(host));
  for (let i = 0; i < 3; i++) {
    const error = await resolve(UNRESOLVABLE).then(
      () => undefined,
      (error) => error,
    );
    expect(isResolverError(error)).toBe(true);
  }
  expect(said).toEqual([UNRESOLVABLE]);
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
