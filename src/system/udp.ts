/**
 * UDP sockets: the one file that names `Bun.udpSocket`, and that knows its traps (Bun 1.4.5):
 *
 * - Without an `error` handler an ICMP error ends the process, since Bun sets IP_RECVERR on every
 *   socket. The handler gets the error as its last argument.
 * - `data` must not be async: a promise that rejects ends the process.
 * - The `hostname` "::" takes IPv4 as well; its senders look like `::ffff:192.0.2.1`.
 * - It receives until its queue is empty, and no timer or signal is handled before that: see
 *   {@link starvationOfLoop}.
 * - `send` may throw the ICMP error of an earlier datagram instead of sending this one: it is sent
 *   again.
 */
import { canonicalAddress, familyOf } from "../protocol/address.ts";
import { errorCode } from "./errors.ts";
import { raiseReceiveBuffer } from "./receive-buffer.ts";

/**
 * Takes one datagram; must not throw and must not wait.
 * @param datagram valid during the call only
 * @param address the sender's, canonical
 * @param port the sender's, 0 to 65535
 * @param peer what {@link BoundSocket.send} needs to answer the sender
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
  /** Takes errors of sending, and ICMP errors. */
  onError: (error: Error) => void;
}

/** A socket that receives from everyone. */
export interface BoundSocket {
  /** The address it is bound to: "::" takes every IPv6 and IPv4 address, "0.0.0.0" every IPv4. */
  readonly address: string;
  readonly port: number;
  /** The size of the receive buffer in bytes; undefined where the system does not say. */
  readonly receiveBuffer?: number | undefined;
  /**
   * Sends a datagram at the end of this turn of the event loop. One that the system does not take is
   * lost, as on any network.
   *
   * A forged source may be the address and port of this very socket, which then receives its own
   * answer. That ends there: a server drops every `A` and `C`, and a plain server every datagram that
   * begins with `dynip/`.
   * @param datagram must not be changed afterwards
   * @param peer as a {@link DatagramHandler} got it
   */
  send(datagram: Uint8Array, port: number, peer: string): void;
  close(): void;
}

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
 * Binds a socket. Under a flood it is closed and bound again for a few milliseconds now and then,
 * so that the rest of the program goes on; what is sent meanwhile is sent afterwards.
 * @throws the error of the system: EADDRINUSE, EACCES, EADDRNOTAVAIL
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
  /** Datagrams to send, as sendMany takes them: datagram, port, address, and so on. */
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
    if (queue.length === 0) queueMicrotask(flush);
    queue.push(datagram, peerPort, peer);
  }

  /** Sends the queue in one system call. */
  function flush(): void {
    if (socket === undefined || queue.length === 0) return;
    const open = socket;
    const batch = queue;
    queue = [];
    try {
      open.sendMany(batch);
    } catch {
      // Bun does not say how many were sent. To send an answer twice does no harm.
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
 * @throws the error of the system, such as ENETUNREACH
 */
export async function connect(
  address: string,
  port: number,
  onDatagram: (datagram: Uint8Array) => void = () => {},
): Promise<ConnectedSocket> {
  const socket = await Bun.udpSocket({
    // Bun's default, 0.0.0.0, cannot reach IPv6.
    hostname: familyOf(address) === "ipv6" ? "::" : "0.0.0.0",
    connect: { hostname: address, port },
    // ICMP errors are ignored: anyone can forge them (RFC 5927).
    socket: { data: (_socket, datagram) => onDatagram(datagram), error() {} },
  });
  return {
    send: (datagram) => sendPersistently(() => socket.send(datagram)),
    close: () => socket.close(),
  };
}

/** The file descriptor of a socket, which Bun does not document. */
function fdOf(socket: object): number {
  return (socket as { fd?: number }).fd ?? -1;
}

/** How long the event loop may stand still, and how long the socket is then paused. */
const STARVING_MS = 50;
const PAUSE_MS = 5;
/** More datagrams than fit into the receive buffer: a machine that was suspended finds it full. */
const MANY = 1536;

/**
 * Returns a function that is called for each datagram and tells whether the event loop has stood still
 * for too long: Bun receives until the queue is empty, and while datagrams come faster than they are
 * handled, no timer fires, no signal is handled and no file is written. A slow machine, or one that
 * was suspended, is not flooded.
 */
function starvationOfLoop(): () => boolean {
  let since: number | undefined;
  let handled = 0;
  return () => {
    if (++handled % 16 !== 0) return false; // to read the clock takes time, too
    const now = performance.now();
    if (since !== undefined) return handled > MANY && now - since > STARVING_MS;
    since = now;
    handled = 0;
    setImmediate(() => (since = undefined)); // as soon as the loop turns
    return false;
  };
}

/** Sends again when the ICMP error of an earlier datagram was thrown instead. */
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
