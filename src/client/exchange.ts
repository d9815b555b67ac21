/**
 * The client's side of a dynip/1 ping: datagrams on a schedule, challenges answered at once, until
 * the server acknowledges one.
 */
import { addressFromHex } from "../protocol/address.ts";
import {
  decodeCounter,
  decodeReply,
  encodeCounter,
  encodePing,
  NO_COOKIE,
  type Reply,
} from "../protocol/message.ts";
import type { Counters } from "./counters.ts";
import type { Inbox, InboxParts, Wanted } from "./inbox.ts";
import type { Path, Paths } from "./paths.ts";

/** What an exchange takes of the world. */
export interface ExchangeParts extends InboxParts {
  /** Milliseconds since 1970, by a clock that may be wrong. */
  now: () => number;
  /** 16 random lower-case hexadecimal digits. */
  nonce: () => string;
}

/** The schedule is over, and the server has acknowledged nothing. */
export class NoAcknowledgementError extends Error {}

/** What a server has acknowledged. */
export interface Acknowledgement {
  /** The server's address that answered. */
  readonly address: string;
  /** The address that the server saw and recorded, canonical. */
  readonly recorded: string;
  /** Whether the ping answered a challenge: the recorded address is new, or a clock is wrong. */
  readonly isChallenged: boolean;
  /**
   * How far this machine's clock is ahead of the counter that the challenge named, in seconds;
   * negative for behind, 0 without a challenge. That counter is the server's clock, or one more than
   * the last that it accepted from this name, whichever is higher.
   */
  readonly clockAhead: number;
}

/** What one exchange with a server uses: its sockets, and what has come on them. */
export interface Line {
  readonly paths: Paths;
  readonly inbox: Inbox;
}

/**
 * When a ping or a question is sent, in milliseconds after the first, and when it is given up: the schedule of
 * RFC 8489, section 6.2.1. A machine that boots may have no network, or no resolver, for a while.
 */
export const SCHEDULE: readonly number[] = [0, 500, 1500, 3500, 7500, 15_500, 31_500];
export const GIVE_UP_MS = 39_500;

/** A client with any clock can answer the first challenge; later ones have other causes. */
export const MAX_CHALLENGES = 3;

/** A datagram that was sent, by its nonce. */
interface Sent {
  readonly path: Path;
  readonly cookie: string;
  /** What this machine's clock showed, in microseconds. */
  readonly clock: number;
}

/**
 * Pings until an acknowledgement. Each datagram has a new nonce and a higher counter, so that the
 * server can tell it from a replay. A challenge is answered at once where it came from, and the
 * schedule starts again.
 * @param deadline by the monotonic clock, to give up earlier than the schedule does
 * @throws NoAcknowledgementError
 */
export async function exchange(
  { name, key }: { name: string; key: Uint8Array },
  line: Line,
  counters: Counters,
  deadline: number,
  parts: ExchangeParts,
): Promise<Acknowledgement> {
  const { now, nonce: newNonce, observe } = parts;
  const sent = new Map<string, Sent>();
  for (let challenges = 0; ; challenges++) {
    // An acknowledgement is good whenever it comes. A challenge of a datagram from before the last
    // challenge is late, or a copy, and says nothing new.
    const current = new Set<string>();
    const make = (path: Path): Uint8Array => {
      const { cookie } = path;
      const nonce = newNonce();
      const counter = encodeCounter(counters.next());
      sent.set(nonce, { path, cookie, clock: Math.floor(now() * 1000) });
      current.add(nonce);
      return encodePing({ name, counter, nonce, cookie }, key);
    };
    const isOurs = ({ type, nonce, counter }: Reply): boolean =>
      type === "A"
        ? sent.has(nonce)
        : current.has(nonce) && Number.isSafeInteger(decodeCounter(counter));
    const wanted = { decode: decodeReply, key, isOurs };
    const reply = await sendUntil(wanted, make, line, deadline, parts);
    if (!reply) throw new NoAcknowledgementError("no acknowledgement");
    const { path, cookie, clock } = sent.get(reply.nonce)!;
    const { address } = path;
    observe({ kind: reply.type === "A" ? "acknowledged" : "challenged", address });
    if (reply.type === "A") {
      return {
        address,
        recorded: addressFromHex(reply.value),
        isChallenged: cookie !== NO_COOKIE,
        clockAhead: cookie === NO_COOKIE ? 0 : path.clockAhead,
      };
    }
    if (challenges === MAX_CHALLENGES)
      throw new NoAcknowledgementError("one challenge after another");
    counters.follow(reply.counter);
    path.clockAhead = (clock - decodeCounter(reply.counter)) / 1e6;
    path.cookie = reply.value;
    line.paths.prefer(path);
  }
}

/**
 * Sends at the schedule's times until something wanted comes. The first two datagrams go to the first
 * address alone; with each one after them the next address is sent to as well, and what comes from any
 * address counts.
 * @param make the next datagram for a path
 * @param deadline by the monotonic clock, to give up earlier than the schedule does
 * @returns undefined when nothing comes in time
 */
export async function sendUntil<T>(
  wanted: Wanted<T>,
  make: (path: Path) => Uint8Array,
  { paths, inbox }: Line,
  deadline: number,
  { monotonic, observe }: InboxParts,
): Promise<T | undefined> {
  const start = monotonic();
  for (const index of SCHEDULE.keys()) {
    for (const path of await paths.best(Math.max(1, index))) {
      const { address, socket } = path;
      try {
        socket.send(make(path));
        observe({ kind: "sent", address });
      } catch (error) {
        // The schedule goes on: the network may come up.
        observe({ kind: "unsent", address, error: error as Error });
      }
    }
    const next = SCHEDULE[index + 1] ?? GIVE_UP_MS;
    const message = await inbox.take(wanted, Math.min(start + next, deadline));
    if (message !== undefined || monotonic() >= deadline) return message;
  }
  return undefined;
}
