/**
 * What a server listens on: a socket at one address, or sockets at all addresses of the machine, as one;
 * with a guard against floods.
 */
import { Backlog } from "./backlog.ts";
import type { DatagramShape } from "./datagram-filter.ts";
import { errorCode } from "./errors.ts";
import { FilterGuard, type Guard, pressureGauge } from "./flood.ts";
import type { Log } from "./log.ts";
import { type AddressSocket, ManyAddresses, ownAddresses } from "./many-addresses.ts";
import { AT_ONCE, Outbox, type Sender } from "./outbox.ts";
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
  /** Takes what an operator must know, such as that another program took the port. */
  log?: Pick<Log, "error" | "warn" | "log"> | undefined;
}

/** A socket that receives from everyone. */
export interface BoundSocket {
  /** The address it is bound to: "::" takes every IPv6 and IPv4 address, "0.0.0.0" every IPv4. */
  readonly address: string;
  readonly port: number;
  /** The size of the receive buffer in bytes; undefined where the system does not say. */
  readonly receiveBuffer?: number | undefined;
  /**
   * Sends a datagram when this turn of the event loop ends, or before. One that the system does not
   * take is lost, as on any network.
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

/** How udp.ts opens one of Bun's sockets. */
export type OpenSocket = (options: OpenOptions) => Promise<OpenedSocket>;

export interface OpenOptions {
  /** An IP address; "::" takes IPv4 as well. */
  hostname: string;
  port: number;
  /** Whether it may share the port with another socket, see many-addresses.ts. */
  sharesPort: boolean;
  onDatagram: DatagramHandler;
  onError: (error: Error) => void;
}

/** One of Bun's sockets, as far as it is used. */
export interface OpenedSocket extends Sender {
  readonly address: { readonly address: string };
  readonly port: number;
  close(): void;
}

/**
 * Binds a socket, or several as one.
 * @throws the error of the system: EADDRINUSE, EACCES, EADDRNOTAVAIL
 */
export async function bindSocket(options: BindOptions, open: OpenSocket): Promise<BoundSocket> {
  const listener = new Listener(options, open);
  const bound = await listener.bind();
  return {
    ...bound,
    send: (datagram, port, peer) => listener.send(datagram, port, peer),
    close: () => listener.close(),
  };
}

/** The socket that was asked for; on every address there are others beside it. */
class Listener {
  readonly #options: BindOptions;
  readonly #open: OpenSocket;
  readonly #pressure = pressureGauge();
  readonly #backlog = new Backlog(
    (datagram, address, port, peer) => this.#handle(datagram, address, port, peer),
    () => performance.now(),
  );
  readonly #outboxes = new Set<Outbox>();
  #handled = 0;
  #main: { socket: OpenedSocket; outbox: Outbox } | undefined;
  #guard: Guard | undefined;
  #others: ManyAddresses<OwnAddress> | undefined;

  constructor(options: BindOptions, open: OpenSocket) {
    this.#options = options;
    this.#open = open;
  }

