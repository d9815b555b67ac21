/**
 * The client log's text: a JSON object with one line per host, so that `jq`, `grep` and `diff` all
 * work on it. Times are UTC, ISO 8601. Pure.
 *
 *     {
 *     "nas": {"ipv4":{"address":"203.0.113.7","since":"2026-11-20T08:00:00.000Z","last_seen":"…"},"counter":"…"},
 *     "attic-pi": {"ipv4":{…},"ipv6":{…}}
 *     }
 *
 * `counter` is the last accepted counter of a signed host; plain hosts have none. An address has
 * `"claimed":true` behind its times where no ping has proven it, see host.ts. A line of the journal is a
 * line of the log without its comma, or `"nas": null`: the host was forgotten.
 *
 * The log of DynIP 0.1e is read as well: `{"nas": ["203.0.113.7", "2026-11-22 13:07:50.933935"]}`,
 * its times in this machine's local time.
 */
import { canonicalAddress, type Family, familyOf } from "../protocol/address.ts";
import { decodeCounter, encodeCounter } from "../protocol/message.ts";
import type { Host, HostStore, Sighting } from "../host.ts";
import { ClientLogFormatError, errorAt, type Member, memberOf, membersOf } from "./members.ts";

/** The log's text, in slices of 256 hosts, so that other work gets its turn between two of them. */
export function* encodeClientLog(hosts: Iterable<[name: string, host: Host]>): Generator<string> {
  let slice = "{";
  let count = 0;
  for (const [name, host] of hosts) {
    slice += `${count === 0 ? "" : ","}\n${encodeHost(name, host)}`;
    if (++count % HOSTS_PER_SLICE === 0) {
      yield slice;
      slice = "";
    }
  }
  yield `${slice}\n}\n`;
}

/**
 * Puts the hosts in a log's text into `hosts`, which has none yet.
 * @returns how many of them DynIP 0.1e recorded
 * @throws ClientLogFormatError when any part of the text cannot be read; `hosts` may have some of the
 *   hosts then
 */
export function decodeClientLog(text: string, hosts: Pick<HostStore, "size" | "set">): number {
  const slices = decodeInSlices(text, hosts);
  for (;;) {
    const { done, value } = slices.next();
    if (done) return value;
  }
}

/** The same in slices of 256 hosts, so that other work gets its turn between two of them. */
export function* decodeInSlices(
  text: string,
  hosts: Pick<HostStore, "size" | "set">,
): Generator<void, number> {
  let carriedOver = 0;
  for (const member of membersOf(text)) {
    const { size } = hosts;
    try {
      hosts.set(member.name, decodeMember(member));
      if (hosts.size === size) throw nameError(member.name, " is there a second time");
    } catch (error) {
      throw error instanceof ClientLogFormatError
        ? errorAt(text, member.start, error.message)
        : error;
    }
    if (Array.isArray(member.value)) carriedOver++;
    if (hosts.size % HOSTS_PER_SLICE === 0) yield;
  }
  return carriedOver;
}

const HOSTS_PER_SLICE = 256;
const HOST_KEYS: readonly string[] = ["ipv4", "ipv6", "counter"];
const SIGHTING_KEYS: readonly string[] = ["address", "since", "last_seen", "claimed"];

/** One host as a line of the log, without its comma and newline. */
export function encodeHost(name: string, { ipv4, ipv6, counter }: Host): string {
  // JSON.stringify takes twice as long, and nothing but the name can need escapes.
  const members: string[] = [];
  if (ipv4) members.push(`"ipv4":${encodeSighting(ipv4)}`);
  if (ipv6) members.push(`"ipv6":${encodeSighting(ipv6)}`);
  if (counter !== undefined) members.push(`"counter":"${encodeCounter(counter)}"`);
  return `${JSON.stringify(name)}: {${members.join(",")}}`;
}

/** A line of the journal that says that a host was forgotten, without its newline. */
export function encodeForgotten(name: string): string {
  return `${JSON.stringify(name)}: null`;
}

/**
 * The reverse of {@link encodeHost} and {@link encodeForgotten}.
 * @returns the name, and its host unless that was forgotten
 * @throws ClientLogFormatError when the line is neither
 */
export function decodeLine(line: string): [name: string, host: Host | undefined] {
  const member = memberOf(line);
  return [member.name, member.value === null ? undefined : decodeMember(member)];
}

function decodeMember({ name, value }: Member): Host {
  try {
    // JSON can escape half a surrogate pair, which no datagram and no UTF-8 text can hold.
    if (!name.isWellFormed()) throw new ClientLogFormatError("its name is not Unicode text");
    return Array.isArray(value) ? decodeOldRecord(value) : decodeRecord(value);
  } catch (error) {
    throw error instanceof ClientLogFormatError ? nameError(name, `: ${error.message}`) : error;
  }
}

function nameError(name: string, problem: string): ClientLogFormatError {
  return new ClientLogFormatError(`host ${JSON.stringify(name)}${problem}`);
}

