/** What became of the datagrams, counted by reason. Pure. */
import type { DropReason } from "../protocol/message.ts";
import type { PlainRefusal } from "./registry.ts";

/** Why a datagram changed nothing: what it is, what the registry says, what the server lacks. */
export type Reason =
  | DropReason
  | PlainRefusal
  | "plain"
  | "no secret"
  | "wrong MAC"
  | "copy"
  | "too many challenges"
  | "too many questions"
  | "not durable";

/** How many datagrams ended in which way. It is live: the server counts while others read. */
export type Counters = Record<"accepted" | "challenged" | "answered" | Reason, number>;

/** Counters that are all 0. */
export function newCounters(): Counters {
  return {
    accepted: 0,
    challenged: 0,
    answered: 0,
    empty: 0,
    "not UTF-8": 0,
    "not a name": 0,
    malformed: 0,
    full: 0,
    plain: 0,
    "signed name": 0,
    "no secret": 0,
    "wrong MAC": 0,
    copy: 0,
    "too many challenges": 0,
    "too many questions": 0,
    "not durable": 0,
  };
}

/**
 * `2 pings accepted, 1 challenged, 3 datagrams dropped (3 malformed)`; with the questions, if any.
 * @param requests how many came by HTTP; undefined where that is off
 */
export function describeCounters(
  { accepted, answered, challenged, ...dropped }: Counters,
  requests?: number,
): string {
  const reasons = Object.entries(dropped).filter(([, number]) => number > 0);
  const total = reasons.reduce((sum, [, number]) => sum + number, 0);
  const list = reasons.map(([reason, number]) => `${number} ${reason}`).join(", ");
  const questions = answered === 0 ? "" : `${count(answered, "question")} answered, `;
  const http = requests === undefined ? "" : `, ${count(requests, "HTTP request")}`;
  return `${count(accepted, "ping")} accepted, ${questions}${challenged} challenged, ${count(total, "datagram")} dropped${list && ` (${list})`}${http}`;
}

/** `1 ping`, `2 pings`. */
function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
