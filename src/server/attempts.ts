/**
 * Writes a file that the server keeps beside the client log, such as the hosts file. A disk that
 * refuses is said once, and so is that it works again; meanwhile the pause between two tries grows.
 */
import type { Log } from "../system/log.ts";

/** The pause after a try that failed, in milliseconds: it doubles each time, up to the second. */
const MIN_PAUSE_MS = 500;
const MAX_PAUSE_MS = 60_000;

/** Tries to write one file. */
export class Attempts {
  readonly #what: string;
  readonly #log: Log;
  readonly #reasonOf: (error: unknown) => string;
  #failures = 0;

  /**
   * @param what the file, for messages: `hosts file "/srv/hosts"`
   * @param reasonOf the words of an error
   */
  constructor(what: string, log: Log, reasonOf: (error: unknown) => string) {
    this.#what = what;
    this.#log = log;
    this.#reasonOf = reasonOf;
  }

  /** Whether the last try failed. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** How long to wait before the next try if there is nothing new to write, in milliseconds. */
  get pause(): number {
    return Math.min(MIN_PAUSE_MS * 2 ** Math.max(0, this.#failures - 1), MAX_PAUSE_MS);
  }

  /** Tries once; whether that has worked. */
  async attempt(write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
    } catch (error) {
      if (!this.isFailing) {
        this.#log.error(`Cannot write ${this.#what}: ${this.#reasonOf(error)}`, RETRIED);
      }
      this.#failures++;
      return false;
    }
    if (this.isFailing) this.#log.warn(`${this.#what} is written again`);
    this.#failures = 0;
    return true;
  }
}

const RETRIED = "it is tried again until it works, at least once a minute";
