/**
 * Numbers names in the order in which they are added: a `Map<string, number>` in typed arrays, for
 * the memory and the pauses that host-table.ts has the figures of. A million names in a Map take 150
 * bytes each, before what the garbage collector reserves; here they take a fifth of that.
 * Open addressing, at most half full. Pure.
 */

/** Names and their rows: 0, 1, 2, … No name is ever removed. */
export class NameIndex {
  readonly #seed: number;
  /** Row + 1 by hash, or 0; a power of two of them. */
  #slots = new Uint32Array(2 * FIRST_ROWS);
  #hashes = new Uint32Array(FIRST_ROWS);
  /** Where each row's name ends in the bytes, and the next one's begins. */
  #ends = new Uint32Array(FIRST_ROWS);
  #bytes = Buffer.alloc(FIRST_ROWS * 16);
  #size = 0;

  /** @param seed 32 random bits: whoever makes up names shall not know which of them collide */
  constructor(seed: number) {
    this.#seed = seed;
  }

  get size(): number {
    return this.#size;
  }

  /** A name's row; undefined where it has none. */
  find(name: string): number | undefined {
    const hash = Bun.hash.xxHash32(name, this.#seed);
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]!;
      if (entry === 0) return undefined;
      if (this.#hashes[entry - 1] === hash && this.#isNameOf(entry - 1, name)) return entry - 1;
    }
  }

  /**
   * Adds a name that has no row.
   * @returns its row
   * @throws RangeError when it is not well-formed Unicode, as no datagram's name is
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
    this.#hashes[row] = Bun.hash.xxHash32(name, this.#seed);
    this.#link(row);
    this.#size++;
    return row;
  }

  /** The name of a row that there is. */
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
      if (code > 0x7f) return this.nameOf(row) === name; // more than a byte each
      if (this.#bytes[start + at] !== code) return false;
    }
    return this.#ends[row] === start + name.length;
  }

  #link(row: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#hashes[row]! & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = row + 1;
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
    for (let row = 0; row < this.#size; row++) this.#link(row);
  }
}

const FIRST_ROWS = 1024;
