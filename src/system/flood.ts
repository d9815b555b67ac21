/**
 * Floods: how they are noticed, and how the rest of the program goes on meanwhile.
 *
 * Bun receives until the queue of a socket is empty. While datagrams come faster than they are
 * handled, no timer fires, no signal is handled and no file is written. So when the event loop stands
 * still, datagrams are held back for a turn (backlog.ts); if that is not enough, the socket is paused
 * for some milliseconds.
 */
import {
  type DatagramFilter,
  type DatagramShape,
  makeFilter,
  setFilter,
} from "./datagram-filter.ts";

/** flood: more datagrams than clients send. starving: the event loop stands still. */
export type Pressure = "flood" | "starving";

/** What is done about a flood. */
export interface Guard {
  onPressure(pressure: Pressure): void;
  close(): void;
}

/** How long a socket is paused, so that the event loop gets to all else. */
export const PAUSE_MS = 2;
/** How long the event loop may stand still. */
const STARVING_MS = 15;
/** More datagrams than fit into the receive buffer: a machine that was suspended finds it full. */
const MORE_THAN_BUFFERED = 1536;
/** 20,000 datagrams a second. */
const FLOOD = { datagrams: 2000, milliseconds: 100 };
/** How long, from a flood's beginning on, only datagrams of the wanted shapes are received. */
const FILTER_MS = 60_000;

/**
 * Returns a function that is called for each datagram, after it was handled, and tells whether there is
 * a flood. A slow machine, or one that was suspended, is not starving.
 */
export function pressureGauge(): () => Pressure | undefined {
  let handled = 0;
  /** Of this turn of the event loop. */
  let turn: { since: number; handled: number } | undefined;
  /** Of the last {@link FLOOD.milliseconds}. */
  let span = { since: 0, handled: 0 };
  return () => {
    if (++handled % 16 !== 0) return undefined; // to read the clock takes time, too
    const now = performance.now();
    if (now - span.since > FLOOD.milliseconds) span = { since: now, handled };
    if (turn === undefined) {
      turn = { since: now, handled };
      setImmediate(() => (turn = undefined)); // as soon as the event loop turns
    } else if (now - turn.since > STARVING_MS && handled - turn.handled > MORE_THAN_BUFFERED) {
      return "starving";
    }
    return handled - span.handled >= FLOOD.datagrams ? "flood" : undefined;
  };
}

/**
 * Guards sockets by filters in the kernel, so that they are never closed: no other program can take the
 * port, and what is in the receive buffer is kept.
 *
 * - A flood: for a minute the kernel lets datagrams of the wanted shapes through, and drops others
 *   at a fraction of the cost. Not always: the server counts what it drops, and says why.
 * - Starvation: the kernel drops everything for some milliseconds.
 */
export class FilterGuard implements Guard {
  readonly #fds = new Set<number>();
  readonly #nothing = makeFilter([]);
  readonly #wanted: DatagramFilter | undefined;
  #pause: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #flood: NodeJS.Timeout | undefined;

  /** @param shapes of the datagrams that are wanted under a flood; undefined: every datagram is */
  constructor(shapes: readonly DatagramShape[] | undefined) {
    this.#wanted = shapes && makeFilter(shapes);
  }

  /**
   * Guards one more socket.
   * @returns false where the system has no filters
   */
  add(fd: number): boolean {
    if (!setFilter(fd, this.#nothing)) return false;
    this.#fds.add(fd);
    setFilter(fd, this.#filter());
    return true;
  }

  /** Guards a socket no more, which is about to be closed. */
  remove(fd: number): void {
    this.#fds.delete(fd);
  }

  onPressure(pressure: Pressure): void {
    if (this.#wanted && this.#flood === undefined) {
      this.#flood = setTimeout(() => {
        this.#flood = undefined;
        this.#apply();
      }, FILTER_MS);
      this.#apply();
    }
    if (pressure === "starving" && this.#pause === undefined) {
      // What is in the receive buffer is handled first; the pause begins when the loop turns.
      this.#pause = setImmediate(() => {
        this.#pause = setTimeout(() => {
          this.#pause = undefined;
          this.#apply();
        }, PAUSE_MS);
      });
      this.#apply();
    }
  }

  close(): void {
    clearTimeout(this.#flood);
    clearImmediate(this.#pause as NodeJS.Immediate);
    clearTimeout(this.#pause as NodeJS.Timeout);
  }

  #filter(): DatagramFilter | undefined {
    if (this.#pause !== undefined) return this.#nothing;
    return this.#flood === undefined ? undefined : this.#wanted;
  }

  #apply(): void {
    const filter = this.#filter();
    for (const fd of this.#fds) setFilter(fd, filter);
  }
}
