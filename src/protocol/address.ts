/**
 * One canonical text per IP address, so that equal addresses are equal strings. Pure.
 *
 * We parse addresses ourselves: `node:net`, which has isIP, loads fifty modules, 2 ms and 5 MB at every
 * start, and Bun's `URL` accepts `1::2:` (seen in 1.4.5).
 */

export type Family = "ipv4" | "ipv6";

/**
 * The canonical text of an IP address: IPv4 in dotted decimal, IPv6 as RFC 5952 writes it, an
 * IPv4-mapped address (`::ffff:192.0.2.1`) as the IPv4 address, and without a zone (`%eth0`), which
 * means nothing on another machine.
 * @returns undefined when `text` is not an IP address
 */
export function canonicalAddress(text: string): string | undefined {
  const address = withoutZone(text);
  // A dual-stack socket reports IPv4 addresses as mapped ones: the common case, without parsing.
  const tail = address.startsWith("::ffff:") ? address.slice(7) : address;
  if (IPV4.test(tail)) return tail;
  const groups = parseIPv6(address);
  return groups && formatGroups(groups);
}

/** Whether `text` is an IP address; an IPv6 one may have a zone. */
export function isAddress(text: string): boolean {
  const address = withoutZone(text);
  const zone = text.slice(address.length);
  if (zone !== "" && (!ZONE.test(zone) || !address.includes(":"))) return false;
  return canonicalAddress(address) !== undefined;
}

/** The family of a canonical address. */
export function familyOf(canonical: string): Family {
  return canonical.includes(":") ? "ipv6" : "ipv4";
}

/** A canonical address on the wire: 16 bytes, IPv4 mapped, in 32 lower-case hexadecimal digits. */
export function addressToHex(canonical: string): string {
  // One reply needs it twice.
  if (canonical !== last.canonical) last = { canonical, hex: toHex(canonical) };
  return last.hex;
}

function toHex(canonical: string): string {
  if (familyOf(canonical) === "ipv4") {
    return MAPPED_HEX + ipv4ToNumber(canonical).toString(16).padStart(8, "0");
  }
  const groups = parseIPv6(canonical)!;
  return groups.map((group) => group.toString(16).padStart(4, "0")).join("");
}

let last = { canonical: "", hex: "" };

/** The reverse of {@link addressToHex}: the canonical address of 32 hexadecimal digits. */
export function addressFromHex(digits: string): string {
  return formatGroups(digits.match(/.{4}/g)!.map((group) => Number.parseInt(group, 16)));
}

/** A canonical IPv4 address as a number, its first byte highest. */
export function ipv4ToNumber(canonical: string): number {
  let number = 0;
  let byte = 0;
  for (let at = 0; at < canonical.length; at++) {
    const code = canonical.charCodeAt(at);
    if (code === DOT) {
      number = number * 256 + byte;
      byte = 0;
    } else byte = byte * 10 + code - ZERO;
  }
  return number * 256 + byte;
}

/** The reverse of {@link ipv4ToNumber}. */
export function ipv4FromNumber(number: number): string {
  return `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`;
}

/**
 * Whether an address has a meaning only in its own network or machine: RFC 1918 (private), 6598
 * (shared), 3927 and 4291 (link-local), 4193 (unique local), loopback.
 */
export function isPrivate(canonical: string): boolean {
  return PRIVATE.test(addressToHex(canonical));
}

/** Whether an address is this machine's own: 127/8, ::1. */
export function isLoopback(canonical: string): boolean {
  return LOOPBACK.test(addressToHex(canonical));
}

/** Whether an address is one host's: not multicast, not broadcast, not unspecified. */
export function isUnicast(canonical: string): boolean {
  return !NOT_UNICAST.test(addressToHex(canonical));
}

const DOT = 0x2e;
const ZERO = 0x30;

const OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const GROUP = /^[0-9a-f]{1,4}$/i;
const ZONE = /^%[0-9a-z.:-]+$/i;

/** The groups before the IPv4 address in a mapped one (RFC 4291, section 2.5.5.2). */
const MAPPED: readonly number[] = [0, 0, 0, 0, 0, 0xffff];
const MAPPED_HEX = "00000000000000000000ffff";

/** 10/8, 172.16/12, 192.168/16, 100.64/10, 169.254/16, 127/8; ::1, fc00::/7, fe80::/10. */
const PRIVATE = /^(?:0{20}ffff(?:0a|ac1|c0a8|64[4-7]|a9fe|7f)|0{31}1$|f[cd]|fe[89ab])/;
const LOOPBACK = /^(?:0{20}ffff7f|0{31}1$)/;
/** 0/8, 224/4, 255.255.255.255; ::, ff00::/8. */
const NOT_UNICAST = /^(?:0{20}ffff(?:00|e|f{8}$)|0{32}$|ff)/;

/** The two groups of an IPv4 address. */
function parseIPv4(address: string): number[] {
  const number = ipv4ToNumber(address);
  return [number >>> 16, number & 0xffff];
}

/** The eight groups of an IPv6 address (RFC 4291, section 2.2); undefined for other text. */
function parseIPv6(text: string): number[] | undefined {
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0) return undefined;
  const before = parseGroups(head, tail === undefined);
  const after = parseGroups(tail ?? "", true);
  if (before === undefined || after === undefined) return undefined;
  const zeros = 8 - before.length - after.length;
  if (tail === undefined ? zeros !== 0 : zeros < 1) return undefined;
  return [...before, ...Array<number>(zeros).fill(0), ...after];
}

/** Groups between colons. At the end of the address the last one may be an IPv4 address. */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (GROUP.test(part)) groups.push(Number.parseInt(part, 16));
    else if (isEnd && index === parts.length - 1 && IPV4.test(part)) {
      groups.push(...parseIPv4(part));
    } else return undefined;
  }
  return groups;
}

/** Eight groups as RFC 5952 writes them: `::` for the longest run of zeros, the first if several. */
function formatGroups(groups: readonly number[]): string {
  if (MAPPED.every((group, index) => groups[index] === group)) {
    return ipv4FromNumber(groups[6]! * 65_536 + groups[7]!);
  }
  let run = { start: 0, length: 1 }; // a single zero is not shortened
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (groups[end] === 0) end++;
    if (end - start > run.length) run = { start, length: end - start };
  }
  const join = (some: readonly number[]) => some.map((group) => group.toString(16)).join(":");
  if (run.length === 1) return join(groups);
  return `${join(groups.slice(0, run.start))}::${join(groups.slice(run.start + run.length))}`;
}

function withoutZone(text: string): string {
  const percent = text.indexOf("%");
  return percent === -1 ? text : text.slice(0, percent);
}
