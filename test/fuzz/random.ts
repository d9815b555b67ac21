/** Random numbers that a seed repeats, fast enough not to be what is measured. */

/** mulberry32: 32 bits of state, every seed a good one. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 to 2^32 - 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), 61 | bits);
    return (bits ^ (bits >>> 14)) >>> 0;
  }

  /** 0 to `limit` - 1; 0 where there is nothing below. */
  below(limit: number): number {
    return limit > 1 ? this.next() % limit : 0;
  }

  /** True once in so many times. */
  once(inSoMany: number): boolean {
    return this.next() % inSoMany === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.next() % items.length]!;
  }
}
