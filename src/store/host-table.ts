/**
 * All hosts by name, in columns: each name has a row, and each field of a host is an array of numbers.
 * Pure.
 *
 * Columns, not a `Map` of objects, for memory and for short pauses: the garbage collector visits every
 * object of a Map again and again, and the server receives nothing meanwhile. Measured in November
 * 2026 on 2 cores:
 *
 *     hosts                                                  10,000   100,000   1,000,000
 *     peak memory in MB when all have pinged, columns/Map     74/80    85/151     210/834
 *     longest pause in ms at 10,000 pings/s, columns/Map      15/15     15/18       17/83
 *
 * In 30 seconds at 100,000 hosts the longest pauses of a Map were 42, 154 and 538 ms, and 7,203 pings
 * were lost; those of the columns were 16, 17 and 60 ms, and none was lost.
 */
import { ipv4FromNumber, ipv4ToNumber } from "../protocol/address.ts";
import { type Fill, NameHash } from "../name-map.ts";
import { NameIndex } from "./name-index.ts";
import type { Host, HostStore, Sighting } from "../host.ts";

/** {@link get} and iteration return copies: a later {@link set} does not change them. */
export class HostTable implements HostStore {
  readonly #hash: NameHash;
  readonly #names: NameIndex;
  readonly #ipv4 = new Sightings(new Ipv4Addresses());
  readonly #ipv6 = new Sightings(new TextAddresses());
  /** A signed host's counter + 1; 0 for a plain host. */
  #counters = new Float64Array(0);
  #signedSize = 0;
  /** For each row whether its host was deleted. The row keeps its name, for when that comes back. */
  #isDead = new Uint8Array(0);
  #deadSize = 0;
  /** The marked rows in order, and for each row whether it is one of them. */
  #marked: number[] = [];
  #isMarked = new Uint8Array(0);
  /** The last name that was looked up: a ping looks its own up three times. */
  #lastName: string | undefined;
  #lastRow: number | undefined;

  /** @param fill see {@link NameHash} */
  constructor(fill: Fill) {
    this.#hash = new NameHash(fill);
    this.#names = new NameIndex(this.#hash, () => new NameHash(fill));
  }

  get size(): number {
    return this.#names.size - this.#deadSize;
  }

  get signedSize(): number {
    return this.#signedSize;
  }

  hashOf(name: string): number {
    return this.#hash.of(name);
  }

  get(name: string): Host | undefined {
    const row = this.#rowOf(name);
    return row === undefined || this.#wasDeleted(row) ? undefined : this.#hostAt(row);
  }

  /**
   * Adds a host, or replaces it.
   * @throws RangeError when the name is not well-formed Unicode
   */
  set(name: string, { ipv4, ipv6, counter }: Host): void {
    const row = this.#rowOf(name) ?? this.#newRow(name);
    if (this.#wasDeleted(row)) {
      this.#isDead[row] = 0;
      this.#deadSize--;
    }
    this.#ipv4.set(row, ipv4);
    this.#ipv6.set(row, ipv6);
    if (row >= this.#counters.length) {
      if (counter === undefined) return;
      this.#counters = grown(this.#counters, row);
    }
    const wasSigned = this.#counters[row]! > 0;
    this.#signedSize += Number(counter !== undefined) - Number(wasSigned);
    this.#counters[row] = counter === undefined ? 0 : counter + 1;
  }

