/**
 * A thin adapter over `Bun.udpSocket`, the only file that names it. What Bun does that a caller
 * must not depend on stays in here:
 *
 * - Without an `error` handler the ICMP error that a vanished peer causes ends the process (Bun
 *   sets IP_RECVERR on every socket); the handler is called with the error as its last argument.
 * - A handler that throws is reported to `error`; one that returns a rejected promise ends the
 *   process, so {@link DatagramHandler} is synchronous.
 * - The `hostname` "::" takes IPv4 as well, from senders like `::ffff:192.0.2.1`.
 * - `send` may throw the error of an earlier datagram, to whomever that was, and then has not sent
 *   this one: it is sent again.
 */
import { canonicalAddress, familyOf } from "./address.ts";
import { errorCode } from "./errors.ts";

/**
 * Takes one datagram; must not throw and must not wait.
 * @param datagram valid during the call alone
 * @param address the sender's, canonical
 * @param port the sender's, 0 to 65535
 * @param peer the sender's address as the socket knows it, for {@link BoundSocket.send}
 */
export type DatagramHandler = (
  datagram: Uint8Array,
  address: string,
  port: number,
  peer: string,
) => void;

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
  /**
   * Hands a datagram to the system; what it does not take is lost, as on any network.
   * @param peer as a {@link DatagramHandler} got it
   */
  send(datagram: Uint8Array, port: number, peer: string): void;
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
          onDatagram(datagram, canonicalAddress(sender) ?? sender, senderPort, sender),
        error: (...args: unknown[]) => onError(args.at(-1) as Error),
      },
    });
  const socket = await (address === "*" ? listenEverywhere(listen) : listen(address));
  return {
    address: socket.address.address,
    port: socket.port,
    send(datagram, peerPort, peer) {
      try {
        sendPersistently(() => socket.send(datagram, peerPort, peer));
      } catch (error) {
        onError(error as Error);
      }
    },
    close: () => socket.close(),
  };
}

/**
 * Makes a socket for one peer.
 * @param address an IP address; a link-local one with its zone
 * @param onDatagram takes what the peer sends; must not throw and must not wait
 * @throws the system's error, such as ENETUNREACH
 */
export async function connect(
  address: string,
  port: number,
  onDatagram: (datagram: Uint8Array) => void = () => {},
): Promise<ConnectedSocket> {
  const socket = await Bun.udpSocket({
    // Unless told so, Bun binds to 0.0.0.0, from where no IPv6 address can be reached.
    hostname: familyOf(address) === "ipv6" ? "::" : "0.0.0.0",
    connect: { hostname: address, port },
    // An ICMP error may be anybody's forgery (RFC 5927), and says nothing for certain.
    socket: { data: (_socket, datagram) => onDatagram(datagram), error() {} },
  });
  return {
    send: (datagram) => sendPersistently(() => socket.send(datagram)),
    close: () => socket.close(),
  };
}

/** Sends again what an earlier datagram's error kept from being sent. */
function sendPersistently(send: () => boolean): boolean {
  for (let attempt = 1; ; attempt++) {
    try {
      return send();
    } catch (error) {
      if (errorCode(error) !== "ECONNREFUSED" || attempt === 5) throw error;
    }
  }
}

/** Every interface, IPv6 and IPv4; where the system has no IPv6, IPv4 alone. */
async function listenEverywhere<T>(listen: (hostname: string) => Promise<T>): Promise<T> {
  try {
    return await listen("::");
  } catch (error) {
    const code = errorCode(error);
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") throw error;
    return await listen("0.0.0.0");
  }
}
