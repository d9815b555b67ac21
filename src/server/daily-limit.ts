/** A limit on how much is written in a day, in all and for each key. Pure: the clock is passed in. */

export interface DailyLimitOptions {
  /** Bytes in all, at least 1. */
  bytes: number;
  /** Times for each key, at least 1. */
  perKey: number;
}

/**
 * Whether one more message is written. last: it is, and no more of its key, or none at all, will be
 * until the day is over.
 */
export type Verdict = "written" | "last of key" | "last of all" | "left out";

/**
 * How much is written in a day about hosts that are new or have moved, the signed and the plain ones:
 * what clients do must not fill a disk.
 */
export const NEWS_PER_DAY = {
  signed: { bytes: 250_000, perKey: 50 },
  plain: { bytes: 100_000, perKey: 50 },
} as const satisfies Readonly<Record<string, DailyLimitOptions>>;

/** Counts what is written. A day is 24 hours, and the first one begins with the first message. */
export class DailyLimit {
  readonly #options: DailyLimitOptions;
  readonly #monotonic: () => number;
  readonly #counts = new Map<string, number>();
  #end = Number.NEGATIVE_INFINITY;
  #left = 0;

  /** @param monotonic milliseconds of a monotonic clock */
  constructor(options: DailyLimitOptions, monotonic: () => number) {
    this.#options = options;
    this.#monotonic = monotonic;
  }

  /** Whether {@link take} would let one more message of a key pass. */
  has(key: string): boolean {
    this.#beginDay();
    return this.#left > 0 && (this.#counts.get(key) ?? 0) < this.#options.perKey;
  }

  /** @param bytes the length of the message */
  take(key: string, bytes: number): Verdict {
    this.#beginDay();
    const count = (this.#counts.get(key) ?? 0) + 1;
    // Keys are kept only while something is left, so that they cannot use up the memory.
    if (this.#left <= 0 || count > this.#options.perKey) return "left out";
    this.#counts.set(key, count);
    this.#left -= bytes;
    if (this.#left <= 0) return "last of all";
    return count === this.#options.perKey ? "last of key" : "written";
  }

  #beginDay(): void {
    const now = this.#monotonic();
    if (now < this.#end) return;
    this.#end = now + DAY_MS;
    this.#left = this.#options.bytes;
    this.#counts.clear();
  }
}

const DAY_MS = 86_400_000;
