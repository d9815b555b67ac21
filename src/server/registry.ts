/**
 * Decides whether a ping may change a record. Pure: the time is passed in; no sockets, keys or files.
 *
 * - A plain ping can come from anyone, so it never changes a name that was ever signed.
 * - A signed ping counts only with a higher counter than the last one, and only from an address that
 *   is proven: the recorded one, or one that sent a good cookie back.
 */
import type { Host, HostStore } from "../host.ts";
import { familyOf } from "../protocol/address.ts";

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
  /** A copy of a ping that is being made durable and will be answered. */
  | { readonly kind: "copy" }
  /**
   * Nothing changed. `counter` is the one to use next, together with a cookie. `isOld`: the counter
   * of the ping was used before, as that of a replayed ping is.
   */
  | { readonly kind: "challenge"; readonly counter: number; readonly isOld: boolean };

/** A signed ping whose MAC is right and whose cookie was checked. */
export interface SignedPing {
  /** A signed name, see message.ts. */
  readonly name: string;
  /** Its counter, microseconds; exact up to 2^53 - 1. */
  readonly counter: number;
  readonly cookie: "none" | "good" | "bad";
  /** The source address of the datagram, canonical. */
  readonly address: string;
}

/** How far a counter may be from the clock: 300 s, in microseconds. */
export const COUNTER_WINDOW = 300_000_000;

/** Judges pings by the hosts that are known. It never evicts a host. */
export class Registry {
  readonly #hosts: HostStore;
  readonly #maxClients: number;
  /** Records that are accepted and not yet durable: pings are judged by these, readers see `hosts`. */
  readonly #staged = new Map<string, Host>();
  /** The plain names in `hosts`. */
  #plainNames: number;
  /** The plain names in `#staged` that are not in `hosts`. */
  readonly #newPlainNames = new Set<string>();

  /**
   * @param hosts the known hosts, such as those of a client log; may be more than `maxClients`
   * @param maxClients a new plain name is refused once this many are known; at least 1
   */
  constructor(hosts: HostStore, maxClients: number) {
    this.#hosts = hosts;
    this.#maxClients = maxClients;
    this.#plainNames = hosts.size - hosts.signedSize;
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
    const folded = fold(name);
    const latest = folded === name ? (staged ?? known) : this.#latest(folded);
    if (latest?.counter !== undefined) return SIGNED_NAME;
    const isHere = (staged ?? known)?.[familyOf(address)]?.address === address;
    if (isHere && staged) return { kind: "copy", host: staged };
    if (isHere && known) {
      const host = seen(known, address, now);
      this.#hosts.set(name, host);
      return { kind: "seen", before: known, host };
    }
    if (!known && !staged) {
      if (this.#plainNames + this.#newPlainNames.size >= this.#maxClients) return FULL;
      this.#newPlainNames.add(name);
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
  recordSigned({ name, counter, cookie, address }: SignedPing, now: number): SignedOutcome {
    if (this.#staged.get(name)?.counter === counter) return SIGNED_COPY;
    const known = this.#latest(name);
    // The address in a plain ping is not proven.
    const signed = known?.counter === undefined ? undefined : known;
    const last = signed?.counter ?? 0;
    const clock = Math.max(0, Math.floor(now * 1000));
    const isRecorded = signed?.[familyOf(address)]?.address === address;
    const isAccepted =
      Number.isSafeInteger(counter) &&
      ((isRecorded && counter > last && Math.abs(counter - clock) <= COUNTER_WINDOW) ||
        (cookie === "good" && counter > last && counter <= Math.max(last, clock) + COUNTER_WINDOW));
    if (!isAccepted) {
      return { kind: "challenge", counter: Math.max(last + 1, clock), isOld: counter <= last };
    }
    const { ipv4, ipv6 } = seen(signed, address, now);
    const host: Host =
      ipv4 && !ipv6 ? { ipv4, counter } : { ...(ipv4 && { ipv4 }), ipv6: ipv6!, counter };
    this.#staged.set(name, host);
    return { kind: "accepted", host };
  }

  /**
   * Ends the staging of an accepted ping. If it could not be made durable, the ping is as if it had
   * never come, unless a newer one was built on it meanwhile.
   * @param host the record that the ping was accepted with
   * @returns the record in `hosts` before this one
   */
  settle(name: string, host: Host, isDurable: boolean): Host | undefined {
    const before = this.#hosts.get(name);
    if (isDurable) {
      const wasPlain = before !== undefined && before.counter === undefined;
      this.#plainNames += Number(host.counter === undefined) - Number(wasPlain);
      this.#hosts.set(name, host);
    }
    if (this.#staged.get(name) === host) this.#staged.delete(name);
    if (isDurable || !this.#staged.has(name)) this.#newPlainNames.delete(name);
    return before;
  }

  /**
   * When a name was last seen, by a signed ping, in the family of `address`: milliseconds since 1970,
   * 0 if never. It is part of each cookie, see cookie.ts.
   */
  seenOf(name: string, address: string): number {
    const known = this.#latest(name);
    if (known?.counter === undefined) return 0;
    return known[familyOf(address)]?.lastSeen ?? 0;
  }

  #latest(name: string): Host | undefined {
    return this.#staged.get(name) ?? this.#hosts.get(name);
  }
}

const FULL: PlainOutcome = { kind: "refused", reason: "full" };
const SIGNED_NAME: PlainOutcome = { kind: "refused", reason: "signed name" };
const SIGNED_COPY: SignedOutcome = { kind: "copy" };

/** The signed name that a plain name could be taken for: without regard to case or a final dot. */
function fold(name: string): string {
  if (FOLDED.test(name)) return name;
  // By way of upper case, as Unicode's case folding: ſ is an s.
  return name.toUpperCase().toLowerCase().replace(/\.+$/, "");
}

const FOLDED = /^[a-z0-9._-]*[a-z0-9_-]$/;

/** `known` with the sighting that a ping from `address` makes. */
function seen(known: Host | undefined, address: string, now: number): Host {
  const family = familyOf(address);
  const sighting = known?.[family];
  const since = sighting?.address === address ? sighting.since : now;
  const here = { address, since, lastSeen: now };
  // Spreading costs more than all the rest, and most hosts are in one family alone.
  return family === "ipv4" && !known?.ipv6 ? { ipv4: here } : { ...known, [family]: here };
}
