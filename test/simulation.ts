/** Simulated time, for tests in which minutes pass in milliseconds. */
import type { ClientParts } from "../src/client/client.ts";

/** Simulated time in whole milliseconds, and what is to happen in it. */
export class Simulation {
  time = 0;
  #events: { time: number; act: () => void }[] = [];

  /** Has `act` happen after so long; after what was planned for the same time before. */
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
      // Everybody does all that can be done now, through however many promises.
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (isSettled) return await promise;
      const event = this.#events.shift();
      if (!event) throw new Error("somebody waits, and nothing is left to happen");
      this.time = event.time;
      event.act();
    }
  }

  /** For somebody in the simulation: resolves after so long. */
  wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void this.after(milliseconds, resolve));
  }

  /** For the test itself: lets so much time pass. */
  async pass(milliseconds: number): Promise<void> {
    await this.until(this.wait(milliseconds));
  }

  /** What a client needs of time and chance. */
  clientParts(): Pick<ClientParts, "monotonic" | "sleep" | "nonce"> {
    let nonces = 0;
    return {
      // Such clocks count from the start of something, here of another thing than the server's.
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
      nonce: () => (++nonces).toString(16).padStart(16, "0"),
    };
  }
}
