/** What is known of one machine, and how it changes: the types that the server and the store share. */
import type { Family } from "./protocol/address.ts";

/** Where a host was last seen in one address family. Times are milliseconds since 1970, UTC. */
export interface Sighting {
  /** Canonical, see address.ts. */
  readonly address: string;
  /** When this address was first seen for the host. */
  readonly since: number;
  readonly lastSeen: number;
  /**
   * Set where the address is not proven: no ping came from it, it was named in a request by dyndns2 that
   * had the password of the host.
   */
  readonly claimed?: true;
}

/** One host: a sighting for each family that it was seen in. A record is replaced, never changed. */
export type Host = { readonly [F in Family]?: Sighting } & {
  /**
   * The last accepted counter, microseconds, at most 2^53 - 1; only signed hosts have one. 0: the host is
   * signed and has never pinged, its router reports for it.
   */
  readonly counter?: number;
};

/** All hosts by name. */
export type Hosts = Map<string, Host>;

/** The hosts that a server knows, by name: what the registry and the client log use of them. */
export interface HostStore extends Iterable<[name: string, host: Host]> {
  readonly size: number;
  /** How many of the hosts are signed. */
  readonly signedSize: number;
  /** A hash of a name that no attacker can compute, for a NameMap: 32 bits. */
  hashOf(name: string): number;
  get(name: string): Host | undefined;
  /** Adds a host, or replaces it. */
  set(name: string, host: Host): void;
  /** Forgets a host, if it is known. */
  delete(name: string): void;
}

/**
 * A record that has changed. Whether it is news is for the reader of it to say: a ping from the
 * recorded address changes `lastSeen` alone.
 */
export interface Change {
  readonly name: string;
  /** The family of the address that the ping came from. */
  readonly family: Family;
  /** The record before; undefined for a new host. */
  readonly before: Host | undefined;
  /** The record now, which has a sighting in `family`. */
  readonly now: Host;
  /** When the ping or the request arrived: milliseconds since 1970, UTC. */
  readonly time: number;
  /**
   * How the address was reported: by a signed ping, by a request that had the password of the host and
   * named the address, or by a plain ping, which anyone can forge.
   */
  readonly how: "proven" | "claimed" | "plain";
}

/**
 * A host that was added or removed without a ping: a person edited the client log, or a signed name
 * replaced a plain one that looks like it. A host that was renamed is both. It is no {@link Change}:
 * it has no address that was reported, no family and no time.
 */
export interface Edit {
  readonly name: string;
  readonly kind: "added" | "removed";
}
