/**
 * The client: finds a server's addresses and pings it. A client without a key sends a plain ping and
 * knows only that it was sent; one with a key sends signed pings until the server acknowledges one.
 */
import { addressFromHex, type Family, familyOf } from "./address.ts";
import { errorCode } from "./errors.ts";
import {
  decodeCounter,
  decodeReply,
  encodeCounter,
  encodePing,
  encodePlain,
  hasMac,
  NO_COOKIE,
  type Reply,
} from "./protocol.ts";
import type { ConnectedSocket } from "./udp.ts";

/** What a client is built from. */
export interface ClientParts {
  /** A host's IP addresses, link-local ones with their zone. Rejects when there is none. */
  resolve: (hostname: string) => Promise<string[]>;
  connect: (
    address: string,
    port: number,
    onDatagram: (datagram: Uint8Array) => void,
  ) => Promise<ConnectedSocket>;
  /** Milliseconds since 1970, however wrong. */
  now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  monotonic: () => number;
  /** Resolves after so many milliseconds, or as soon as the signal is aborted. */
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** 16 random lower-case hexadecimal digits. */
  nonce: () => string;
}

export interface Destination {
  /** The server's host name or IP address. */
  hostname: string;
  /** UDP, 1 to 65535. */
  port: number;
  /** `any`: IPv4 where it can be used, else IPv6. `both`: one ping in each. */
  family: Family | "any" | "both";
}

export interface Identity {
  /** A plain name, or with a key a signed one; see protocol.ts. */
  name: string;
  /** The name's key; undefined to send plain pings. */
  key: Uint8Array | undefined;
}

/** The server has no address in the family that was asked for. */
export class NoAddressError extends Error {}

/** The resolver has not answered, and there is no time left. */
export class ResolverSilentError extends Error {}

/** The schedule came to its end without a good acknowledgement. */
export class NoAcknowledgementError extends Error {}

/** What a server has acknowledged. */
export interface Acknowledgement {
  /** The address that the server saw and recorded, canonical. */
  readonly recorded: string;
  /** Whether the server asked for proof first: the address is new to it, or a clock is wrong. */
  readonly isChallenged: boolean;
  /** How far this clock is ahead of the server's, in seconds; known only when challenged. */
  readonly clockAhead: number;
}

/** One ping: what is known of it. */
export type PingResult =
  | { readonly kind: "sent"; readonly address: string }
  | ({ readonly kind: "acknowledged"; readonly address: string } & Acknowledgement)
  | { readonly kind: "failed"; readonly error: Error; readonly family?: Family };

/**
 * When a ping is sent, in milliseconds after the first, and when it is given up: the schedule of
 * RFC 8489, section 6.2.1. A machine that boots may have no network, or no resolver, for a while.
 */
export const SCHEDULE: readonly number[] = [0, 500, 1500, 3500, 7500, 15_500, 31_500];
export const GIVE_UP_MS = 39_500;

/** After so many challenges, one of which a client with any clock can meet, there is no point. */
const MAX_CHALLENGES = 3;

/**
 * Pings a server in each family asked for. Of several addresses in a family the first is used that
 * the system lets us send to.
 * @param timeout milliseconds after which to give up at the latest; Infinity for the schedule's own
 * @returns a result per ping; one of a family that the server has no address in has failed
 */
export async function pingServer(
  identity: Identity,
  { hostname, port, family }: Destination,
  timeout: number,
  parts: ClientParts,
): Promise<PingResult[]> {
  const deadline = parts.monotonic() + timeout;
  let addresses: string[];
  try {
    const until = Math.min(deadline, parts.monotonic() + GIVE_UP_MS);
    const resolve = () => resolveInTime(hostname, until, parts);
    addresses = await retry(resolve, () => true, until, parts);
  } catch (error) {
    return [{ kind: "failed", error: error as Error }];
  }
  return await Promise.all(
    PINGS[family].map(async (families): Promise<PingResult> => {
      const candidates = families.flatMap((wanted) =>
        addresses.filter((address) => familyOf(address) === wanted),
      );
      try {
        if (candidates.length === 0) throw new NoAddressError("the server has no such address");
        return identity.key === undefined
          ? await sendPlain(candidates, port, identity.name, deadline, parts)
          : await sendSigned(candidates, port, { ...identity, key: identity.key }, deadline, parts);
      } catch (error) {
        const only = families.length === 1 ? { family: families[0]! } : {};
        return { kind: "failed", error: error as Error, ...only };
      }
    }),
  );
}