function decodeRecord(value: unknown): Host {
  const { ipv4, ipv6, counter } = checkKeys(value, HOST_KEYS);
  if (ipv4 === undefined && ipv6 === undefined) throw new ClientLogFormatError("it has no address");
  const host: { -readonly [Key in keyof Host]: Host[Key] } = {};
  if (ipv4 !== undefined) host.ipv4 = decodeSighting(ipv4, "ipv4");
  if (ipv6 !== undefined) host.ipv6 = decodeSighting(ipv6, "ipv6");
  if (counter !== undefined) host.counter = decodeStoredCounter(counter);
  return host;
}

function encodeSighting({ address, since, lastSeen, claimed }: Sighting): string {
  const mark = claimed ? ',"claimed":true' : "";
  return `{"address":"${address}","since":"${formatTime(since)}","last_seen":"${formatTime(lastSeen)}"${mark}}`;
}

function decodeSighting(value: unknown, family: Family): Sighting {
  const { address, since, last_seen, claimed } = checkKeys(value, SIGHTING_KEYS, `${family} `);
  if (claimed !== undefined && claimed !== true) {
    throw new ClientLogFormatError(
      `${family}.claimed is ${show(claimed)}, must be true or not there`,
    );
  }
  return {
    address: decodeAddress(address, family),
    since: decodeTime(since, "since", family),
    lastSeen: decodeTime(last_seen, "last_seen", family),
    ...(claimed && { claimed }),
  };
}

/** `[address, time]`, as DynIP 0.1e's server writes it: IPv4 only. */
function decodeOldRecord(value: readonly unknown[]): Host {
  const [address, time] = value;
  const parts = typeof time === "string" ? OLD_TIME.exec(time) : null;
  if (value.length !== 2 || !parts) {
    throw new ClientLogFormatError("it is not the address and time that DynIP 0.1e records");
  }
  // Read as UTC to check that the date exists, then without a zone, which means local time.
  const [, date, clock, fraction = ""] = parts;
  decodeTime(`${date}T${clock}Z`, "the time");
  const seen = Date.parse(`${date}T${clock}.${fraction.padEnd(3, "0").slice(0, 3)}`);
  // A local time in the first or last hours of the calendar may have no UTC time that we can write.
  decodeTime(new Date(seen).toISOString(), "the time");
  return { ipv4: { address: decodeAddress(address, "ipv4"), since: seen, lastSeen: seen } };
}

/** Python's `datetime.isoformat(" ")`: no fraction when the microseconds are 0. */
const OLD_TIME = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;

function decodeAddress(value: unknown, family: Family): string {
  const address = typeof value === "string" ? canonicalAddress(value) : undefined;
  if (address === undefined || familyOf(address) !== family) {
    const wanted = family === "ipv4" ? "an IPv4 address" : "an IPv6 address";
    throw new ClientLogFormatError(`its address is ${show(value)}, must be ${wanted}`);
  }
  return address;
}

function decodeTime(value: unknown, key: string, family?: Family): number {
  const time = typeof value === "string" ? parseTime(value) : undefined;
  if (time === undefined) {
    throw new ClientLogFormatError(
      `${family ? `${family}.` : ""}${key} is ${show(value)}, must be a time like 2026-11-22T13:01:02.123Z`,
    );
  }
  return time;
}

function formatTime(time: number): string {
  return new Date(time).toISOString();
}

function parseTime(text: string): number | undefined {
  if (!TIME.test(text)) return undefined;
  const time = Date.parse(text);
  // Date.parse reads February 30 as March 2, and 24:00 as the next day: neither is what is written.
  const day = Number(text.slice("2026-11-".length, "2026-11-22".length));
  return new Date(time).getUTCDate() === day ? time : undefined;
}

/** A value as a message shows it: lists and objects without their content, which may be deeply nested. */
function show(value: unknown): string {
  if (value === undefined) return "missing";
  return typeof value === "object" && value !== null
    ? Array.isArray(value)
      ? "a list"
      : "an object"
    : JSON.stringify(value);
}

function decodeStoredCounter(value: unknown): number {
  const isCounter = typeof value === "string" && /^[0-9a-f]{16}$/.test(value);
  const counter = isCounter ? decodeCounter(value) : Number.NaN;
  if (!Number.isSafeInteger(counter)) {
    throw new ClientLogFormatError(
      `its counter is ${show(value)}, must be 16 hexadecimal digits of at most 2^53 - 1`,
    );
  }
  return counter;
}

/** `value` as an object with these keys only: the next snapshot would lose any other key. */
function checkKeys(
  value: unknown,
  keys: readonly string[],
  what = "",
): Readonly<Record<string, unknown>> {
  if (!isObject(value)) throw new ClientLogFormatError(`its ${what}record is not an object`);
  for (const key in value) {
    if (keys.includes(key)) continue;
    throw new ClientLogFormatError(`its ${what}record has an unknown key ${JSON.stringify(key)}`);
  }
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
