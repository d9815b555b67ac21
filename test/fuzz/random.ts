/** Random numbers from a seed, fast enough not to slow the fuzzer. */

/** mulberry32: 32 bits of state; every seed is good. */
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

  /** 0 to `limit` - 1; 0 if `limit` is 0. */
  below(limit: number): number {
    return limit > 1 ? this.next() % limit : 0;
  }

  /** True in one of `calls` calls, on average. */
  once(calls: number): boolean {
    return this.next() % calls === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.next() % items.length]!;
  }
}
