/**
 * The client log's text: a JSON object with one line per host, so that `jq`, `grep` and `diff` all
 * work on it. Times are UTC, ISO 8601. Pure.
 *
 *     {
 *     "nas": {"ipv4":{"address":"203.0.113.7","since":"2026-11-20T08:00:00.000Z","last_seen":"…"},"counter":"…"},
 *     "attic-pi": {"ipv4":{…},"ipv6":{…}}
 *     }
 *
 * `counter` is the last accepted counter of a signed host; plain hosts have none. A line of the
 * journal is a line of the log without its comma.
 *
 * The log of DynIP 0.1e is read as well: `{"nas": ["203.0.113.7", "2026-11-22 13:07:50.933935"]}`,
 * its times in this machine's local time.
 */
import { canonicalAddress, type Family, familyOf } from "../protocol/address.ts";
import { decodeCounter, encodeCounter } from "../protocol/message.ts";
import type { Host, HostStore, Hosts, Sighting } from "../host.ts";

/** The text is not a client log; the message says where and why. */
export class ClientLogFormatError extends Error {}

export interface DecodedClientLog {
  hosts: Hosts;
  /** How many of the hosts were recorded by DynIP 0.1e. */
  carriedOver: number;
}

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
 * The hosts in a log's text.
 * @throws ClientLogFormatError when any part of it cannot be read
 */
export function decodeClientLog(text: string): DecodedClientLog {
  const hosts: Hosts = new Map();
  return { hosts, carriedOver: decodeInto(hosts, text) };
}

/**
 * Puts the hosts in a log's text into `hosts`.
 * @returns how many of them DynIP 0.1e recorded
 * @throws ClientLogFormatError as {@link decodeClientLog}; `hosts` may have some of the hosts then
 */
export function decodeInto(hosts: Pick<HostStore, "set">, text: string): number {
  const document = parse(text);
  let carriedOver = 0;
  let sightings = 0;
  for (const name of Object.keys(document)) {
    const value = document[name];
    try {
      // JSON can escape half a surrogate pair, which no datagram and no UTF-8 text can hold.
      if (!name.isWellFormed()) throw new ClientLogFormatError("its name is not Unicode text");
      const isOld = Array.isArray(value);
      const host = isOld ? decodeOldHost(value) : decodeHost(value);
      if (isOld) carriedOver++;
      else sightings += Number(host.ipv4 !== undefined) + Number(host.ipv6 !== undefined);
      hosts.set(name, host);
    } catch (error) {
      if (!(error instanceof ClientLogFormatError)) throw error;
      const line = lineOf(text, name);
      throw new ClientLogFormatError(
        `${line === undefined ? "" : `line ${line}: `}host ${JSON.stringify(name)}: ${error.message}`,
      );
    }
  }
  refuseDuplicates(text, sightings + Number(Object.hasOwn(document, "address")));
  return carriedOver;
}

const HOSTS_PER_SLICE = 256;
const HOST_KEYS: readonly string[] = ["ipv4", "ipv6", "counter"];
const SIGHTING_KEYS: readonly string[] = ["address", "since", "last_seen"];

/** One host as a line of the log, without its comma and newline. */
export function encodeHost(name: string, { ipv4, ipv6, counter }: Host): string {
  // JSON.stringify takes twice as long, and nothing but the name can need escapes.
  const members: string[] = [];
  if (ipv4) members.push(`"ipv4":${encodeSighting(ipv4)}`);
  if (ipv6) members.push(`"ipv6":${encodeSighting(ipv6)}`);
  if (counter !== undefined) members.push(`"counter":"${encodeCounter(counter)}"`);
  return `${JSON.stringify(name)}: {${members.join(",")}}`;
}

function decodeHost(value: unknown): Host {
  const { ipv4, ipv6, counter } = checkKeys(value, HOST_KEYS);
  if (ipv4 === undefined && ipv6 === undefined) throw new ClientLogFormatError("it has no address");
  const host: { -readonly [Key in keyof Host]: Host[Key] } = {};
  if (ipv4 !== undefined) host.ipv4 = decodeSighting(ipv4, "ipv4");
  if (ipv6 !== undefined) host.ipv6 = decodeSighting(ipv6, "ipv6");
  if (counter !== undefined) host.counter = decodeStoredCounter(counter);
  return host;
}

