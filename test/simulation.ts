/** Simulated time, for tests in which minutes pass in milliseconds. */
import type { ClientParts } from "../src/client/client.ts";

/** A simulated time in whole milliseconds, and the events that are due. */
export class Simulation {
  time = 0;
  #events: { time: number; act: () => void }[] = [];

  /** Calls `act` after this many milliseconds, and after earlier events of the same time. */
  after(milliseconds: number, act: () => void): { cancel(): void } {
    const event = { time: this.time + milliseconds, act };
    const later = this.#events.findIndex(({ time }) => time > event.time);
    this.#events.splice(later === -1 ? this.#events.length : later, 0, event);
    return { cancel: () => void (this.#events = this.#events.filter((one) => one !== event)) };
  }

  /** Lets time pass until the promise is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = () => void (isSettled = true);
    promise.then(settle, settle);
    for (;;) {
      // First everything happens that can happen now, through any number of promises.
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (isSettled) return await promise;
      const event = this.#events.shift();
      if (!event) throw new Error("something waits, and no event is left");
      this.time = event.time;
      event.act();
    }
  }

  /** For code in the simulation: resolves after this many milliseconds. */
  wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void this.after(milliseconds, resolve));
  }

  /** For the test itself: lets this much time pass. */
  async pass(milliseconds: number): Promise<void> {
    await this.until(this.wait(milliseconds));
  }

  /** The clock, the timer and the nonces of a client. */
  clientParts(): Pick<ClientParts, "monotonic" | "sleep" | "nonce" | "observe"> {
    let nonces = 0;
    return {
      // A monotonic clock starts anywhere: not where the server's does.
      monotonic: () => 7_654_321 + this.time,
      sleep: (milliseconds, signal) =>
        new Promise((resolve) => {
          if (signal.aborted) return resolve();
          const event = this.after(milliseconds, resolve);
          signal.addEventListener("abort", () => {
            event.cancel();
            resolve();
          });
        }),
      observe() {},
      nonce: () => (++nonces).toString(16).padStart(16, "0"),
    };
  }
}
