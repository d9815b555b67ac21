/**
 * A thin adapter over `Bun.udpSocket`, the only file that names it. What Bun does that a caller
 * must not depend on stays in here:
 *
 * - Without an `error` handler the ICMP error that a vanished peer causes ends the process (Bun
 *   sets IP_RECVERR on every socket); the handler is called with the error as its last argument.
 * - A handler that throws is reported to `error`; one that returns a rejected promise ends the
 *   process, so {@link DatagramHandler} is synchronous.
 * - The `hostname` "::" takes IPv4 as well, from senders like `::ffff:192.0.2.1`.
 * - It receives until its queue is empty, and nothing else happens until then: see
 *   {@link starvationOfLoop}.
 * - `send` may throw the error of an earlier datagram, to whomever that was, and then has not sent
 *   this one: it is sent again.
 */
import { networkInterfaces } from "node:os";

import { canonicalAddress, familyOf } from "../protocol/address.ts";
import { errorCode } from "./errors.ts";
import { raiseReceiveBuffer } from "./receive-buffer.ts";

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
  /** How many bytes of datagrams may wait; undefined where the system does not say. */
  readonly receiveBuffer?: number | undefined;
  /**
   * Hands a datagram to the system, when this turn of the loop ends; what the system does not take is
   * lost, as on any network, and so is one to this very socket, which a forged source may ask for.
   * @param datagram not changed any more
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
 * Binds a socket. Under a flood it is closed and bound again for a few milliseconds now and then,
 * so that the rest of the program goes on; what is sent meanwhile is sent afterwards.
 * @throws the system's error: EADDRINUSE, EACCES, EADDRNOTAVAIL
 */
export async function bind({
  address,
  port,
  onDatagram,
  onError,
}: BindOptions): Promise<BoundSocket> {
  const isStarving = starvationOfLoop();
  const listen = (hostname: string, onPort = port) =>
    Bun.udpSocket({
      hostname,
      port: onPort,
      socket: {
        data(_socket, datagram, senderPort, sender) {
          onDatagram(datagram, canonicalAddress(sender) ?? sender, senderPort, sender);
          if (socket && isStarving()) pause();
        },
        error: (...args: unknown[]) => onError(args.at(-1) as Error),
      },
    });
  let isClosed = false;
  /** What is to be sent, as sendMany takes it: datagram, port, address, and again. */
  let queue: (Uint8Array | number | string)[] = [];
  let socket: Awaited<ReturnType<typeof listen>> | undefined;
  socket = await (address === "*" ? listenEverywhere(listen) : listen(address));
  const bound = {
    address: socket.address.address,
    port: socket.port,
    receiveBuffer: raiseReceiveBuffer(fdOf(socket)),
  };

  function pause(): void {
    socket?.close();
    socket = undefined;
    setTimeout(resume, PAUSE_MS);
  }

  async function resume(): Promise<void> {
    if (isClosed) return;
    try {
      socket = await listen(bound.address, bound.port);
      raiseReceiveBuffer(fdOf(socket));
      flush();
    } catch (error) {
      onError(error as Error);
      setTimeout(resume, PAUSE_MS);
    }
    if (isClosed) socket?.close();
  }

  function send(datagram: Uint8Array, peerPort: number, peer: string): void {
    try {
      if (peerPort === bound.port && isOfThisMachine(canonicalAddress(peer) ?? peer)) return;
    } catch (error) {
      return onError(error as Error);
    }
    if (queue.length === 0) queueMicrotask(flush);
    queue.push(datagram, peerPort, peer);
  }

  /** All that is sent in one turn of the loop is one call of the system's, not a hundred. */
  function flush(): void {
    if (socket === undefined || queue.length === 0) return;
    const open = socket;
    const batch = queue;
    queue = [];
    try {
      open.sendMany(batch);
    } catch {
      // How many of them are sent is not known: an answer that comes twice does no harm.
      for (let at = 0; at < batch.length; at += 3) {
        const [datagram, peerPort, peer] = batch.slice(at) as [Uint8Array, number, string];
        try {
          sendPersistently(() => open.send(datagram, peerPort, peer));
        } catch (error) {
          onError(error as Error);
        }
      }
    }
  }

  return {
    ...bound,
    send,
    close() {
      flush();
      isClosed = true;
      socket?.close();
      socket = undefined;
    },
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

/** Whether an address is this machine's. Asked for each time: addresses come and go. */
function isOfThisMachine(address: string): boolean {
  if (address.startsWith("127.")) return true;
  return Object.values(networkInterfaces()).some((interfaces) =>
    interfaces?.some((own) => canonicalAddress(own.address) === address),
  );
}

/** The socket's file descriptor, which Bun has and does not document. */
function fdOf(socket: object): number {
  return (socket as { fd?: number }).fd ?? -1;
}

/** How long the event loop may stand still, and for how long it is then given all the time. */
const STARVING_MS = 50;
const PAUSE_MS = 5;
/** More datagrams than wait in a receive buffer: so many come of themselves after a machine's pause. */
const MANY = 1536;

/**
 * Tells, asked at each datagram, whether the event loop has stood still for too long: Bun receives
 * until the queue is empty, and while datagrams come faster than they are handled no timer fires, no
 * signal is handled and no file is written. A slow machine, or one that was paused, is not flooded.
 */
function starvationOfLoop(): () => boolean {
  let since: number | undefined;
  let handled = 0;
  return () => {
    if (++handled % 16 !== 0) return false; // the clock costs something, too
    const now = performance.now();
    if (since !== undefined) return handled > MANY && now - since > STARVING_MS;
    since = now;
    handled = 0;
    setImmediate(() => (since = undefined)); // as soon as the loop turns
    return false;
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
