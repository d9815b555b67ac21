/**
 * Holds datagrams back while the event loop stands still, so that it turns and none is lost.
 *
 * Bun receives until the queue of a socket is empty. Clients that send the next datagram when they are
 * answered keep it from getting empty for as long as they are answered. A datagram that is held is
 * answered a turn later, so that these clients are silent, and the loop turns. Senders that wait for
 * nothing fill the backlog: that is a flood, and for the guard of the socket.
 */
/** More than the clients of a busy server send before they are answered; half a megabyte. */
const MAX_HELD = 1024;

/** @typeParam From what a datagram comes with, such as its sender */
export class Backlog<From extends readonly unknown[]> {
  readonly #handle: (datagram: Uint8Array, ...from: From) => void;
  #held: [Uint8Array, ...From][] | undefined;
  /** Whether it was full in this turn. */
  #isFull = false;
  #release: NodeJS.Immediate | undefined;

  /** @param handle takes the datagrams, in their order */
  constructor(handle: (datagram: Uint8Array, ...from: From) => void) {
    this.#handle = handle;
  }

  /**
   * Begins to hold, until the loop has turned.
   * @returns false when it was full in this turn
   */
  begin(): boolean {
    if (this.#isFull) return false;
    this.#held = [];
    this.#release = setImmediate(() => {
      this.#isFull = false;
      this.#handleAll();
    });
    return true;
  }

  /**
   * Holds a datagram, if it began to hold.
   * @returns false when the datagram is for the caller to handle
   */
  holds(datagram: Uint8Array, ...from: From): boolean {
    if (this.#held === undefined) return false;
    this.#held.push([Buffer.from(datagram), ...from]);
    if (this.#held.length === MAX_HELD) {
      this.#isFull = true;
      this.#handleAll();
    }
    return true;
  }

  close(): void {
    clearImmediate(this.#release);
    this.#held = undefined;
  }

  #handleAll(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const datagram of held) this.#handle(...datagram);
  }
}
