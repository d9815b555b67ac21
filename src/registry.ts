/**
 * The hosts in memory, and what a ping changes in them. Pure: the time is passed in, and nothing
 * here knows of sockets or files.
 */
import { type Family, familyOf } from "./address.ts";

/** Where a host was last seen in one address family. Times are milliseconds since 1970, UTC. */
export interface Sighting {
  /** Canonical, see address.ts. */
  address: string;
  /** When this address was first seen for the host. */
  since: number;
  lastSeen: number;
}

/** One host: a sighting per family that it has been seen in. */
export type Host = { [F in Family]?: Sighting };

/** All hosts by name. */
export type Hosts = Map<string, Host>;

/** What a ping did. */
export type Outcome =
  /** The name was not known. */
  | { readonly kind: "new" }
  /** A known host is somewhere else; `previous` is undefined when it had none in this family. */
  | { readonly kind: "moved"; readonly previous: string | undefined }
  /** A known host is where it was. */
  | { readonly kind: "same" }
  /** A new name, dropped: as many names as allowed are known. */
  | { readonly kind: "full" };

/** Keeps `hosts` up to date, in place, and never evicts one. */
export class Registry {
  readonly #hosts: Hosts;
  readonly #maxClients: number;

  /**
   * @param hosts the hosts known already, such as a client log's; there may be more than `maxClients`
   * @param maxClients from how many known names on a new one is dropped; at least 1
   */
  constructor(hosts: Hosts, maxClients: number) {
    this.#hosts = hosts;
    this.#maxClients = maxClients;
  }

  /**
   * Records a plain ping.
   * @param name as it was decoded from the datagram
   * @param address the datagram's source, canonical
   * @param now milliseconds since 1970, UTC
   */
  recordPlain(name: string, address: string, now: number): Outcome {
    const family = familyOf(address);
    const host = this.#hosts.get(name);
    if (host === undefined) {
      if (this.#hosts.size >= this.#maxClients) return FULL;
      this.#hosts.set(name, { [family]: { address, since: now, lastSeen: now } });
      return NEW;
    }
    const sighting = host[family];
    if (sighting?.address === address) {
      sighting.lastSeen = now;
      return SAME;
    }
    host[family] = { address, since: now, lastSeen: now };
    return { kind: "moved", previous: sighting?.address };
  }
}

const NEW: Outcome = { kind: "new" };
const SAME: Outcome = { kind: "same" };
const FULL: Outcome = { kind: "full" };
