/**
 * Numbers names in the order in which they are added, as a `Map<string, number>` could, but in typed
 * arrays: they need a fifth of the memory, and the garbage collector does not visit the names. See
 * host-table.ts for figures. Open addressing, at most half full. Pure.
 *
 * Attackers choose the names and make them collide, so the hash is one that only this process can
 * compute, see NameHash. If a name needs more than {@link MAX_PROBES} probes all the same, the index
 * takes another hash: no look-up ever takes more.
 */
import type { NameHash } from "../name-map.ts";

/** Names and their rows: 0, 1, 2, … No name is ever removed. */
export class NameIndex {
  readonly #another: () => NameHash;
  #hash: NameHash;
  /** Row + 1, at its hash or up to MAX_PROBES - 1 behind it; 0 for none. The length is a power of two. */
  #slots = new Uint32Array(2 * FIRST_ROWS);
  #hashes = new Uint32Array(FIRST_ROWS);
  /** Where each row's name ends in the bytes, and the next one's begins. */
  #ends = new Uint32Array(FIRST_ROWS);
  #bytes = Buffer.alloc(FIRST_ROWS * 16);
  #size = 0;

  /**
   * @param hash of names, which no attacker can compute
   * @param another makes another one
   */
  constructor(hash: NameHash, another: () => NameHash) {
    this.#hash = hash;
    this.#another = another;
  }

  get size(): number {
    return this.#size;
  }

  /** A name's row; undefined where it has none. */
  find(name: string): number | undefined {
    const hash = this.#hash.of(name);
    const mask = this.#slots.length - 1;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const entry = this.#slots[(hash + probe) & mask]!;
      if (entry === 0) return undefined;
      if (this.#hashes[entry - 1] === hash && this.#isNameOf(entry - 1, name)) return entry - 1;
    }
    return undefined;
  }

  /**
   * Adds a name that has no row.
   * @returns its row
   * @throws RangeError when it is not well-formed Unicode; the name of a datagram always is
   */
  add(name: string): number {
    if (!name.isWellFormed()) throw new RangeError("its name is not Unicode text");
    const row = this.#size;
    if (row === this.#hashes.length) this.#grow();
    const start = this.#startOf(row);
    const length = Buffer.byteLength(name);
    if (start + length > this.#bytes.length) {
      const bytes = Buffer.alloc(Math.ceil((start + length) * 1.5));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    }
    this.#bytes.write(name, start);
    this.#ends[row] = start + length;
    this.#hashes[row] = this.#hash.of(name);
    this.#size++;
    if (!this.#link(row)) this.#linkAnew();
    return row;
  }

  /** @param row of a name that was added */
  nameOf(row: number): string {
    return this.#bytes.toString("utf8", this.#startOf(row), this.#ends[row]);
  }

  #startOf(row: number): number {
    return row === 0 ? 0 : this.#ends[row - 1]!;
  }

  #isNameOf(row: number, name: string): boolean {
    const start = this.#startOf(row);
    for (let at = 0; at < name.length; at++) {
      const code = name.charCodeAt(at);
      if (code > 0x7f) return this.nameOf(row) === name; // it takes several bytes
      if (this.#bytes[start + at] !== code) return false;
    }
    return this.#ends[row] === start + name.length;
  }

  /** @returns false when that would take more than {@link MAX_PROBES} */
  #link(row: number): boolean {
    const mask = this.#slots.length - 1;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const slot = (this.#hashes[row]! + probe) & mask;
      if (this.#slots[slot] !== 0) continue;
      this.#slots[slot] = row + 1;
      return true;
    }
    return false;
  }

  /** Links all rows by another hash, and by another one until that works. */
  #linkAnew(): void {
    let row: number;
    do {
      this.#hash = this.#another();
      this.#slots.fill(0);
      for (row = 0; row < this.#size; row++) {
        this.#hashes[row] = this.#hash.of(this.nameOf(row));
        if (!this.#link(row)) break;
      }
    } while (row < this.#size);
  }

  #grow(): void {
    const rows = this.#hashes.length * 2;
    const hashes = new Uint32Array(rows);
    const ends = new Uint32Array(rows);
    hashes.set(this.#hashes);
    ends.set(this.#ends);
    this.#hashes = hashes;
    this.#ends = ends;
    this.#slots = new Uint32Array(2 * rows);
    for (let row = 0; row < this.#size; row++) {
      if (!this.#link(row)) return this.#linkAnew();
    }
  }
}

const FIRST_ROWS = 1024;

/** No look-up takes more. Random names need more with a probability of 1 in 50,000 for a million. */
const MAX_PROBES = 128;
