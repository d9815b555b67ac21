/** What a client's sockets have received and the exchange has not looked at yet. */
import { decodeReply, hasMac, type Reply } from "../protocol/message.ts";

/** What an inbox takes of the world. */
export interface InboxParts {
  /** Milliseconds of a monotonic clock. */
  monotonic: () => number;
  /** Resolves after this many milliseconds, or as soon as the signal is aborted. */
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** Datagrams in the order in which they came. */
export class Inbox {
  readonly #parts: InboxParts;
  readonly #datagrams: Uint8Array[] = [];
  #arrival = new AbortController();

  constructor(parts: InboxParts) {
    this.#parts = parts;
  }

  /** @param datagram copied, since a socket's is valid during the call alone */
  put(datagram: Uint8Array): void {
    this.#datagrams.push(Uint8Array.from(datagram));
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
        const datagram = this.#datagrams.shift();
        if (datagram === undefined) break;
        const reply = decodeReply(datagram);
        if (reply && isOurs(reply) && hasMac(datagram, key)) return reply;
      }
      const left = until - this.#parts.monotonic();
      if (left <= 0) return undefined;
      this.#arrival = new AbortController();
      await this.#parts.sleep(left, this.#arrival.signal);
    }
  }
}
