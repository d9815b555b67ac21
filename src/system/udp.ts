/**
 * UDP sockets: the one file that names `Bun.udpSocket`, and that knows its traps (Bun 1.4.5):
 *
 * - Without an `error` handler an ICMP error ends the process, since Bun sets IP_RECVERR on every
 *   socket. The handler gets the error as its last argument.
 * - `data` must not be async: a promise that rejects ends the process.
 * - The `hostname` "::" takes IPv4 as well; its senders look like `::ffff:192.0.2.1`.
 * - It receives until its queue is empty, and no timer or signal is handled before that: see flood.ts.
 * - `send` may throw the ICMP error of an earlier datagram instead of sending this one: see outbox.ts.
 */
import { canonicalAddress, familyOf } from "../protocol/address.ts";
import type { DatagramShape } from "./datagram-filter.ts";
import { errorCode } from "./errors.ts";
import { FilterGuard, type Guard, pressureGauge } from "./flood.ts";
import type { Log } from "./log.ts";
import { Outbox, sendPersistently } from "./outbox.ts";
import { raiseReceiveBuffer } from "./receive-buffer.ts";
import { ReopenGuard } from "./reopen-guard.ts";
import { fdOf } from "./setsockopt.ts";

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
  /**
   * The datagrams that are wanted under a flood: where the kernel can, it drops all others for a
   * minute. Undefined: every datagram is wanted.
   */
  shapes?: readonly DatagramShape[] | undefined;
  /** Takes what an operator must know: that another program took the port, and that it is back. */
  log?: Pick<Log, "error" | "log"> | undefined;
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
 * Binds a socket. Under a flood it is paused for a few milliseconds now and then, so that the rest of
 * the program goes on; see flood.ts.
 * @throws the error of the system: EADDRINUSE, EACCES, EADDRNOTAVAIL
 */
export async function bind(options: BindOptions): Promise<BoundSocket> {
  const { address, port, onDatagram, onError, shapes, log = SILENT } = options;
  const pressureOf = pressureGauge();
  let guard: Guard | undefined;
  const open = (hostname: string, onPort: number) =>
    Bun.udpSocket({
      hostname,
      port: onPort,
      socket: {
        data(_socket, datagram, senderPort, sender) {
          onDatagram(datagram, canonicalAddress(sender) ?? sender, senderPort, sender);
          const pressure = pressureOf();
          if (pressure) guard?.onPressure(pressure);
        },
        error: (...args: unknown[]) => onError(args.at(-1) as Error),
      },
    });
  let socket = await (address === "*" ? openEverywhere(open, port) : open(address, port));
  const bound = {
    address: socket.address.address,
    port: socket.port,
    receiveBuffer: raiseReceiveBuffer(fdOf(socket)),
  };
  const outbox = new Outbox(socket, onError);

  function reopenGuard(): Guard {
    return new ReopenGuard({
      port: bound.port,
      close() {
        socket.close();
        outbox.use(undefined);
      },
      async open() {
        socket = await open(bound.address, bound.port);
        raiseReceiveBuffer(fdOf(socket));
        outbox.use(socket);
      },
      log,
    });
  }

  const filters = new FilterGuard(shapes);
  guard = filters.add(fdOf(socket)) ? filters : reopenGuard();
  return {
    ...bound,
    send: (datagram, peerPort, peer) => outbox.push(datagram, peerPort, peer),
    close() {
      outbox.flush();
      guard.close();
      socket.close();
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

const SILENT: Pick<Log, "error" | "log"> = { error() {}, log() {} };

/** Every interface, IPv6 and IPv4; where the system has no IPv6, IPv4 alone. */
async function openEverywhere<T>(
  open: (hostname: string, port: number) => Promise<T>,
  port: number,
): Promise<T> {
  try {
    return await open("::", port);
  } catch (error) {
    const code = errorCode(error);
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") throw error;
    return await open("0.0.0.0", port);
  }
}
