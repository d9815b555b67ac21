/** What is known of one machine, as the server, the client log and their readers share it. Types alone. */
import type { Family } from "./protocol/address.ts";

/** Where a host was last seen in one address family. Times are milliseconds since 1970, UTC. */
export interface Sighting {
  /** Canonical, see address.ts. */
  readonly address: string;
  /** When this address was first seen for the host. */
  readonly since: number;
  readonly lastSeen: number;
}

/** One host: a sighting per family that it has been seen in. A record is replaced, not changed. */
export type Host = { readonly [F in Family]?: Sighting } & {
  /** The last counter accepted, microseconds; there for signed hosts only. At most 2^53 - 1. */
  readonly counter?: number;
};

/** All hosts by name. */
export type Hosts = Map<string, Host>;

/** The hosts that a server knows, by name: what the registry and the client log use of them. */
export interface HostStore extends Iterable<[name: string, host: Host]> {
  readonly size: number;
  /** How many of the hosts are signed. */
  readonly signedSize: number;
  get(name: string): Host | undefined;
  /** Adds a host, or replaces it. */
  set(name: string, host: Host): void;
}

/** What a ping that was accepted did. */
export type Change =
  /** The name was not known. */
  | { readonly kind: "new" }
  /** The name was known from plain pings alone, which say nothing about it from now on. */
  | { readonly kind: "signed" }
  /** A known host is somewhere else; `previous` is undefined when it had none in this family. */
  | { readonly kind: "moved"; readonly previous: string | undefined }
  /** A known host is where it was. */
  | { readonly kind: "same" };
