/** A clock that stands still until it is told to go on, with the sleepers that it wakes. */
export class SimulatedClock {
  /** Milliseconds. */
  #now = 0;
  #sleepers: { readonly until: number; readonly wake: () => void }[] = [];

  readonly now = (): number => this.#now;

  /** Resolves when so many milliseconds have gone by, or rejects when the signal is aborted. */
  readonly sleep = (milliseconds: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      this.#sleepers.push({ until: this.#now + milliseconds, wake: resolve });
    });

  /**
   * Goes on to a time, and wakes on its way who has slept until then, one after the other.
   * @param settle resolves when what they do then is done, or asleep again
   */
  async goOnTo(time: number, settle: () => Promise<void>): Promise<void> {
    for (;;) {
      this.#sleepers.sort((a, b) => a.until - b.until);
      const next = this.#sleepers[0];
      if (next === undefined || next.until > time) break;
      this.#sleepers.shift();
      this.#now = next.until;
      next.wake();
      await settle();
    }
    this.#now = time;
  }
}
