/**
 * The exchange of dynip/1, from the client's side: signed pings on a schedule, challenges met, until
 * the server acknowledges one.
 */
import { addressFromHex } from "../protocol/address.ts";
import {
  decodeCounter,
  decodeReply,
  encodeCounter,
  encodePing,
  hasMac,
  NO_COOKIE,
  type Reply,
} from "../protocol/message.ts";
import type { ConnectedSocket } from "../system/udp.ts";

/** What an exchange takes of the world. */
export interface ExchangeParts {
  /** Milliseconds since 1970, however wrong. */
  now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  monotonic: () => number;
  /** Resolves after so many milliseconds, or as soon as the signal is aborted. */
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** 16 random lower-case hexadecimal digits. */
  nonce: () => string;
}

/** The schedule came to its end without a good acknowledgement. */
export class NoAcknowledgementError extends Error {}

/** What a server has acknowledged. */
export interface Acknowledgement {
  /** The address that the server saw and recorded, canonical. */
  readonly recorded: string;
  /** Whether the server asked for proof first: the address is new to it, or a clock is wrong. */
  readonly isChallenged: boolean;
  /** How far this clock is ahead of the counter that the server asked for, in seconds, or 0. */
  readonly clockAhead: number;
}

/**
 * When a ping is sent, in milliseconds after the first, and when it is given up: the schedule of
 * RFC 8489, section 6.2.1. A machine that boots may have no network, or no resolver, for a while.
 */
export const SCHEDULE: readonly number[] = [0, 500, 1500, 3500, 7500, 15_500, 31_500];
export const GIVE_UP_MS = 39_500;

/** After so many challenges, one of which a client with any clock can meet, there is no point. */
const MAX_CHALLENGES = 3;

/**
 * Pings until an acknowledgement: each datagram with a new nonce and a higher counter, so that a
 * server can tell it from a replay. A challenge is met at once, and the schedule starts again.
 * @throws NoAcknowledgementError
 */
export async function exchange(
  { name, key }: { name: string; key: Uint8Array },
  socket: ConnectedSocket,
  inbox: Inbox,
  deadline: number,
  { now, monotonic, nonce: newNonce }: ExchangeParts,
): Promise<Acknowledgement> {
  let challenge: Reply | undefined;
  let counter = 0;
  let clockAhead = 0;
  const sent = new Set<string>();
  for (let challenges = 0; ; challenges++) {
    // An acknowledgement is good whenever it comes; a challenge to what was sent before the last
    // one is late, or a copy, and says nothing new.
    const current = new Set<string>();
    const isOurs = ({ type, nonce, counter }: Reply): boolean =>
      type === "A"
        ? sent.has(nonce)
        : current.has(nonce) && Number.isSafeInteger(decodeCounter(counter));
    const start = monotonic();
    let reply: Reply | undefined;
    for (const index of SCHEDULE.keys()) {
      const cookie = challenge?.value ?? NO_COOKIE;
      // Once the server has named a counter, this machine's clock has no say any more.
      if (!challenge) counter = Math.max(Math.floor(now() * 1000), counter + 1, 1);
      else counter = index === 0 ? decodeCounter(challenge.counter) : counter + 1;
      const nonce = newNonce();
      sent.add(nonce);
      current.add(nonce);
      trySend(socket, encodePing({ name, counter: encodeCounter(counter), nonce, cookie }, key));
      const next = SCHEDULE[index + 1] ?? GIVE_UP_MS;
      reply = await inbox.take(key, isOurs, Math.min(start + next, deadline));
      if (reply || monotonic() >= deadline) break;
    }
    if (reply?.type === "A") {
      const recorded = addressFromHex(reply.value);
      return { recorded, isChallenged: challenge !== undefined, clockAhead };
    }
    if (!reply) throw new NoAcknowledgementError("no acknowledgement");
    if (challenges === MAX_CHALLENGES)
      throw new NoAcknowledgementError("one challenge after another");
    if (!challenge) clockAhead = (counter - decodeCounter(reply.counter)) / 1e6;
    challenge = reply;
  }
}

/** Sends what can be sent: the network may come up, and the next in the schedule get through. */
function trySend(socket: ConnectedSocket, datagram: Uint8Array): void {
  try {
    socket.send(datagram);
  } catch {
    // Silence says the same, when the schedule is over.
  }
}

/** What a socket has received and nobody has looked at yet. */
export class Inbox {
  readonly #parts: Pick<ExchangeParts, "monotonic" | "sleep">;
  readonly #datagrams: Uint8Array[] = [];
  #arrival = new AbortController();

  constructor(parts: Pick<ExchangeParts, "monotonic" | "sleep">) {
    this.#parts = parts;
  }

  put(datagram: Uint8Array): void {
    this.#datagrams.push(Uint8Array.from(datagram));
    this.#arrival.abort();
  }

  /** The next good reply; undefined when there is none until then. Anything else is ignored. */
  async take(
    key: Uint8Array,
    isOurs: (reply: Reply) => boolean,
    until: number,
  ): Promise<Reply | undefined> {
    for (;;) {
      for (;;) {
        const datagram = this.#datagrams.shift();
        if (datagram === undefined) break;
        const reply = decodeReply(datagram);
        if (reply && isOurs(reply) && hasMac(datagram, key)) return reply;
      }
      const left = until - this.#parts.monotonic();
      if (left <= 0) return undefined;
      this.#arrival = new AbortController();
      await this.#parts.sleep(left, this.#arrival.signal);
    }
  }
}
