/** The hosts of a bench: their names, their plain pings, and the secret that they share. */

export const SECRET = new Uint8Array(32).fill(7);

/** `host-000123`. Below a million all names have the same length. */
export function hostName(index: number): string {
  return `host-${String(index).padStart(6, "0")}`;
}

/**
 * Fills datagrams with the names of the hosts, one after the other in a scattered order, as real hosts
 * ping in no order. It reuses a few buffers, so that it is as fast with a million hosts as with one.
 * @param hosts a power of ten, at most a million
 */
export class Names {
  readonly #hosts: number;
  readonly #batch: Buffer[];
  #index = 0;

  constructor(hosts: number, batch: number) {
    this.#hosts = hosts;
    this.#batch = Array.from({ length: batch }, () => Buffer.from(hostName(0)));
  }

  /** The next datagrams; valid until the next call. */
  next(): Buffer[] {
    for (const datagram of this.#batch) {
      let rest = this.#index;
      for (let at = datagram.length - 1; at >= "host-".length; at--) {
        datagram[at] = ZERO + (rest % 10);
        rest = Math.trunc(rest / 10);
      }
      this.#index = (this.#index + STRIDE) % this.#hosts;
    }
    return this.#batch;
  }
}

const ZERO = "0".charCodeAt(0);

/** Coprime to every power of ten, so that every host gets its turn. */
const STRIDE = 7_368_787;
