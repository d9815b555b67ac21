/** One canonical text per IP address, so that equal addresses are equal strings. */
import { BlockList, isIP } from "node:net";

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

/** A canonical address as the wire has it: 16 bytes, IPv4 mapped, in 32 lower-case hex digits. */
export function addressToHex(canonical: string): string {
  if (familyOf(canonical) === "ipv4") {
    const bytes = canonical.split(".").map((byte) => Number(byte).toString(16).padStart(2, "0"));
    return `00000000000000000000ffff${bytes.join("")}`;
  }
  const [head = "", tail] = canonical.split("::");
  const groups = (text: string | undefined): string[] => (text ? text.split(":") : []);
  const zeros = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(zeros).fill("0"), ...groups(tail)];
  return all.map((group) => group.padStart(4, "0")).join("");
}

/** The reverse of {@link addressToHex}: the canonical address of 32 hex digits. */
export function addressFromHex(digits: string): string {
  return canonicalAddress(digits.match(/.{4}/g)!.join(":"))!;
}

/** Addresses that say nothing to somebody elsewhere: RFC 1918, 6598, 3927, 4193, 4291, loopback. */
export function isPrivate(canonical: string): boolean {
  return PRIVATE.check(canonical, familyOf(canonical));
}

/** Whether one host may be there: not everybody (multicast, broadcast) and not nobody. */
export function isUnicast(canonical: string): boolean {
  return !NOT_UNICAST.check(canonical, familyOf(canonical));
}

const PRIVATE = blockList(
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["100.64.0.0", 10],
  ["169.254.0.0", 16],
  ["127.0.0.0", 8],
  ["::1", 128],
  ["fc00::", 7],
  ["fe80::", 10],
);
const NOT_UNICAST = blockList(
  ["0.0.0.0", 8],
  ["224.0.0.0", 4],
  ["255.255.255.255", 32],
  ["::", 128],
  ["ff00::", 8],
);

function blockList(...subnets: [string, number][]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of subnets) list.addSubnet(address, prefix, familyOf(address));
  return list;
}

function withoutZone(text: string): string {
  const percent = text.indexOf("%");
  return percent === -1 ? text : text.slice(0, percent);
}
