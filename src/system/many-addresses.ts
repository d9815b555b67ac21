/**
 * A server on every interface answers from the address that was asked.
 *
 * A socket that is bound to every address answers from the one that routing chooses. If the machine
 * has several, that may be another than the client sent its ping to, and the client drops the answer.
 * Bun does not say which address a datagram was sent to (IP_PKTINFO), so each address gets a socket of
 * its own. Linux gives a datagram to that, and to the socket on every address only what is left:
 * broadcasts, link-local addresses (where an interface has one alone, which routing chooses), and
 * addresses that have no socket yet.
 *
 * So what the socket on every address receives is the sign that an address may be new: then the
 * addresses are looked at again. Nothing has to be done while nothing comes.
 */
import { networkInterfaces } from "node:os";

import { canonicalAddress, familyOf, isUnicast } from "../protocol/address.ts";
import { reasonOf } from "./errors.ts";
import type { Log } from "./log.ts";
import { setOption, type SocketOption } from "./setsockopt.ts";

/** A socket of one address. */
export interface AddressSocket {
  readonly fd: number;
  close(): void;
}

export interface ManyAddressesParts<S extends AddressSocket> {
  /** The socket on every address. */
  everywhere: { readonly fd: number };
  /** Binds the port at one address, with SO_REUSEPORT. */
  open: (address: string) => Promise<S>;
  /** The addresses of this machine now, canonical. Throws the error of the system. */
  addresses: () => readonly string[];
  /** Milliseconds of a monotonic clock. */
  now: () => number;
  /** Takes errors of binding; datagrams to that address are left to the socket on every address. */
  onError: (error: Error) => void;
  log: Pick<Log, "warn">;
}

/**
 * The addresses of this machine, canonical, without link-local ones.
 * @throws the error of the system
 */
export function ownAddresses(withIPv6: boolean): string[] {
  return Object.values(networkInterfaces()).flatMap((ofInterface) =>
    (ofInterface ?? []).flatMap((own) => {
      const address = canonicalAddress(own.address);
      if (address === undefined || !isUnicast(address) || own.scopeid) return [];
      return withIPv6 || familyOf(address) === "ipv4" ? [address] : [];
    }),
  );
}

/** The sockets of the addresses of this machine. */
export class ManyAddresses<S extends AddressSocket> {
  readonly #parts: ManyAddressesParts<S>;
  readonly #sockets = new Map<string, S>();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #hasWarned = false;
  #isClosed = false;

  constructor(parts: ManyAddressesParts<S>) {
    this.#parts = parts;
  }

  /** The socket of an address, if it has one. */
  get(address: string): S | undefined {
    return this.#sockets.get(address);
  }

  /** Opens sockets for new addresses and closes those of old ones, at most every 400 ms. */
  async look(): Promise<void> {
    const now = this.#parts.now();
    if (now - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = now;
    const addresses = this.#addresses();
    if (addresses === undefined) return;
    for (const [address, socket] of this.#sockets) {
      if (addresses.has(address)) continue;
      this.#sockets.delete(address);
      socket.close();
    }
    const added = [...addresses].filter((address) => !this.#sockets.has(address));
    if (added.length > 0) await this.#open(added);
  }

  close(): void {
    this.#isClosed = true;
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  /** Undefined where the system does not say. */
  #addresses(): Set<string> | undefined {
    try {
      return new Set(this.#parts.addresses().slice(0, MAX_SOCKETS));
    } catch (error) {
      if (!this.#hasWarned) {
        this.#parts.log.warn(
          `Cannot list the addresses of this machine: ${reasonOf(error)}`,
          "a service must allow AF_NETLINK; until then, where there are several, name one as server_ip",
        );
      }
      this.#hasWarned = true;
      return undefined;
    }
  }

  /**
   * Linux lets two sockets share a port, one at every address and one at a single address, if both have
   * SO_REUSEPORT, which lets other programs of the same user share it as well: so they have it only
   * while a socket is bound.
   */
  async #open(addresses: readonly string[]): Promise<void> {
    const { everywhere, open, onError } = this.#parts;
    if (!setOption(everywhere.fd, SO_REUSEPORT, ON)) return;
    for (const address of addresses) {
      try {
        const socket = await open(address);
        setOption(socket.fd, SO_REUSEPORT, OFF);
        if (this.#isClosed) return socket.close();
        this.#sockets.set(address, socket);
      } catch (error) {
        onError(error as Error); // it has gone, or is not ready yet: the next look tries again
      }
    }
    setOption(everywhere.fd, SO_REUSEPORT, OFF);
  }
}

/** Less than the 500 ms after which a client sends again. */
const LOOK_EVERY_MS = 400;

/** More addresses than that are left to the socket on every address: each takes a file descriptor. */
const MAX_SOCKETS = 250;

/** On Linux. */
const SO_REUSEPORT: SocketOption = { level: 1, name: 15 };
const ON = Int32Array.of(1);
const OFF = Int32Array.of(0);
