/**
 * The client's side of a question: asks servers where a host is, on the schedule of a ping. Challenges
 * are answered at once.
 */
import { familyOf } from "../protocol/address.ts";
import {
  type Answer,
  decodeAnswer,
  decodeReply,
  encodeQuestion,
  type Place,
  type Reply,
} from "../protocol/message.ts";
import { type Destination, findAddresses, type NetworkParts, withLine } from "./client.ts";
import type { Observe } from "./evidence.ts";
import {
  type ExchangeParts,
  type Line,
  MAX_CHALLENGES,
  NoAcknowledgementError,
  sendUntil,
} from "./exchange.ts";
import type { Path } from "./paths.ts";

/** What is asked, and by whom. */
export interface Request {
  /** The host asked for, a signed name. */
  name: string;
  /** The signed name that asks, and its key. */
  asker: string;
  key: Uint8Array;
}

/** Whom to ask. */
export interface Servers extends Pick<Destination, "port" | "family"> {
  /** The servers' host names or IP addresses, at least one. */
  hostnames: readonly string[];
}

/** What finding takes of the world. */
export interface FindParts extends Omit<NetworkParts, "observe">, Pick<ExchangeParts, "nonce"> {
  /** Told what happens to the questions to one server. */
  observerOf: (hostname: string) => Observe;
}

type AskParts = NetworkParts & Pick<ExchangeParts, "nonce">;

/** The schedule is over, or another server has answered a second ago, and this one is silent. */
export class NoAnswerError extends NoAcknowledgementError {}

/** What one server has said. */
export type ServerAnswer = { readonly hostname: string } & (
  | { readonly kind: "answered"; readonly answer: Answer }
  | { readonly kind: "failed"; readonly error: Error }
);

/** What is known of a host. */
export interface Found {
  /** Whether signed pings say so; anyone can forge a plain one. */
  readonly isSigned: boolean;
  readonly ipv4: Place | undefined;
  readonly ipv6: Place | undefined;
}

/**
 * Asks all servers at once. After the first answer the others have one more second.
 * @param timeout milliseconds after which to give up at the latest; Infinity for the schedule's own
 * @returns a result per server, in their order
 */
export async function askServers(
  request: Request,
  { hostnames, port, family }: Servers,
  timeout: number,
  parts: FindParts,
): Promise<ServerAnswer[]> {
  const over = new AbortController();
  const ended = new AbortController();
  const deadline = parts.monotonic() + timeout;
  const untilOver = {
    ...parts,
    // When it is over every deadline has passed, and every sleep ends.
    monotonic: () => (over.signal.aborted ? Number.POSITIVE_INFINITY : parts.monotonic()),
    sleep: (milliseconds: number, signal: AbortSignal) =>
      parts.sleep(milliseconds, AbortSignal.any([signal, over.signal])),
  };
  const first = Promise.withResolvers<void>();
  const results = hostnames.map(async (hostname): Promise<ServerAnswer> => {
    try {
      const observed = { ...untilOver, observe: parts.observerOf(hostname) };
      const answer = await askServer(request, hostname, port, family, deadline, observed);
      first.resolve();
      return { hostname, kind: "answered", answer };
    } catch (error) {
      return { hostname, kind: "failed", error: error as Error };
    }
  });
  void first.promise.then(async () => {
    await parts.sleep(OTHERS_MS, ended.signal);
    over.abort();
  });
  const all = await Promise.all(results);
  ended.abort();
  return all;
}

/**
 * What several answers say together: in each family the address that was seen last. Where signed pings
 * say where the host is, what plain ones say is left out, since anyone can forge a plain ping.
 */
export function freshest(answers: readonly Answer[]): Found {
  const signed = answers.filter(({ isSigned }) => isSigned);
  const trusted = signed.length > 0 ? signed : answers;
  const newest = (places: readonly (Place | undefined)[]): Place | undefined =>
    places.filter((place) => place !== undefined).sort((one, other) => one.age - other.age)[0];
  return {
    isSigned: signed.length > 0,
    ipv4: newest(trusted.map(({ ipv4 }) => ipv4)),
    ipv6: newest(trusted.map(({ ipv6 }) => ipv6)),
  };
}

/** How long the other servers have after the first answer. */
const OTHERS_MS = 1000;

async function askServer(
  request: Request,
  hostname: string,
  port: number,
  family: Servers["family"],
  deadline: number,
  parts: AskParts,
): Promise<Answer> {
  const addresses = await findAddresses(hostname, deadline, parts);
  // A question may go over either family, whichever is asked for.
  const preferred = family === "ipv6" ? "ipv6" : "ipv4";
  const isLater = (address: string): number => Number(familyOf(address) !== preferred);
  const candidates = addresses.toSorted((one, other) => isLater(one) - isLater(other));
  return await withLine(candidates, port, deadline, parts, (line) =>
    ask(request, line, deadline, parts),
  );
}

/** @throws NoAnswerError */
async function ask(
  { name, asker, key }: Request,
  line: Line,
  deadline: number,
  parts: AskParts,
): Promise<Answer> {
  const { nonce: newNonce, observe } = parts;
  /** Where each question went, by its nonce. */
  const sent = new Map<string, Path>();
  for (let challenges = 0; ; challenges++) {
    // An answer is good whenever it comes. A challenge of a question from before the last challenge
    // is late, or a copy, and says nothing new.
    const current = new Set<string>();
    const make = (path: Path): Uint8Array => {
      const nonce = newNonce();
      sent.set(nonce, path);
      current.add(nonce);
      return encodeQuestion({ asker, name, nonce, cookie: path.cookie }, key);
    };
    const decode = (datagram: Uint8Array) => decodeAnswer(datagram) ?? decodeReply(datagram);
    const isOurs = (message: Answer | Reply): boolean =>
      isReply(message)
        ? message.type === "C" && current.has(message.nonce)
        : sent.has(message.nonce);
    const message = await sendUntil({ decode, key, isOurs }, make, line, deadline, parts);
    if (!message) throw new NoAnswerError("no answer");
    const path = sent.get(message.nonce)!;
    const { address } = path;
    observe({ kind: isReply(message) ? "challenged" : "answered", address });
    if (!isReply(message)) return message;
    if (challenges === MAX_CHALLENGES) throw new NoAnswerError("one challenge after another");
    path.cookie = message.value;
    line.paths.prefer(path);
  }
}

function isReply(message: Answer | Reply): message is Reply {
  return "type" in message;
}