/**
 * Sends one plain ping: a datagram with the client's name. DynIP 0.1e: `dynip.client.send_packet`.
 * @param address the server's
 * @param port UDP, 1 to 65535
 * @param name a plain name, see protocol.ts
 * @throws the system's error when it does not take the datagram
 */
export async function sendPacket(
  address: string,
  port: number,
  name: string,
  connect: ClientParts["connect"],
): Promise<void> {
  const socket = await connect(address, port, () => {});
  try {
    if (!socket.send(encodePlain(name))) throw new Error("the system's send queue is full");
  } finally {
    socket.close();
  }
}

/** The families that each ping may use, in order of preference: 0.1e's servers are IPv4 alone. */
const PINGS: Readonly<Record<Destination["family"], readonly (readonly Family[])[]>> = {
  any: [["ipv4", "ipv6"]],
  ipv4: [["ipv4"]],
  ipv6: [["ipv6"]],
  both: [["ipv4"], ["ipv6"]],
};

async function sendPlain(
  candidates: readonly string[],
  port: number,
  name: string,
  deadline: number,
  parts: ClientParts,
): Promise<PingResult> {
  const send = async (address: string): Promise<PingResult> => {
    await sendPacket(address, port, name, parts.connect);
    return { kind: "sent", address };
  };
  return await retry(() => first(candidates, send), isNetworkDown, deadline, parts);
}

async function sendSigned(
  candidates: readonly string[],
  port: number,
  identity: Required<Identity> & { key: Uint8Array },
  deadline: number,
  parts: ClientParts,
): Promise<PingResult> {
  const inbox = new Inbox(parts);
  const connect = async (address: string) => ({
    address,
    socket: await parts.connect(address, port, (datagram) => inbox.put(datagram)),
  });
  const { address, socket } = await retry(
    () => first(candidates, connect),
    isNetworkDown,
    deadline,
    parts,
  );
  try {
    const acknowledgement = await exchange(identity, socket, inbox, deadline, parts);
    return { kind: "acknowledged", address, ...acknowledgement };
  } finally {
    socket.close();
  }
}

/**
 * Pings until an acknowledgement: each datagram with a new nonce and a higher counter, so that a
 * server can tell it from a replay. A challenge is met at once, and the schedule starts again.
 * @throws NoAcknowledgementError
 */
async function exchange(
  { name, key }: { name: string; key: Uint8Array },
  socket: ConnectedSocket,
  inbox: Inbox,
  deadline: number,
  { now, monotonic, nonce: newNonce }: ClientParts,
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
    for (const [index, time] of SCHEDULE.entries()) {
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
      if (reply || monotonic() >= deadline || start + time >= deadline) break;
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
class Inbox {
  readonly #parts: Pick<ClientParts, "monotonic" | "sleep">;
  readonly #datagrams: Uint8Array[] = [];
  #arrival = new AbortController();

  constructor(parts: Pick<ClientParts, "monotonic" | "sleep">) {
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

/** A host's addresses. A resolver may be silent for longer than anybody wants to wait. */
async function resolveInTime(
  hostname: string,
  until: number,
  { resolve, monotonic, sleep }: ClientParts,
): Promise<string[]> {
  const answered = new AbortController();
  const silence = sleep(Math.max(0, until - monotonic()), answered.signal).then(() => undefined);
  try {
    const addresses = await Promise.race([resolve(hostname), silence]);
    if (addresses) return addresses;
    throw new ResolverSilentError("the resolver is silent");
  } finally {
    answered.abort();
  }
}

/** Whether an error may pass when the network comes up. */
function isNetworkDown(error: unknown): boolean {
  return ["EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"].includes(errorCode(error) ?? "");
}

/** The first candidate that `act` succeeds for; the first one's error when there is none. */
async function first<T>(
  candidates: readonly string[],
  act: (candidate: string) => Promise<T>,
): Promise<T> {
  let failure: unknown;
  for (const candidate of candidates) {
    try {
      return await act(candidate);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

/**
 * Tries at the schedule's times until it succeeds. The last error when it does not, or one that no
 * waiting helps against.
 */
async function retry<T>(
  act: () => Promise<T>,
  isTransient: (error: unknown) => boolean,
  deadline: number,
  { monotonic, sleep }: ClientParts,
): Promise<T> {
  const start = monotonic();
  const never = new AbortController().signal;
  for (const next of SCHEDULE.slice(1)) {
    try {
      return await act();
    } catch (error) {
      if (deadline <= monotonic() || !isTransient(error)) throw error;
      // An attempt may take longer than its time in the schedule: then the next begins at once.
      await sleep(Math.max(0, Math.min(start + next, deadline) - monotonic()), never);
    }
  }
  return await act();
}
