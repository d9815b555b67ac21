/** What a client's sockets have received and the exchange has not looked at yet. */
import { decodeReply, hasMac, type Reply } from "../protocol/message.ts";
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
   * The next reply with a right MAC that `isOurs`. All other datagrams are ignored.
   * @param until by the monotonic clock
   * @returns undefined when there is none until then
   */
  async take(
    key: Uint8Array,
    isOurs: (reply: Reply) => boolean,
    until: number,
  ): Promise<Reply | undefined> {
    for (;;) {
      for (;;) {
        const next = this.#datagrams.shift();
        if (next === undefined) break;
        const { datagram, address } = next;
        const reply = decodeReply(datagram);
        if (!reply || !hasMac(datagram, key)) {
          this.#parts.observe({ kind: "unsigned", address, bytes: datagram.length });
        } else if (isOurs(reply)) return reply;
      }
      const left = until - this.#parts.monotonic();
      if (left <= 0) return undefined;
      this.#arrival = new AbortController();
      await this.#parts.sleep(left, this.#arrival.signal);
    }
  }
}
