/** The counters of pings to one server: every ping has its own, higher than the one before. */
import { decodeCounter } from "../protocol/message.ts";

/** Pings in two families share this, so that they never share a counter. */
export class Counters {
  readonly #now: () => number;
  readonly #used = new Set<number>();
  #previous = 0;
  /** Whether a server has named a counter: from then on this machine's clock is not asked. */
  #isNamed = false;

  /** @param now milliseconds since 1970, by a clock that may be wrong */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The next ping's counter: the clock in microseconds, or one more than before. */
  next(): number {
    const clock = this.#isNamed ? 0 : Math.floor(this.#now() * 1000);
    let counter = Math.max(clock, this.#previous + 1);
    while (this.#used.has(counter)) counter++; // the other family's
    this.#used.add(counter);
    this.#previous = counter;
    return counter;
  }

  /**
   * Counts on from the counter that a challenge names, even if it is lower than the one before: the
   * server may have set its clock back.
   * @param named 16 hexadecimal digits
   */
  follow(named: string): void {
    this.#isNamed = true;
    this.#previous = decodeCounter(named) - 1;
  }
}
