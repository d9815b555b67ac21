/**
 * A thin adapter over `Bun.udpSocket`, the only file that names it. What Bun does that a caller
 * must not depend on stays in here:
 *
 * - Without an `error` handler the ICMP error that a vanished peer causes ends the process (Bun
 *   sets IP_RECVERR on every socket); the handler is called with the error as its last argument.
 * - A handler that throws is reported to `error`; one that returns a rejected promise ends the
 *   process, so {@link DatagramHandler} is synchronous.
 * - The `hostname` "::" takes IPv4 as well, from senders like `::ffff:192.0.2.1`.
 * - `send` throws the error of an earlier datagram of its socket; a {@link ConnectedSocket} is made
 *   for each ping, so that there is none.
 */
import { canonicalAddress, familyOf } from "./address.ts";

/**
 * Takes one datagram; must not throw and must not wait.
 * @param datagram valid during the call alone
 * @param address the sender's, canonical
 * @param port the sender's, 0 to 65535
 */
export type DatagramHandler = (datagram: Uint8Array, address: string, port: number) => void;

export interface BindOptions {
  /** An IP address of this machine, or `*` for every interface. */
  address: string;
  /** 0 to 65535; 0 lets the system choose. */
  port: number;
  onDatagram: DatagramHandler;
  /** Takes errors that concern no datagram of ours, such as ICMP's. */
  onError: (error: Error) => void;
}

/** A socket that receives. */
export interface BoundSocket {
  /** The address it is bound to: "::" takes every IPv6 and IPv4 address, "0.0.0.0" every IPv4. */
  readonly address: string;
  readonly port: number;
  close(): void;
}

/** A socket that talks to one peer alone. */
export interface ConnectedSocket {
  /**
   * Hands a datagram to the system.
   * @returns false when the system's queue is full and the datagram was not taken
   * @throws the system's error, such as ENETUNREACH
   */
  send(datagram: Uint8Array): boolean;
  close(): void;
}

/**
 * Binds a socket.
 * @throws the system's error: EADDRINUSE, EACCES, EADDRNOTAVAIL
 */
export async function bind({
  address,
  port,
  onDatagram,
  onError,
}: BindOptions): Promise<BoundSocket> {
  const listen = (hostname: string) =>
    Bun.udpSocket({
      hostname,
      port,
      socket: {
        data: (_socket, datagram, senderPort, sender) =>
          onDatagram(datagram, canonicalAddress(sender) ?? sender, senderPort),
        error: (...args: unknown[]) => onError(args.at(-1) as Error),
      },
    });
  const socket = await (address === "*" ? listenEverywhere(listen) : listen(address));
  return { address: socket.address.address, port: socket.port, close: () => socket.close() };
}

/**
 * Makes a socket for one peer.
 * @param address an IP address; a link-local one with its zone
 * @throws the system's error, such as ENETUNREACH
 */
export async function connect(address: string, port: number): Promise<ConnectedSocket> {
  const socket = await Bun.udpSocket({
    // Unless told so, Bun binds to 0.0.0.0, from where no IPv6 address can be reached.
    hostname: familyOf(address) === "ipv6" ? "::" : "0.0.0.0",
    connect: { hostname: address, port },
    socket: { error() {} },
  });
  return {
    send: (datagram) => socket.send(datagram),
    close: () => socket.close(),
  };
}

/** Every interface, IPv6 and IPv4; where the system has no IPv6, IPv4 alone. */
async function listenEverywhere<T>(listen: (hostname: string) => Promise<T>): Promise<T> {
  try {
    return await listen("::");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") throw error;
    return await listen("0.0.0.0");
  }
}
