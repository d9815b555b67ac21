/** A simulated clock: it stands still until `goOnTo`, which wakes whatever sleeps until then. */
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
   * Goes on to a time. On its way it wakes the sleepers one by one, in the order of their time.
   * @param settle resolves when the work that a sleeper then does is done or asleep again
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