  async bind(): Promise<Omit<BoundSocket, "send" | "close">> {
    const { address, port, shapes } = this.#options;
    const socket = await (address === "*"
      ? openEverywhere((every) => this.#openMain(every, port))
      : this.#openMain(address, port));
    const outbox = this.#newOutbox(socket);
    this.#main = { socket, outbox };
    const bound = {
      address: socket.address.address,
      port: socket.port,
      receiveBuffer: raiseReceiveBuffer(fdOf(socket)),
    };
    const filters = new FilterGuard(shapes);
    if (!filters.add(fdOf(socket))) {
      this.#guard = this.#reopenGuard(bound);
    } else {
      this.#guard = filters;
      if (address === "*") this.#others = this.#manyAddresses(bound, filters);
    }
    await this.#others?.look();
    return bound;
  }

  send(datagram: Uint8Array, port: number, peer: string): void {
    const { own, address } = splitPeer(peer);
    const outbox = this.#others?.get(own)?.outbox ?? this.#main?.outbox;
    outbox?.push(datagram, port, address);
  }

  close(): void {
    this.#backlog.close();
    this.#guard?.close();
    this.#others?.close();
    this.#main?.outbox.flush();
    this.#main?.socket.close();
  }

  #openMain(hostname: string, port: number): Promise<OpenedSocket> {
    const take = this.#taker("");
    const onDatagram: DatagramHandler = (datagram, address, senderPort, peer) => {
      void this.#others?.look();
      take(datagram, address, senderPort, peer);
    };
    const { onError } = this.#options;
    return this.#open({ hostname, port, sharesPort: false, onDatagram, onError });
  }

  /** @param own the address that answers, see {@link joinPeer} */
  #taker(own: string): DatagramHandler {
    return (datagram, address, port, peer) => {
      const joined = joinPeer(peer, own);
      if (this.#backlog.isHolding) this.#backlog.hold(datagram, address, port, joined);
      else this.#handle(datagram, address, port, joined);
    };
  }

  readonly #handle: DatagramHandler = (datagram, address, port, peer) => {
    this.#options.onDatagram(datagram, address, port, peer);
    if (++this.#handled % AT_ONCE === 0) for (const outbox of this.#outboxes) outbox.flush();
    const pressure = this.#pressure();
    if (pressure === undefined || (pressure === "starving" && this.#backlog.begin())) return;
    this.#guard?.onPressure(pressure);
  };

  #newOutbox(socket: OpenedSocket): Outbox {
    const outbox = new Outbox(socket, this.#options.onError);
    this.#outboxes.add(outbox);
    return outbox;
  }

  #manyAddresses(
    { address, port }: { address: string; port: number },
    filters: FilterGuard,
  ): ManyAddresses<OwnAddress> {
    const { onError, log = SILENT } = this.#options;
    return new ManyAddresses({
      everywhere: { fd: fdOf(this.#main!.socket) },
      addresses: () => ownAddresses(address === "::"),
      now: () => performance.now(),
      open: async (own) => {
        const onDatagram = this.#taker(own);
        const socket = await this.#open({
          hostname: own,
          port,
          sharesPort: true,
          onDatagram,
          onError,
        });
        const fd = fdOf(socket);
        raiseReceiveBuffer(fd);
        filters.add(fd);
        const outbox = this.#newOutbox(socket);
        const close = (): void => {
          outbox.flush();
          this.#outboxes.delete(outbox);
          filters.remove(fd);
          socket.close();
        };
        return { fd, outbox, close };
      },
      onError,
      log,
    });
  }

  #reopenGuard({ address, port }: { address: string; port: number }): Guard {
    const { log = SILENT } = this.#options;
    const main = this.#main!;
    return new ReopenGuard({
      port,
      close() {
        main.socket.close();
        main.outbox.use(undefined);
      },
      open: async () => {
        main.socket = await this.#openMain(address, port);
        raiseReceiveBuffer(fdOf(main.socket));
        main.outbox.use(main.socket);
      },
      log,
    });
  }
}

/** A socket at one of the addresses of this machine. */
interface OwnAddress extends AddressSocket {
  readonly outbox: Outbox;
}

const SILENT = { error() {}, warn() {}, log() {} };

/**
 * A peer, as {@link DatagramHandler} gets it: the address of the sender, and the own address that was
 * asked and has to answer, or nothing where that is for the system to choose.
 */
function joinPeer(address: string, own: string): string {
  return own === "" ? address : `${address}${SEPARATOR}${own}`;
}

function splitPeer(peer: string): { address: string; own: string } {
  const at = peer.indexOf(SEPARATOR);
  if (at === -1) return { address: peer, own: "" };
  return { address: peer.slice(0, at), own: peer.slice(at + 1) };
}

/** Stands in no address. */
const SEPARATOR = ">";

/** Every interface, IPv6 and IPv4; where the system has no IPv6, IPv4 alone. */
async function openEverywhere<T>(open: (hostname: string) => Promise<T>): Promise<T> {
  try {
    return await open("::");
  } catch (error) {
    const code = errorCode(error);
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") throw error;
    return await open("0.0.0.0");
  }
}