  /** Removes a host, if it is known. */
  delete(name: string): void {
    const row = this.#rowOf(name);
    if (row === undefined || this.#wasDeleted(row)) return;
    this.set(name, {});
    if (row >= this.#isDead.length) this.#isDead = grown(this.#isDead, row);
    this.#isDead[row] = 1;
    this.#deadSize++;
  }

  /** Marks a host, if it is known, for the next {@link takeMarked}. */
  mark(name: string): void {
    const row = this.#rowOf(name);
    if (row === undefined || this.#isMarked[row] === 1 || this.#wasDeleted(row)) return;
    if (row >= this.#isMarked.length) this.#isMarked = grown(this.#isMarked, row);
    this.#isMarked[row] = 1;
    this.#marked.push(row);
  }

  /** How many hosts are marked; one that was deleted since then counts. */
  get markedSize(): number {
    return this.#marked.length;
  }

  /**
   * The marked hosts, in the order of their marks, each as it is when the iterator reaches it, without
   * those that are deleted by then. Removes the marks.
   */
  takeMarked(): IteratorObject<[string, Host]> {
    const rows = this.#marked;
    this.#marked = [];
    for (const row of rows) this.#isMarked[row] = 0;
    return rows
      .values()
      .filter((row) => !this.#wasDeleted(row))
      .map((row) => this.#entryAt(row));
  }

  /**
   * In the order in which the names were first added; one that is added meanwhile comes as well, unless
   * it was there before and deleted.
   */
  *[Symbol.iterator](): Generator<[name: string, host: Host], undefined> {
    for (let row = 0; row < this.#names.size; row++) {
      if (!this.#wasDeleted(row)) yield this.#entryAt(row);
    }
  }

  #wasDeleted(row: number): boolean {
    return this.#deadSize > 0 && this.#isDead[row] === 1;
  }

  #rowOf(name: string): number | undefined {
    if (name !== this.#lastName) {
      this.#lastRow = this.#names.find(name);
      this.#lastName = name;
    }
    return this.#lastRow;
  }

  #newRow(name: string): number {
    this.#lastRow = this.#names.add(name); // #lastName is this name: #rowOf has looked it up
    return this.#lastRow;
  }

  #entryAt(row: number): [string, Host] {
    return [this.#names.nameOf(row), this.#hostAt(row)];
  }

  #hostAt(row: number): Host {
    const ipv4 = this.#ipv4.get(row);
    const ipv6 = this.#ipv6.get(row);
    const counter = this.#counters[row] ?? 0;
    // Literals for the common cases: spreading costs several times as much.
    if (ipv4 && !ipv6) return counter === 0 ? { ipv4 } : { ipv4, counter: counter - 1 };
    return {
      ...(ipv4 && { ipv4 }),
      ...(ipv6 && { ipv6 }),
      ...(counter > 0 && { counter: counter - 1 }),
    };
  }
}

/** The sightings in one address family, by row. The columns end at the last row that has one. */
class Sightings {
  readonly #addresses: Addresses;
  /** For each row 0: no sighting, 1: one, 2: one that is claimed. */
  #isThere = new Uint8Array(0);
  #since = new Float64Array(0);
  #lastSeen = new Float64Array(0);

  constructor(addresses: Addresses) {
    this.#addresses = addresses;
  }

  get(row: number): Sighting | undefined {
    const isThere = this.#isThere[row];
    if (!isThere) return undefined;
    const sighting = {
      address: this.#addresses.get(row),
      since: this.#since[row]!,
      lastSeen: this.#lastSeen[row]!,
    };
    return isThere === 1 ? sighting : { ...sighting, claimed: true };
  }

  set(row: number, sighting: Sighting | undefined): void {
    if (row >= this.#isThere.length) {
      if (!sighting) return;
      this.#isThere = grown(this.#isThere, row);
      this.#since = grown(this.#since, row);
      this.#lastSeen = grown(this.#lastSeen, row);
    }
    this.#isThere[row] = sighting ? (sighting.claimed ? 2 : 1) : 0;
    if (!sighting) return;
    this.#addresses.set(row, sighting.address);
    this.#since[row] = sighting.since;
    this.#lastSeen[row] = sighting.lastSeen;
  }
}

/** Canonical addresses by row. */
interface Addresses {
  get(row: number): string;
  set(row: number, address: string): void;
}

/** IPv4 addresses, four bytes each. */
class Ipv4Addresses implements Addresses {
  #numbers = new Uint32Array(0);
  /** The last texts made: most hosts stay where they are, so most texts are asked for again. */
  readonly #texts: { number: number; text: string }[] = [];

  get(row: number): string {
    const number = this.#numbers[row]!;
    const slot = (number ^ (number >>> 12)) % KEPT_TEXTS;
    const kept = this.#texts[slot];
    if (kept?.number === number) return kept.text;
    const text = ipv4FromNumber(number);
    this.#texts[slot] = { number, text };
    return text;
  }

  set(row: number, address: string): void {
    if (row >= this.#numbers.length) this.#numbers = grown(this.#numbers, row);
    this.#numbers[row] = ipv4ToNumber(address);
  }
}

/** IPv6 addresses, kept as text: making the text anew for each look-up would cost more than it saves. */
class TextAddresses implements Addresses {
  readonly #texts: string[] = [];

  get(row: number): string {
    return this.#texts[row]!;
  }

  set(row: number, address: string): void {
    this.#texts[row] = address;
  }
}

const FIRST_ROWS = 1024;
const KEPT_TEXTS = 4096;

/** A copy that has room for `row`, at least 1.5 times as long, so that adding rows rarely copies. */
function grown<T extends Uint8Array | Uint32Array | Float64Array>(column: T, row: number): T {
  const length = Math.max(FIRST_ROWS, row + 1, Math.ceil(column.length * 1.5));
  const copy = new (column.constructor as new (length: number) => T)(length);
  copy.set(column);
  return copy;
}
