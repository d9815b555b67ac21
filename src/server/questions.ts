/**
 * Answers questions: where is a host? A question changes nothing. Nothing is told to an address that has
 * not answered a challenge for this asker, and an asker who may not know of a host gets the very answer
 * that says that it is unknown.
 *
 * Pure: time, hosts and cookies are passed in.
 */
import type { Host, HostStore, Sighting } from "../host.ts";
import { isUnicast } from "../protocol/address.ts";
import type { Cookies } from "../protocol/cookie.ts";
import {
  type Answer,
  encodeAnswer,
  encodeCounter,
  encodeReply,
  NO_COOKIE,
  type Place,
  type Question,
} from "../protocol/message.ts";
import type { Announcer } from "./announce.ts";
import type { Counters } from "./counters.ts";
import { limitPerSecond } from "./limit.ts";

export interface QuestionParts {
  /** What readers see: durable records, and the times of plain pings. */
  hosts: Pick<HostStore, "get" | "hashOf">;
  /** The signed names that may ask about every host. */
  readers: ReadonlySet<string>;
  counters: Counters;
  announcer: Announcer;
  /** Milliseconds since 1970, UTC. */
  now: () => number;
  /** Milliseconds of a monotonic clock. */
  monotonic: () => number;
}

/** Answers the questions that come to one server. */
export class Questions {
  readonly #parts: QuestionParts;
  readonly #cookies: Cookies;
  readonly #mayReply: (key: number) => boolean;

  constructor(parts: QuestionParts, cookies: Cookies) {
    this.#parts = parts;
    this.#cookies = cookies;
    this.#mayReply = limitPerSecond(REPLIES_PER_SECOND, parts.monotonic);
  }

  /**
   * The reply to a question whose MAC is right: an answer where the cookie is good, else a challenge.
   * @param key the asker's
   * @param address the source address of the datagram, canonical
   * @returns undefined when this question has had as many replies in this second as it may
   */
  reply(question: Question, key: Uint8Array, address: string): Uint8Array | undefined {
    const { hosts, readers, counters, announcer, now, monotonic } = this.#parts;
    const { asker, name, nonce, cookie } = question;
    if (!this.#mayReply(hosts.hashOf(`${nonce} ${asker}`))) return undefined;
    const time = monotonic();
    const use = ["question", address, asker, NEVER] as const;
    if (cookie === NO_COOKIE || !this.#cookies.isGood(cookie, ...use, time)) {
      counters.challenged++;
      announcer.challenged(asker, address);
      const value = this.#cookies.make(...use, time);
      return encodeReply({ type: "C", counter: NO_COUNTER, nonce, value }, key);
    }
    // Who may not know is not looked up for, so that the time of the answer tells nothing either.
    const host = mayKnow(asker, name, readers) ? hosts.get(name) : undefined;
    counters.answered++;
    announcer.asked(asker, name, host !== undefined);
    return encodeAnswer(answerOf(nonce, host, now()), key);
  }
}

/** Whether `asker` may know where `name` is: itself, and everything if it is one of the readers. */
export function mayKnow(asker: string, name: string, readers: ReadonlySet<string>): boolean {
  return asker === name || readers.has(asker);
}

/** For each asker and nonce, as for the challenges of pings. */
const REPLIES_PER_SECOND = 3;

/** A question changes no record, so that its cookie need not become bad when the record changes. */
const NEVER = 0;

/** A question has no counter, and its challenge names none. */
const NO_COUNTER = encodeCounter(0);

/** @param host undefined where nothing is known, or nothing is to be told */
function answerOf(nonce: string, host: Host | undefined, now: number): Answer {
  const ipv4 = placeOf(host?.ipv4, now);
  const ipv6 = placeOf(host?.ipv6, now);
  const isKnown = ipv4 !== undefined || ipv6 !== undefined;
  return { nonce, isSigned: isKnown && host?.counter !== undefined, ipv4, ipv6 };
}

function placeOf(sighting: Sighting | undefined, now: number): Place | undefined {
  // An edited client log may hold "::", which on the wire is no address.
  if (sighting === undefined || !isUnicast(sighting.address)) return undefined;
  const { address, since, lastSeen } = sighting;
  return { address, age: (now - lastSeen) / 1000, stay: (now - since) / 1000 };
}
