/**
 * UDP sockets: the one file that names `Bun.udpSocket`, and that knows its traps (Bun 1.4.5):
 *
 * - Without an `error` handler an ICMP error ends the process, since Bun sets IP_RECVERR on every
 *   socket. The handler gets the error as its last argument.
 * - `data` must not be async: a promise that rejects ends the process.
 * - The `hostname` "::" takes IPv4 as well; its senders look like `::ffff:192.0.2.1`.
 * - It receives until its queue is empty, and no timer or signal is handled before that: see flood.ts.
 * - `send` may throw the ICMP error of an earlier datagram instead of sending this one: see outbox.ts.
 * - The option `flags`, which Bun's own `node:dgram` uses, is not documented. 4 is SO_REUSEPORT.
 */
import { canonicalAddress, familyOf } from "../protocol/address.ts";
import type { BindOptions, BoundSocket, OpenSocket } from "./bound-socket.ts";
import { sendPersistently } from "./outbox.ts";

export type { BindOptions, BoundSocket, DatagramHandler } from "./bound-socket.ts";

/** A socket that talks to one peer. */
export interface ConnectedSocket {
  /**
   * Hands a datagram to the system.
   * @returns false when the queue of the system is full and the datagram was not taken
   * @throws the error of the system, such as ENETUNREACH
   */
  send(datagram: Uint8Array): boolean;
  close(): void;
}

/**
 * Binds a socket that receives from everyone. Under a flood it is paused for some milliseconds now and
 * then, so that the rest of the program goes on; see flood.ts and backlog.ts.
 * @throws the error of the system: EADDRINUSE, EACCES, EADDRNOTAVAIL
 */
export async function bind(options: BindOptions): Promise<BoundSocket> {
  const { bindSocket } = await import("./bound-socket.ts"); // a client does without it
  return await bindSocket(options, open);
}

/**
 * Makes a socket for one peer.
 * @param address an IP address; a link-local one with its zone
 * @param onDatagram takes what the peer sends; must not throw and must not wait
 * @param onError takes ICMP errors about the peer, such as ECONNREFUSED; anyone can forge them (RFC 5927)
 * @throws the error of the system, such as ENETUNREACH
 */
export async function connect(
  address: string,
  port: number,
  onDatagram: (datagram: Uint8Array) => void = () => {},
  onError: (error: Error) => void = () => {},
): Promise<ConnectedSocket> {
  const socket = await Bun.udpSocket({
    // Bun's default, 0.0.0.0, cannot reach IPv6.
    hostname: familyOf(address) === "ipv6" ? "::" : "0.0.0.0",
    connect: { hostname: address, port },
    socket: {
      data: (_socket, datagram) => onDatagram(datagram),
      error: (...args: unknown[]) => onError(args.at(-1) as Error),
    },
  });
  return {
    send: (datagram) => sendPersistently(() => socket.send(datagram)),
    close: () => socket.close(),
  };
}

const REUSE_PORT = 4;

const open: OpenSocket = ({ hostname, port, sharesPort, onDatagram, onError }) => {
  const options = {
    hostname,
    port,
    flags: sharesPort ? REUSE_PORT : 0,
    socket: {
      data(_socket: unknown, datagram: Buffer, senderPort: number, sender: string) {
        onDatagram(datagram, canonicalAddress(sender) ?? sender, senderPort, sender);
      },
      error: (...args: unknown[]) => onError(args.at(-1) as Error),
    },
  };
  return Bun.udpSocket(options);
};
