/**
 * Holds datagrams back while the event loop stands still, so that it turns and none is lost.
 *
 * Bun receives until the queue of a socket is empty. Clients that send the next datagram when they are
 * answered keep it from getting empty for as long as they are answered. A datagram that is held is
 * answered a turn later, so that these clients are silent, and the loop turns. Senders that wait for
 * nothing fill the backlog: that is a flood, and for the guard of the socket. To hold datagrams would only
 * cost time then, so that it does not begin again for a second.
 */

/** More than the clients of a busy server send before they are answered; half a megabyte. */
const MAX_HELD = 1024;

/** How long it does not begin to hold after it was full. */
const FLOOD_MS = 1000;

/** Takes what it held, as the handler of a socket does. */
type Handle = (datagram: Uint8Array, address: string, port: number, peer: string) => void;

export class Backlog {
  readonly #handle: Handle;
  readonly #now: () => number;
  #held: Parameters<Handle>[] | undefined;
  #fullAt = Number.NEGATIVE_INFINITY;
  #release: NodeJS.Immediate | undefined;

  /**
   * @param handle takes the datagrams, in their order
   * @param now milliseconds of a monotonic clock
   */
  constructor(handle: Handle, now: () => number) {
    this.#handle = handle;
    this.#now = now;
  }

  /** Whether the next datagram is to be held. */
  get isHolding(): boolean {
    return this.#held !== undefined;
  }

  /**
   * Begins to hold, until the loop has turned.
   * @returns false when it was full within the last second
   */
  begin(): boolean {
    if (this.#now() - this.#fullAt < FLOOD_MS) return false;
    this.#held = [];
    this.#release = setImmediate(() => this.#handleAll());
    return true;
  }

  /** Holds a copy of a datagram; only while {@link isHolding}. */
  hold(datagram: Uint8Array, address: string, port: number, peer: string): void {
    if (this.#held?.push([Buffer.from(datagram), address, port, peer]) !== MAX_HELD) return;
    this.#fullAt = this.#now();
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
