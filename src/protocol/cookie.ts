/**
 * Cookies: a client that sends one back has received it, so it is where its datagrams come from
 * (RFC 6347, section 4.2.1, has the same for DTLS). The server stores nothing for a cookie.
 * Pure: time and key are passed in.
 */

/** A cookie is good in the epoch in which it was made and in the next: for 30 to 60 seconds. */
export const EPOCH_MS = 30_000;

/** What a cookie is asked for. A cookie for one purpose is bad for every other. */
export type Purpose = "ping" | "question";

/** Makes and checks the cookies of one server process. */
export class Cookies {
  /** HMAC-SHA256 with the key, to be copied: making one costs more than hashing. */
  readonly #hasher: Bun.CryptoHasher;

  /** @param key 32 random bytes, new in every process: a restart makes all older cookies bad */
  constructor(key: Uint8Array) {
    this.#hasher = new Bun.CryptoHasher("sha256", key);
  }

  /**
   * Makes the cookie of a challenge.
   * @param address the datagram's source, canonical; without its port, which a NAT may change
   * @param name the signed name that pings or asks
   * @param seen 0 for a question, which changes nothing. For a ping: when the name was last seen by
   *   signed pings in this address family, milliseconds since 1970, or 0 if never. The next accepted
   *   ping changes it, and the cookie is bad from then on. So an answer to a challenge that somebody
   *   held back moves no record backwards.
   * @param now a monotonic clock, in milliseconds
   * @returns 32 lower-case hexadecimal digits
   */
  make(purpose: Purpose, address: string, name: string, seen: number, now: number): string {
    return this.#cookie(`${purpose} ${address} ${name} ${seen}`, Math.floor(now / EPOCH_MS));
  }

  /** Whether `cookie` was made for all of this in the current epoch or in the one before. */
  isGood(
    cookie: string,
    purpose: Purpose,
    address: string,
    name: string,
    seen: number,
    now: number,
  ): boolean {
    const use = `${purpose} ${address} ${name} ${seen}`;
    const epoch = Math.floor(now / EPOCH_MS);
    return cookie === this.#cookie(use, epoch) || cookie === this.#cookie(use, epoch - 1);
  }

  /** @param use parts without spaces, joined by spaces: no two uses are one text */
  #cookie(use: string, epoch: number): string {
    return this.#hasher.copy().update(`${use} ${epoch}`).digest("hex").slice(0, 32);
  }
}
