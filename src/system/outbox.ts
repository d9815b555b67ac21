/**
 * What a socket sends: the answers to several datagrams in one system call, which costs as much as
 * handling a datagram.
 *
 * A microtask is too early to send them: Bun runs microtasks after each datagram that it hands over. The
 * end of the turn of the event loop is too late under a flood, since Bun receives until the queue of the
 * socket is empty. So the owner of the socket flushes after every {@link AT_ONCE} datagrams, too.
 */
import { errorCode } from "./errors.ts";

/** One of Bun's sockets, as far as it sends. */
export interface Sender {
  send(datagram: Uint8Array, port: number, address: string): boolean;
  sendMany(datagrams: (Uint8Array | number | string)[]): number;
}

/** How many datagrams are handled before the answers to them leave: 0.2 ms of work at most. */
export const AT_ONCE = 16;

export class Outbox {
  readonly #onError: (error: Error) => void;
  #socket: Sender | undefined;
  /** As sendMany takes them: datagram, port, address, and so on. */
  #queue: (Uint8Array | number | string)[] = [];

  /** @param onError takes errors of sending; the datagram is lost */
  constructor(socket: Sender, onError: (error: Error) => void) {
    this.#socket = socket;
    this.#onError = onError;
  }

  /** Sends a datagram, which must not be changed afterwards, when this turn ends, or before. */
  push(datagram: Uint8Array, port: number, address: string): void {
    if (this.#queue.length === 0) setImmediate(() => this.flush());
    this.#queue.push(datagram, port, address);
  }

  /** Uses another socket from now on. Undefined: holds datagrams back until there is one. */
  use(socket: Sender | undefined): void {
    this.#socket = socket;
    this.flush();
  }

  /** Sends all of it now. */
  flush(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#queue.length === 0) return;
    const batch = this.#queue;
    this.#queue = [];
    for (let at = 3 * sendTogether(socket, batch); at < batch.length; at += 3) {
      const [datagram, port, address] = batch.slice(at, at + 3) as [Uint8Array, number, string];
      try {
        sendPersistently(() => socket.send(datagram, port, address));
      } catch (error) {
        this.#onError(error as Error);
      }
    }
  }
}

/**
 * Sends a batch in one system call, as far as that goes: the ICMP error of an earlier datagram ends it
 * (sendmmsg(2)).
 * @returns how many were sent; 0 where Bun does not say. To send an answer twice does no harm.
 */
function sendTogether(socket: Sender, batch: (Uint8Array | number | string)[]): number {
  try {
    return socket.sendMany(batch);
  } catch {
    return 0;
  }
}

/**
 * Sends, again if need be: Bun's `send` may throw the ICMP error of an earlier datagram instead of
 * sending this one.
 * @returns what `send` returned
 */
export function sendPersistently(send: () => boolean): boolean {
  for (let attempt = 1; ; attempt++) {
    try {
      return send();
    } catch (error) {
      if (errorCode(error) !== "ECONNREFUSED" || attempt === 5) throw error;
    }
  }
}
