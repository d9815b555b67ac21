/** What a socket sends: all datagrams of one turn of the event loop in one system call. */
import { errorCode } from "./errors.ts";

/** One of Bun's sockets, as far as it sends. */
export interface Sender {
  send(datagram: Uint8Array, port: number, address: string): boolean;
  sendMany(datagrams: (Uint8Array | number | string)[]): number;
}

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

  /** Sends a datagram, which must not be changed afterwards, at the end of this turn. */
  push(datagram: Uint8Array, port: number, address: string): void {
    if (this.#queue.length === 0) queueMicrotask(() => this.flush());
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
    try {
      socket.sendMany(batch);
    } catch {
      // Bun does not say how many were sent. To send an answer twice does no harm.
      for (let at = 0; at < batch.length; at += 3) {
        const [datagram, port, address] = batch.slice(at) as [Uint8Array, number, string];
        try {
          sendPersistently(() => socket.send(datagram, port, address));
        } catch (error) {
          this.#onError(error as Error);
        }
      }
    }
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