function encodeSighting({ address, since, lastSeen }: Sighting): string {
  return `{"address":"${address}","since":"${formatTime(since)}","last_seen":"${formatTime(lastSeen)}"}`;
}

function decodeSighting(value: unknown, family: Family): Sighting {
  const { address, since, last_seen } = checkKeys(value, SIGHTING_KEYS, `${family} `);
  return {
    address: decodeAddress(address, family),
    since: decodeTime(since, "since", family),
    lastSeen: decodeTime(last_seen, "last_seen", family),
  };
}

/** `[address, time]`, as DynIP 0.1e's server writes it: IPv4 only. */
function decodeOldHost(value: readonly unknown[]): Host {
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

function parse(text: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    try {
      document = JSON.parse(withoutLastComma(text));
    } catch {
      throw new ClientLogFormatError(describeSyntaxError(text, error as SyntaxError));
    }
  }
  if (!isObject(document)) throw new ClientLogFormatError("it is not a JSON object");
  return document;
}

/** The text without a comma behind the last host, which stays when that host's line is removed by hand. */
function withoutLastComma(text: string): string {
  return text.replace(/([}\]]\s*),\s*\}\s*$/, "$1}");
}

/**
 * Where a text stops being a log. JSON.parse gives no position, but each host has its own line: the
 * first line that is not a member of an object, or that lacks its comma, is the place.
 */
function describeSyntaxError(text: string, { message }: SyntaxError): string {
  if (text.trim() === "") return "it is empty";
  if (text.startsWith("\ufeff")) return "it begins with a byte order mark";
  const lines = text.trimEnd().split("\n");
  if (lines[0]!.trim() !== "{") return `it is not JSON (${message})`;
  const end = lines.findIndex((line) => line.trim() === "}");
  const members = lines
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .slice(1, end === -1 ? undefined : end)
    .filter(({ line }) => line !== "");
  for (const [index, { line, number }] of members.entries()) {
    const member = line.replace(/\s*,$/, "");
    if (member === "") return `line ${number}: a comma without a host`;
    try {
      JSON.parse(`{${member}}`);
    } catch (error) {
      return `line ${number} is not JSON (${(error as SyntaxError).message})`;
    }
    const isLast = index === members.length - 1;
    if (member === line && !isLast) return `line ${number}: the comma at the end is missing`;
  }
  if (end === -1) return `line ${lines.length}: the end is missing`;
  return `line ${end + 2}: there is something behind the end`;
}

/**
 * Refuses a log that has a name twice: JSON.parse keeps only the last, and the other record would be
 * lost. Each sighting has the key "address" once, so a text that has it more often has duplicates.
 * @param count how many times the text of the log that was read has "address"
 */
function refuseDuplicates(text: string, count: number): void {
  let found = 0;
  for (let at = text.indexOf(ADDRESS); at !== -1; at = text.indexOf(ADDRESS, at + 1)) {
    if (text[at - 1] !== "\\") found++; // else it is the end of a name
  }
  if (found <= count) return;
  const seen = new Set<string>();
  for (const [index, line] of text.split("\n").entries()) {
    const quoted = /^\s*("(?:[^"\\]|\\.)*"):/.exec(line)?.[1];
    if (quoted === undefined) continue;
    const name = JSON.parse(quoted) as string;
    if (seen.has(name)) {
      const what = JSON.stringify(name);
      throw new ClientLogFormatError(`line ${index + 1}: host ${what} is there a second time`);
    }
    seen.add(name);
  }
  throw new ClientLogFormatError("a host, or an address of a host, is there a second time");
}

const ADDRESS = '"address"';

/** The line on which a host's record begins, counted from 1. */
function lineOf(text: string, name: string): number | undefined {
  const index = text.split("\n").findIndex((line) => line.startsWith(`${JSON.stringify(name)}:`));
  return index === -1 ? undefined : index + 1;
}
