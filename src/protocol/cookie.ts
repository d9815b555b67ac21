/**
 * Cookies: proof that a client receives what is sent to the address that its pings come from, as
 * in DTLS (RFC 6347, section 4.2.1). Nothing is stored for one. Pure: time and key are passed in.
 */

/** A cookie is good for 30 to 60 seconds: in the epoch in which it was made, and in the next. */
export const EPOCH_MS = 30_000;

/** Makes and checks the cookies of one server process. */
export class Cookies {
  readonly #key: Uint8Array;

  /** @param key 32 random bytes, new in every process, so that no restart leaves old ones good */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /**
   * The cookie for a ping.
   * @param address the ping's source, canonical; without its port, which a NAT may change
   * @param name the ping's
   * @param now a monotonic clock, in milliseconds
   * @returns 32 lower-case hexadecimal digits
   */
  make(address: string, name: string, now: number): string {
    return this.#cookie(address, name, Math.floor(now / EPOCH_MS));
  }

  /** Whether a cookie was made for this address and name in this epoch or the one before. */
  isGood(cookie: string, address: string, name: string, now: number): boolean {
    const epoch = Math.floor(now / EPOCH_MS);
    return (
      cookie === this.#cookie(address, name, epoch) ||
      cookie === this.#cookie(address, name, epoch - 1)
    );
  }

  #cookie(address: string, name: string, epoch: number): string {
    // Neither an address nor a signed name has a space in it: no two inputs are one text.
    const text = `${address} ${name} ${epoch}`;
    return new Bun.CryptoHasher("sha256", this.#key).update(text).digest("hex").slice(0, 32);
  }
}
