/** One canonical text per IP address, so that equal addresses are equal strings. */
import { isIP } from "node:net";

export type Family = "ipv4" | "ipv6";

/**
 * The canonical text of an IP address: IPv4 in dotted decimal, IPv6 as RFC 5952 writes it, an
 * IPv4-mapped address (`::ffff:192.0.2.1`) as the IPv4 address it is, and without a zone
 * (`%eth0`), which means nothing on another machine.
 * @returns undefined when `text` is not an IP address
 */
export function canonicalAddress(text: string): string | undefined {
  const address = withoutZone(text);
  // What a dual-stack socket reports for IPv4, the common case, needs no parsing.
  const tail = address.startsWith("::ffff:") ? address.slice(7) : address;
  if (isIP(tail) === 4) return tail;
  if (isIP(address) === 0) return undefined;
  // The URL Standard's serializer is RFC 5952's, but for mapped addresses, which it leaves in hex.
  const host = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (mapped === null) return host;
  const high = Number.parseInt(mapped[1]!, 16);
  const low = Number.parseInt(mapped[2]!, 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** The family of a canonical address. */
export function familyOf(canonical: string): Family {
  return canonical.includes(":") ? "ipv6" : "ipv4";
}

function withoutZone(text: string): string {
  const percent = text.indexOf("%");
  return percent === -1 ? text : text.slice(0, percent);
}
