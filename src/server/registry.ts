/**
 * Decides whether a ping may change a record. Pure: the time is passed in; no sockets, keys or files.
 *
 * A plain ping can come from anyone, so it never changes a name that was ever signed.
 *
 * A signed ping counts only with a higher counter than the last one, which prevents replay, and only
 * from an address that is proven. `last` is the stored counter of its name, 0 if none, `now` the clock
 * of the server, both in microseconds, and W = 300 s:
 *
 * 1. From the recorded address, if a ping has proven that, it is accepted if counter > last and |counter - now| <= W.
 * 2. With a good cookie, it is accepted if last < counter <= max(last + 32, now + W).
 * 3. Otherwise it is challenged, with the counter to use next, max(last + 1, now). Nothing changes.
 *
 * So the clock of the client decides whether a ping takes one round trip or two, never whether it
 * works. The bound in 2 keeps somebody who stole a key from pushing the counter to 2^53, where no
 * later ping, signed with a new key or not, could ever be accepted: 300 s ahead of the clock, he gains
 * 32 us with each ping, which is slower than the clock up to 31,250 pings a second. A client that was
 * challenged sends at most 7 datagrams before it is challenged again, see exchange.ts.
 *
 * A claim is an address that a router names, by dyndns2, with the password of a name. It is recorded, and
 * marked as claimed: no ping came from there, so rule 1 does not apply to it.
 */
import type { Host, HostStore, Sighting } from "../host.ts";
import { NameMap } from "../name-map.ts";
import { type Family, familyOf } from "../protocol/address.ts";
import { COUNTER_WINDOW } from "../protocol/message.ts";
import { foldName } from "../protocol/name.ts";

/** A plain ping was not accepted. full: its name is new, and `maxClients` plain names are known. */
export type PlainRefusal = "full" | "signed name";

export type PlainOutcome =
  /** To be made durable, then {@link Registry.settle}d. */
  | { readonly kind: "accepted"; readonly host: Host }
  /** A known host is where it was: `hosts` has the new time already. */
  | { readonly kind: "seen"; readonly before: Host; readonly host: Host }
  /** It says what a ping says that was accepted with this record, which is not settled yet. */
  | { readonly kind: "copy"; readonly host: Host }
  | { readonly kind: "refused"; readonly reason: PlainRefusal };

export type SignedOutcome =
  /** To be made durable, then {@link Registry.settle}d and acknowledged. */
  | { readonly kind: "accepted"; readonly host: Host }
  /** A copy of a ping that was accepted with this record, which is not settled yet. */
  | { readonly kind: "copy"; readonly host: Host }
  /** Nothing changed. `counter` is the one to use next, together with a cookie. */
  | { readonly kind: "challenge"; readonly counter: number };

/** A signed ping whose MAC is right and whose cookie was checked. */
export interface SignedPing {
  /** A signed name, see message.ts. */
  readonly name: string;
  /** Its counter, microseconds; exact up to 2^53 - 1. */
  readonly counter: number;
  /** Whether it has a good cookie. */
  readonly hasCookie: boolean;
  /** The source address of the datagram, canonical. */
  readonly address: string;
}

/** How far a counter may be ahead of the last one, whatever the clock: more than an exchange sends. */
export const COUNTER_LEAP = 32;

/**
 * Judges pings by the hosts that are known. It never evicts a host; the client log may, if no ping of
 * it is staged.
 */
export class Registry {
  readonly #hosts: HostStore;
  readonly #maxClients: number;
  /** Records that are accepted and not yet durable: pings are judged by these, readers see `hosts`. */
  readonly #staged: NameMap<Host>;
  /** The plain names in `#staged` that are not in `hosts`. */
  readonly #newPlainNames: NameMap<true>;

  /**
   * @param hosts the known hosts, such as those of a client log; may be more than `maxClients`
   * @param maxClients a new plain name is refused once this many are known; at least 1
   */
  constructor(hosts: HostStore, maxClients: number) {
    this.#hosts = hosts;
    this.#maxClients = maxClients;
    this.#staged = new NameMap((name) => hosts.hashOf(name));
    this.#newPlainNames = new NameMap((name) => hosts.hashOf(name));
  }

