/** What an HTTP request says, as far as it is used. Hostile input is a value, not an exception. Pure. */
import { canonicalAddress, isLoopback } from "../protocol/address.ts";
import { isSignedName } from "../protocol/message.ts";

/** A request's target. */
export interface Target {
  /** Begins with a slash; not decoded. Empty where the target has none. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/**
 * Splits a target. Bun's `req.url` is a URL only where the request has one good Host: without one, as
 * FRITZ!Box and inadyn send HTTP/1.0, or with junk, it is the path alone.
 */
export function parseTarget(url: string): Target {
  const [, path = "", query = ""] = TARGET.exec(url) ?? [];
  return { path, query: new URLSearchParams(query) };
}

/** Who a request says that it is from. */
export interface Credentials {
  /** Undefined where the text is no signed name. */
  readonly name: string | undefined;
  /** The name, where a message may show it. With capitals it may be a password in the wrong place. */
  readonly shownName: string | undefined;
  readonly password: string;
}

/**
 * The name and password of Basic authentication (RFC 7617).
 * @param header the value of Authorization
 * @returns empty credentials, which no name has, for any other value
 */
export function parseCredentials(header: string): Credentials {
  const encoded = BASIC.exec(header)?.[1] ?? "";
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  const user = text.slice(0, Math.max(0, colon));
  const signed = (name: string) => (isSignedName(name) ? name : undefined);
  // As dynip ping lower-cases its name.
  const name = signed(user.toLowerCase());
  return { name, shownName: signed(user), password: text.slice(colon + 1) };
}

/**
 * The address that a request came from. A reverse proxy on this machine appends its own client's to
 * X-Forwarded-For; what any other peer says there, it could have made up.
 * @param peer the address of the connection's other end
 * @param forwarded the value of X-Forwarded-For
 * @returns canonical
 */
export function sourceOf(peer: string, forwarded: string | null): string {
  const address = canonicalAddress(peer) ?? peer;
  if (forwarded === null || !isLoopback(address)) return address;
  const last = forwarded.slice(forwarded.lastIndexOf(",") + 1).trim();
  return canonicalAddress(last) ?? address;
}

/**
 * Whether a browser sent a request for a page or a script: it adds the password that it remembers, so that
 * any page could report an address. Sec-Fetch-Site is `none` where a person typed the address. Browsers
 * leave it out where HTTP is not encrypted (Fetch Metadata, 3); they always send Accept-Language, which
 * no router and no program of ROUTERS.md sends.
 */
export function isFromElsewhere(headers: Pick<Headers, "get">): boolean {
  if (headers.get("origin") !== null) return true;
  const site = headers.get("sec-fetch-site");
  return site === null ? headers.get("accept-language") !== null : site !== "none";
}

/** Scheme and authority, if any, then the path and the query. */
const TARGET = /^(?:[a-z][a-z0-9+.-]*:\/\/[^/?#]*)?(\/[^?#]*)?(?:\?([^#]*))?/i;
const BASIC = /^basic +([a-z0-9+/]+={0,2}) *$/i;
