/** What a client's sockets have received and the exchange has not looked at yet. */
import { hasMac } from "../protocol/message.ts";
import type { Observe } from "./evidence.ts";

/** What an inbox takes of the world. */
export interface InboxParts {
  /** Milliseconds of a monotonic clock. */
  monotonic: () => number;
  /** Resolves after this many milliseconds, or as soon as the signal is aborted. */
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Told what happens. */
  observe: Observe;
}

/** Which datagrams are wanted. */
export interface Wanted<T> {
  /** What a datagram says; undefined when it has another form. */
  decode: (datagram: Uint8Array) => T | undefined;
  /** The key of its MAC. */
  key: Uint8Array;
  /** Whether it answers what we have sent. */
  isOurs: (message: T) => boolean;
}

/** Datagrams in the order in which they came. */
export class Inbox {
  readonly #parts: InboxParts;
  readonly #datagrams: { datagram: Uint8Array; address: string }[] = [];
  #arrival = new AbortController();

  constructor(parts: InboxParts) {
    this.#parts = parts;
  }

  /**
   * @param datagram copied, since a socket's is valid during the call alone
   * @param address where it came from
   */
  put(datagram: Uint8Array, address: string): void {
    this.#datagrams.push({ datagram: Uint8Array.from(datagram), address });
    this.#arrival.abort();
  }

  /**
   * The next wanted message with a right MAC. All other datagrams are ignored.
   * @param until by the monotonic clock
   * @returns undefined when there is none until then
   */
  async take<T>({ decode, key, isOurs }: Wanted<T>, until: number): Promise<T | undefined> {
    for (;;) {
      for (;;) {
        const next = this.#datagrams.shift();
        if (next === undefined) break;
        const { datagram, address } = next;
        const message = decode(datagram);
        if (message === undefined || !hasMac(datagram, key)) {
          this.#parts.observe({ kind: "unsigned", address, bytes: datagram.length });
        } else if (isOurs(message)) return message;
      }
      const left = until - this.#parts.monotonic();
      if (left <= 0) return undefined;
      this.#arrival = new AbortController();
      await this.#parts.sleep(left, this.#arrival.signal);
    }
  }
}
