/** Mutates inputs: an input that is nearly right finds more than random bytes. */
import type { Random } from "./random.ts";

/** The longest payload of a UDP datagram over IPv4. */
export const MAX_BYTES = 65_507;

/** Bytes at the edges of ranges in formats and encodings. */
const ODD_BYTES = [0, 9, 10, 13, 27, 32, 34, 48, 58, 65, 70, 92, 97, 102, 103, 127, 128, 192, 255];

/** Views up to this length are made once and reused; otherwise they would be most of the garbage. */
const KEPT_VIEWS = 1024;

/** Makes mutated inputs, one after the other, in the same memory. */
export class Mutator {
  readonly #random: Random;
  readonly #tokens: readonly Uint8Array[];
  readonly #buffer = new Uint8Array(MAX_BYTES);
  readonly #views: Uint8Array[] = [];
  #length = 0;

  /** @param tokens byte strings with a meaning in the format, inserted at random */
  constructor(random: Random, tokens: readonly Uint8Array[]) {
    this.#random = random;
    this.#tokens = tokens;
    for (let length = 0; length < KEPT_VIEWS; length++) {
      this.#views.push(this.#buffer.subarray(0, length));
    }
  }

  /**
   * Makes a copy of `seed` with a few changes, sometimes with none.
   * @param other an input whose parts are inserted; may be `seed`
   * @returns memory that the next call overwrites
   */
  mutate(seed: Uint8Array, other: Uint8Array): Uint8Array {
    const random = this.#random;
    this.#buffer.set(seed);
    this.#length = seed.length;
    if (!random.once(64)) {
      do this.#change(other);
      while (random.once(3));
    }
    if (random.once(8192)) this.#grow();
    return this.#views[this.#length] ?? this.#buffer.subarray(0, this.#length);
  }

  #change(other: Uint8Array): void {
    const random = this.#random;
    const buffer = this.#buffer;
    const at = random.below(this.#length);
    switch (random.next() & 15) {
      case 0:
      case 1:
      case 2:
        buffer[at]! ^= 1 << (random.next() & 7);
        return;
      case 3:
      case 4:
        buffer[at] = random.pick(ODD_BYTES);
        return;
      case 5:
      case 6: // a digit in place of a byte: often still well-formed
        buffer[at] = "0123456789abcdef".charCodeAt(random.next() & 15);
        return;
      case 7:
        buffer[at]! ^= 0x20; // upper and lower case
        return;
      case 8:
        this.#length = at;
        return;
      case 9: // one more byte at the end, which a previous input may have left there
        this.#length = Math.min(this.#length + 1, MAX_BYTES);
        return;
      case 10:
        return this.#insert(at, random.pick(ODD_BYTES), 1 + random.below(3));
      case 11:
        return this.#remove(at, 1 + random.below(random.once(2) ? 2 : 64));
      case 12:
        if (this.#tokens.length > 0) this.#put(at, random.pick(this.#tokens), random.once(2));
        return;
      case 13: // the beginning of one, the end of the other
        if (other.length > at) this.#put(at, other.subarray(at), true);
        return;
      case 14: {
        const from = random.below(other.length);
        const part = other.subarray(from, from + 1 + random.below(64));
        return this.#put(at, part, random.once(2));
      }
      default: {
        const part = buffer.slice(at, Math.min(this.#length, at + 1 + random.below(128)));
        for (let times = random.below(4); times >= 0; times--) this.#put(at, part, false);
      }
    }
  }

  /** Extends the input to the longest payload, or nearly. */
  #grow(): void {
    const random = this.#random;
    const target = MAX_BYTES - (random.once(2) ? 0 : random.below(MAX_BYTES - 300));
    if (random.once(2)) {
      return this.#insert(
        random.below(this.#length),
        random.pick(ODD_BYTES),
        target - this.#length,
      );
    }
    while (this.#length > 0 && this.#length < target) {
      this.#buffer.copyWithin(this.#length, 0, Math.min(this.#length, target - this.#length));
      this.#length = Math.min(this.#length * 2, target);
    }
  }

  #insert(at: number, byte: number, count: number): void {
    const room = Math.min(Math.max(count, 0), MAX_BYTES - this.#length);
    this.#buffer.copyWithin(at + room, at, this.#length);
    this.#buffer.fill(byte, at, at + room);
    this.#length += room;
  }

  #remove(at: number, count: number): void {
    const removed = Math.min(count, this.#length - at);
    this.#buffer.copyWithin(at, at + removed, this.#length);
    this.#length -= removed;
  }

  #put(at: number, part: Uint8Array, isOver: boolean): void {
    if (at + part.length > MAX_BYTES) return;
    if (!isOver) {
      const room = Math.min(part.length, MAX_BYTES - this.#length);
      this.#buffer.copyWithin(at + room, at, this.#length);
      this.#length += room;
    }
    this.#buffer.set(part, at);
    this.#length = Math.max(this.#length, at + part.length);
  }
}
