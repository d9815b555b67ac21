/** The ways to one server: a connected socket for each of its addresses, opened when it is needed. */
import { NO_COOKIE } from "../protocol/message.ts";
import type { ConnectedSocket } from "../system/udp.ts";
import type { Observe } from "./evidence.ts";

/**
 * Makes a socket for one address.
 * @throws the system's error, such as ENETUNREACH
 */
export type Connect = (
  address: string,
  port: number,
  onDatagram: (datagram: Uint8Array) => void,
  onError: (error: Error) => void,
) => Promise<ConnectedSocket>;

export interface PathsParts {
  /** UDP, 1 to 65535. */
  port: number;
  connect: Connect;
  /** Takes what comes on any path. */
  onDatagram: (datagram: Uint8Array, address: string) => void;
  observe: Observe;
}

/** A way to the server. */
export interface Path {
  /** The server's address. */
  readonly address: string;
  readonly socket: ConnectedSocket;
  /** The cookie that the server sent this way. It is bad on every other. */
  cookie: string;
  /** How far this clock was ahead of the counter that came with the cookie, in seconds. */
  clockAhead: number;
}

/** The paths to one server, best first. */
export class Paths {
  readonly #parts: PathsParts;
  #open: Path[] = [];
  /** Addresses without a socket, in order of preference. */
  #unopened: string[];

  /** @param addresses the server's, in order of preference */
  constructor(addresses: readonly string[], parts: PathsParts) {
    this.#unopened = [...addresses];
    this.#parts = parts;
  }

  /**
   * The best `count` paths, or fewer where there are no more. Opens what is not open: an address that
   * no socket can be connected to is passed over, and tried again the next time.
   * @throws the first address's error when no path can be opened at all
   */
  async best(count: number): Promise<readonly Path[]> {
    const { observe } = this.#parts;
    let failure: unknown;
    for (const address of [...this.#unopened]) {
      if (this.#open.length >= count) break;
      try {
        const socket = await this.#openSocket(address);
        this.#open.push({ address, socket, cookie: NO_COOKIE, clockAhead: 0 });
        this.#unopened = this.#unopened.filter((other) => other !== address);
      } catch (error) {
        observe({ kind: "unsent", address, error: error as Error });
        failure ??= error;
      }
    }
    if (this.#open.length === 0) throw failure;
    return this.#open.slice(0, count);
  }

  /** Makes a path the best: the server answers there. */
  prefer(path: Path): void {
    this.#open = [path, ...this.#open.filter((other) => other !== path)];
  }

  close(): void {
    for (const { socket } of this.#open) socket.close();
  }

  #openSocket(address: string): Promise<ConnectedSocket> {
    const { port, connect, onDatagram, observe } = this.#parts;
    return connect(
      address,
      port,
      (datagram) => onDatagram(datagram, address),
      (error) => observe({ kind: "icmp", address, error }),
    );
  }
}