  /**
   * Decides on a plain ping. News is staged, as that of a signed ping is; a ping from the recorded
   * address only moves the time in `hosts` on.
   * @param name as decoded from the datagram
   * @param address the source address of the datagram, canonical
   * @param now milliseconds since 1970, UTC
   */
  recordPlain(name: string, address: string, now: number): PlainOutcome {
    const known = this.#hosts.get(name);
    const staged = this.#staged.get(name);
    const folded = foldName(name);
    const alike = folded === undefined || folded === name ? undefined : this.#latest(folded);
    if ((alike ?? staged ?? known)?.counter !== undefined) return SIGNED_NAME;
    const isHere = (staged ?? known)?.[familyOf(address)]?.address === address;
    if (isHere && staged) return { kind: "copy", host: staged };
    if (isHere && known) {
      const host = seen(known, address, now);
      this.#hosts.set(name, host);
      return { kind: "seen", before: known, host };
    }
    if (!known && !staged) {
      const plainNames = this.#hosts.size - this.#hosts.signedSize;
      if (plainNames + this.#newPlainNames.size >= this.#maxClients) return FULL;
      this.#newPlainNames.set(name, true);
    }
    const host = seen(staged ?? known, address, now);
    this.#staged.set(name, host);
    return { kind: "accepted", host };
  }

  /**
   * Decides on a signed ping. An accepted one is staged: the next ping is judged by it, and `hosts`
   * has it once {@link settle} says that it is durable.
   * @param now milliseconds since 1970, UTC
   */
  recordSigned({ name, counter, hasCookie, address }: SignedPing, now: number): SignedOutcome {
    const family = familyOf(address);
    const staged = this.#staged.get(name);
    if (staged?.counter === counter && isProvenAt(staged, family, address)) {
      return { kind: "copy", host: staged };
    }
    const signed = this.#signed(name);
    const last = signed?.counter ?? 0;
    const clock = Math.max(0, Math.floor(now * 1000));
    const isNew = counter > last && Number.isSafeInteger(counter);
    const isRecorded = isProvenAt(signed, family, address);
    const isNear = Math.abs(counter - clock) <= COUNTER_WINDOW;
    const isBounded = counter <= Math.max(last + COUNTER_LEAP, clock + COUNTER_WINDOW);
    if (!isNew || !((isRecorded && isNear) || (hasCookie && isBounded))) {
      return { kind: "challenge", counter: Math.max(last + 1, clock) };
    }
    const { ipv4, ipv6 } = seen(signed, address, now);
    const host: Host =
      ipv4 && !ipv6 ? { ipv4, counter } : { ...(ipv4 && { ipv4 }), ipv6: ipv6!, counter };
    this.#staged.set(name, host);
    return { kind: "accepted", host };
  }

  /**
   * Records an address that was claimed for a name. The counter stays; a name that was never signed gets
   * 0, and is signed from then on. An address that is proven stays so.
   * @param name a signed name; the claim was authenticated
   * @param address canonical
   * @param now milliseconds since 1970, UTC
   * @returns the record, to be made durable, then {@link settle}d; and whether the name was elsewhere
   */
  recordClaim(name: string, address: string, now: number): { host: Host; isNews: boolean } {
    const family = familyOf(address);
    const signed = this.#signed(name);
    const known = signed?.[family];
    const isNews = known?.address !== address;
    const here: Sighting = {
      address,
      since: isNews ? now : known.since,
      lastSeen: now,
      ...((isNews || known.claimed) && { claimed: true }),
    };
    const host: Host = { ...signed, [family]: here, counter: signed?.counter ?? 0 };
    this.#staged.set(name, host);
    return { host, isNews };
  }

  /**
   * Ends the staging of an accepted ping or of a claim. If it could not be made durable, it is as if it
   * had never come, unless a newer one was built on it meanwhile.
   * @param host the record that it was accepted with
   * @returns the record in `hosts` before this one
   */
  settle(name: string, host: Host, isDurable: boolean): Host | undefined {
    const before = this.#hosts.get(name);
    if (isDurable) this.#hosts.set(name, host);
    if (this.#staged.get(name) === host) this.#staged.delete(name);
    if (isDurable || !this.#staged.get(name)) this.#newPlainNames.delete(name);
    return before;
  }

  /**
   * When a name was last seen, by a signed ping or a claim, in the family of `address`: milliseconds since
   * 1970, 0 if never. It is part of each cookie, see cookie.ts.
   */
  seenOf(name: string, address: string): number {
    return this.#signed(name)?.[familyOf(address)]?.lastSeen ?? 0;
  }

  /** What signed pings and claims say of a name; what plain pings say, anybody could have said. */
  #signed(name: string): Host | undefined {
    const latest = this.#latest(name);
    return latest?.counter === undefined ? undefined : latest;
  }

  #latest(name: string): Host | undefined {
    return this.#staged.get(name) ?? this.#hosts.get(name);
  }
}

/** Whether a signed ping came from this address, and the host is still recorded there. */
function isProvenAt(host: Host | undefined, family: Family, address: string): boolean {
  const sighting = host?.[family];
  return sighting?.address === address && !sighting.claimed;
}

const FULL: PlainOutcome = { kind: "refused", reason: "full" };
const SIGNED_NAME: PlainOutcome = { kind: "refused", reason: "signed name" };

/** `known` with the sighting that a ping from `address` makes. */
function seen(known: Host | undefined, address: string, now: number): Host {
  const family = familyOf(address);
  const sighting = known?.[family];
  const since = sighting?.address === address ? sighting.since : now;
  const here = { address, since, lastSeen: now };
  // Spreading costs more than all the rest, and most hosts are in one family alone.
  return family === "ipv4" && !known?.ipv6 ? { ipv4: here } : { ...known, [family]: here };
}
