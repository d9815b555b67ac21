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

/** Takes what it held, as the handler of a socket does. */
type Handle = (datagram: Uint8Array, address: string, port: number, peer: string) => void;

export class Backlog {
  readonly #handle: Handle;
  #held: Parameters<Handle>[] | undefined;
  /** Whether it was full in this turn. */
  #isFull = false;
  #release: NodeJS.Immediate | undefined;

  /** @param handle takes the datagrams, in their order */
  constructor(handle: Handle) {
    this.#handle = handle;
  }

  /** Whether the next datagram is to be held. */
  get isHolding(): boolean {
    return this.#held !== undefined;
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

  /** Holds a copy of a datagram; only while {@link isHolding}. */
  hold(datagram: Uint8Array, address: string, port: number, peer: string): void {
    if (this.#held?.push([Buffer.from(datagram), address, port, peer]) !== MAX_HELD) return;
    this.#isFull = true;
    this.#handleAll();
  }

  close(): void {
    clearImmediate(this.#release);
    this.#held = undefined;
  }

  #handleAll(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const [datagram, address, port, peer] of held) this.#handle(datagram, address, port, peer);
  }
}
