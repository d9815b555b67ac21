/**
 * Reports of addresses by dyndns2, as routers and their programs send them: what a request asks for, and
 * what it is answered. The protocol is DynDNS's of 2000, known by what clients do (ddclient 3.10 and
 * 3.11, inadyn 2.10, FRITZ!Box, UniFi, OPNsense, pfSense, OpenWrt):
 *
 *     GET /nic/update?hostname=nas&myip=203.0.113.7,2001:db8::7
 *     good 203.0.113.7,2001:db8::7
 *
 * - `hostname` is a list with commas. Absent or empty, it is the user. The user may report for its own
 *   name, and for that with a domain behind it, which means the same.
 * - `myip` and `myipv6` are lists of addresses with commas. What is no address of the internet is passed
 *   over: empty parts, prefixes such as `2001:db8::/64`, private addresses. Where nothing is left, the
 *   address is the one that the request came from.
 * - There is one address of each family, the first that is named.
 *
 * Which statuses make a client give up, and which make it try again: inadyn gives up for good on `911`
 * with status 200 and on any 4xx, and tries again after 503.
 *
 * Pure.
 */
import {
  canonicalAddress,
  familyOf,
  isLoopback,
  isPrivate,
  isUnicast,
} from "../protocol/address.ts";

/** What a request asks for. */
export interface Report {
  /** The names as the request has them, one at least. */
  readonly hostnames: readonly string[];
  /** Canonical, at most one in each family, IPv4 first; empty where none can be used. */
  readonly addresses: readonly string[];
}

/** What became of one hostname. nohost: it is not the user's. */
export type Result = "good" | "nochg" | "nohost";

/**
 * What a request asks for.
 * @param query the parameters of its target, and of a form in its body
 * @param user the signed name that it has the password of
 * @param source the address that it came from, canonical
 */
export function parseReport(query: URLSearchParams, user: string, source: string): Report {
  const hostnames = listOf(query, "hostname").map((name) => name.toLowerCase());
  const named = [...listOf(query, "myip"), ...listOf(query, "myipv6")]
    .map((text) => (text.includes("/") ? undefined : canonicalAddress(text)))
    .filter((address) => address !== undefined && isUnicast(address) && !isPrivate(address));
  const isUsable = isUnicast(source) && !isLoopback(source);
  const all = named.length > 0 ? named : isUsable ? [source] : [];
  const first = (family: "ipv4" | "ipv6") => all.find((address) => familyOf(address!) === family);
  return {
    hostnames: hostnames.length > 0 ? hostnames : [user],
    addresses: [first("ipv4"), first("ipv6")].filter((address) => address !== undefined),
  };
}

/** Whether a hostname of a request means the user: its name, or that and a domain. */
export function isOwn(hostname: string, user: string): boolean {
  if (hostname === user) return true;
  return hostname.startsWith(`${user}.`) && DOMAIN.test(hostname.slice(user.length + 1));
}

/** The body that answers a request: a line for each hostname, in order. */
export function formatResults(results: readonly Result[], addresses: readonly string[]): string {
  const list = addresses.join(",");
  return results.map((result) => (result === "nohost" ? result : `${result} ${list}`)).join("\n");
}

const DOMAIN = /^(?:[a-z0-9_-]+\.)*[a-z0-9_-]+\.?$/;

/** The parts of all parameters of this name, without the empty ones. */
function listOf(query: URLSearchParams, name: string): string[] {
  const parts = query.getAll(name).flatMap((value) => value.split(","));
  return parts.filter((part) => part !== "");
}
