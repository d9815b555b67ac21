/**
 * Hosts by name, for a million of them: names have rows, and what is known of a host is in columns.
 * As objects in a Map they would cost eight times the memory, and the garbage collector would look at
 * each of them again and again, for longer than a server should stand still. Pure.
 */
import { ipv4FromNumber, ipv4ToNumber } from "../protocol/address.ts";
import { NameIndex } from "./name-index.ts";
import type { Host, HostStore, Sighting } from "../host.ts";

/** Behaves as a Map does, but that a host that is got is a copy. No host is ever deleted. */
export class HostTable implements HostStore {
  readonly #names: NameIndex;
  readonly #ipv4 = new Sightings(new Ipv4Addresses());
  readonly #ipv6 = new Sightings(new TextAddresses());
  /** Counters, each one higher than it is; 0 for none. */
  #counters = new Float64Array(0);
  #signedSize = 0;
  /** The rows that are marked, and whether one is. */
  #marked: number[] = [];
  #isMarked = new Uint8Array(0);
  /** The name asked for last: a ping asks three times for its own. */
  #lastName: string | undefined;
  #lastRow: number | undefined;

  /** @param seed 32 random bits, see {@link NameIndex} */
  constructor(seed: number) {
    this.#names = new NameIndex(seed);
  }

  get size(): number {
    return this.#names.size;
  }

  get signedSize(): number {
    return this.#signedSize;
  }

  has(name: string): boolean {
    return this.#rowOf(name) !== undefined;
  }

  get(name: string): Host | undefined {
    const row = this.#rowOf(name);
    return row === undefined ? undefined : this.#hostAt(row);
  }

  /** @throws RangeError when the name is not well-formed Unicode */
  set(name: string, { ipv4, ipv6, counter }: Host): this {
    const row = this.#rowOf(name) ?? this.#newRow(name);
    this.#ipv4.set(row, ipv4);
    this.#ipv6.set(row, ipv6);
    if (row >= this.#counters.length) {
      if (counter === undefined) return this;
      this.#counters = grown(this.#counters, row);
    }
    const wasSigned = this.#counters[row]! > 0;
    this.#signedSize += Number(counter !== undefined) - Number(wasSigned);
    this.#counters[row] = counter === undefined ? 0 : counter + 1;
    return this;
  }

  /** Notes a host as one to be written down: {@link takeMarked} gives it, once. */
  mark(name: string): void {
    const row = this.#rowOf(name);
    if (row === undefined || this.#isMarked[row] === 1) return;
    if (row >= this.#isMarked.length) this.#isMarked = grown(this.#isMarked, row);
    this.#isMarked[row] = 1;
    this.#marked.push(row);
  }

  /** How many hosts are marked. */
  get markedSize(): number {
    return this.#marked.length;
  }

  /** The hosts that are marked, and are not any more. Each is given as it is when it is asked for. */
  takeMarked(): IteratorObject<[string, Host]> {
    const rows = this.#marked;
    this.#marked = [];
    for (const row of rows) this.#isMarked[row] = 0;
    return rows.values().map((row) => this.#entryAt(row));
  }

  keys(): MapIterator<string> {
    return this.#rows().map((row) => this.#names.nameOf(row));
  }

  values(): MapIterator<Host> {
    return this.#rows().map((row) => this.#hostAt(row));
  }

  entries(): MapIterator<[string, Host]> {
    return this.#rows().map((row) => this.#entryAt(row));
  }

  [Symbol.iterator](): MapIterator<[string, Host]> {
    return this.entries();
  }

  forEach(act: (host: Host, name: string, table: this) => void): void {
    for (const [name, host] of this) act(host, name, this);
  }

  /** Those that there are when they are asked for, and those that come meanwhile, as of a Map. */
  *#rows(): Generator<number, undefined> {
    for (let row = 0; row < this.#names.size; row++) yield row;
  }

  #rowOf(name: string): number | undefined {
    if (name !== this.#lastName) {
      this.#lastRow = this.#names.find(name);
      this.#lastName = name;
    }
    return this.#lastRow;
  }

  #newRow(name: string): number {
    this.#lastRow = this.#names.add(name); // it has been asked for, in vain
    return this.#lastRow;
  }

  #entryAt(row: number): [string, Host] {
    return [this.#names.nameOf(row), this.#hostAt(row)];
  }

  #hostAt(row: number): Host {
    const ipv4 = this.#ipv4.get(row);
    const ipv6 = this.#ipv6.get(row);
    const counter = this.#counters[row] ?? 0;
    // The common cases as literals, which cost a fraction of what spreading does.
    if (ipv4 && !ipv6) return counter === 0 ? { ipv4 } : { ipv4, counter: counter - 1 };
    return {
      ...(ipv4 && { ipv4 }),
      ...(ipv6 && { ipv6 }),
      ...(counter > 0 && { counter: counter - 1 }),
    };
  }
}

/** The sightings in one address family, by row. It is as long as the last row that has one. */
class Sightings {
  readonly #addresses: Addresses;
  #isThere = new Uint8Array(0);
  #since = new Float64Array(0);
  #lastSeen = new Float64Array(0);

  constructor(addresses: Addresses) {
    this.#addresses = addresses;
  }

  get(row: number): Sighting | undefined {
    if (this.#isThere[row] !== 1) return undefined;
    return {
      address: this.#addresses.get(row),
      since: this.#since[row]!,
      lastSeen: this.#lastSeen[row]!,
    };
  }

  set(row: number, sighting: Sighting | undefined): void {
    if (row >= this.#isThere.length) {
      if (!sighting) return;
      this.#isThere = grown(this.#isThere, row);
      this.#since = grown(this.#since, row);
      this.#lastSeen = grown(this.#lastSeen, row);
    }
    this.#isThere[row] = sighting ? 1 : 0;
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

/** IPv4 in four bytes each. */
class Ipv4Addresses implements Addresses {
  #numbers = new Uint32Array(0);
  /** The texts made last: most hosts are asked for again where they were. */
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

/** IPv6, whose texts are not worth making anew each time. */
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

/** A copy that has `row`, half as long again or more, so that a million rows are few copies. */
function grown<T extends Uint8Array | Uint32Array | Float64Array>(column: T, row: number): T {
  const length = Math.max(FIRST_ROWS, row + 1, Math.ceil(column.length * 1.5));
  const copy = new (column.constructor as new (length: number) => T)(length);
  copy.set(column);
  return copy;
}
