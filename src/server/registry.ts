/**
 * The hosts in memory, and what a ping changes in them. Pure: the time is passed in, and nothing
 * here knows of sockets, keys or files.
 *
 * Who may change what: a plain ping is as good as whoever sent it, so it never touches a name that
 * was ever signed. A signed ping counts only with a higher counter than the last, and only from an
 * address that has shown it is there: the one already recorded, with or without a cookie, or one
 * with a good cookie.
 */
import type { Change, Host, HostStore } from "../host.ts";
import { familyOf } from "../protocol/address.ts";

export type PlainOutcome =
  | { readonly kind: "accepted"; readonly host: Host; readonly change: Change }
  /** Dropped. full: the name is new, and as many plain names as allowed are known. */
  | { readonly kind: "dropped"; readonly reason: "full" | "signed name" };

export type SignedOutcome =
  /** To be made durable, then {@link Registry.settle}d and acknowledged. */
  | { readonly kind: "accepted"; readonly host: Host; readonly change: Change }
  /** A copy of one that is being made durable, which will be answered. */
  | { readonly kind: "copy" }
  /**
   * Nothing changed: `counter` is the one to use next, with a cookie. `isOld` when the ping's own is
   * used up, as that of a replayed one is.
   */
  | { readonly kind: "challenge"; readonly counter: number; readonly isOld: boolean };

/** A signed ping, its MAC and cookie checked. */
export interface SignedPing {
  /** A signed name, see message.ts. */
  readonly name: string;
  /** Its counter, microseconds; exact up to 2^53 - 1. */
  readonly counter: number;
  readonly cookie: "none" | "good" | "bad";
  /** The datagram's source, canonical. */
  readonly address: string;
}

/** How far a counter may be from the clock, in microseconds: 300 s. */
export const COUNTER_WINDOW = 300_000_000;

/** Keeps `hosts` up to date, and never evicts one. */
export class Registry {
  readonly #hosts: HostStore;
  readonly #maxClients: number;
  /** Signed updates accepted and not yet durable: counters go by these, readers by `hosts`. */
  readonly #staged = new Map<string, Host>();
  #plainNames: number;

  /**
   * @param hosts the hosts known already, such as a client log's; there may be more than `maxClients`
   * @param maxClients from how many known plain names on a new one is dropped; at least 1
   */
  constructor(hosts: HostStore, maxClients: number) {
    this.#hosts = hosts;
    this.#maxClients = maxClients;
    this.#plainNames = hosts.size - hosts.signedSize;
  }

  /**
   * Records a plain ping, at once: nobody waits for it.
   * @param name as it was decoded from the datagram
   * @param address the datagram's source, canonical
   * @param now milliseconds since 1970, UTC
   */
  recordPlain(name: string, address: string, now: number): PlainOutcome {
    const known = this.#hosts.get(name);
    const folded = fold(name);
    const latest = folded === name ? (this.#staged.get(name) ?? known) : this.#latest(folded);
    if (latest?.counter !== undefined) return SIGNED_NAME;
    if (known === undefined) {
      if (this.#plainNames >= this.#maxClients) return FULL;
      this.#plainNames++;
    }
    const change = changeOf(known, address);
    const host = seen(known, address, now);
    this.#hosts.set(name, host);
    return { kind: "accepted", host, change };
  }

  /**
   * Decides on a signed ping. An accepted one is staged: the next is judged by it, and `hosts` has
   * it once {@link settle} says that it is durable.
   * @param now milliseconds since 1970, UTC
   */
  recordSigned({ name, counter, cookie, address }: SignedPing, now: number): SignedOutcome {
    if (this.#staged.get(name)?.counter === counter) return COPY;
    const known = this.#latest(name);
    // What a plain ping said of an address is no proof of it.
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
    const change: Change = known && !signed ? { kind: "signed" } : changeOf(signed, address);
    const { ipv4, ipv6 } = seen(signed, address, now);
    const host: Host =
      ipv4 && !ipv6 ? { ipv4, counter } : { ...(ipv4 && { ipv4 }), ipv6: ipv6!, counter };
    this.#staged.set(name, host);
    return { kind: "accepted", host, change };
  }

  /** The counter now stored for a signed name, durably; 0 if none. */
  counterOf(name: string): number {
    return this.#hosts.get(name)?.counter ?? 0;
  }

  /**
   * When a name was last seen by signed pings in an address's family, durably or not yet:
   * milliseconds since 1970, 0 if never. Cookies are made with it.
   */
  seenOf(name: string, address: string): number {
    const known = this.#latest(name);
    if (known?.counter === undefined) return 0;
    return known[familyOf(address)]?.lastSeen ?? 0;
  }

  /**
   * Ends the staging of an accepted signed ping.
   * @param host the record that {@link recordSigned} returned
   * @param isDurable whether it was made durable; if not, it is as if it had never been accepted,
   *   unless a newer one has been built on it meanwhile
   */
  settle(name: string, host: Host, isDurable: boolean): void {
    if (isDurable) {
      const known = this.#hosts.get(name);
      if (known !== undefined && known.counter === undefined) this.#plainNames--;
      this.#hosts.set(name, host);
    }
    if (this.#staged.get(name) === host) this.#staged.delete(name);
  }

  #latest(name: string): Host | undefined {
    return this.#staged.get(name) ?? this.#hosts.get(name);
  }
}

const FULL: PlainOutcome = { kind: "dropped", reason: "full" };
const SIGNED_NAME: PlainOutcome = { kind: "dropped", reason: "signed name" };
const COPY: SignedOutcome = { kind: "copy" };
const NEW: Change = { kind: "new" };
const SAME: Change = { kind: "same" };

/** The signed name that a plain name could be taken for: without regard to case or a final dot. */
function fold(name: string): string {
  if (FOLDED.test(name)) return name;
  // By way of upper case, as Unicode's case folding: ſ is an s.
  return name.toUpperCase().toLowerCase().replace(/\.+$/, "");
}

const FOLDED = /^[a-z0-9._-]*[a-z0-9_-]$/;

function changeOf(known: Host | undefined, address: string): Change {
  if (known === undefined) return NEW;
  const previous = known[familyOf(address)]?.address;
  return previous === address ? SAME : { kind: "moved", previous };
}

function seen(known: Host | undefined, address: string, now: number): Host {
  const family = familyOf(address);
  const sighting = known?.[family];
  const since = sighting?.address === address ? sighting.since : now;
  const here = { address, since, lastSeen: now };
  // Spreading costs more than all the rest; most hosts are in one family alone.
  return family === "ipv4" && !known?.ipv6 ? { ipv4: here } : { ...known, [family]: here };
}
