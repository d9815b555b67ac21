/**
 * The client: finds a server's addresses and pings it. Without a key it sends one plain ping and knows
 * only that it was sent; with one it sends signed pings until the server acknowledges one.
 */
import { type Family, familyOf, isAddress } from "../protocol/address.ts";
import { encodePlain } from "../protocol/message.ts";
import { errorCode } from "../system/errors.ts";
import { Counters } from "./counters.ts";
import {
  type Acknowledgement,
  exchange,
  type ExchangeParts,
  GIVE_UP_MS,
  type Line,
  SCHEDULE,
} from "./exchange.ts";
import { Inbox, type InboxParts } from "./inbox.ts";
import { type Connect, Paths } from "./paths.ts";

/** What a client is built from. */
export interface ClientParts extends ExchangeParts, NetworkParts {}

/** What finding and reaching a server takes of the world. */
export interface NetworkParts extends InboxParts {
  /** A host name's IP addresses, link-local ones with their zone. Rejects when there is none. */
  resolve: (hostname: string) => Promise<string[]>;
  connect: Connect;
}

export interface Destination {
  /** The server's host name or IP address. */
  hostname: string;
  /** UDP, 1 to 65535. */
  port: number;
  /** `any`: one ping, over IPv4 where that works, else over IPv6. `both`: one ping in each. */
  family: Family | "any" | "both";
}

export interface Identity {
  /** A plain name, or with a key a signed one; see message.ts. */
  name: string;
  /** The name's key; undefined to send plain pings. */
  key: Uint8Array | undefined;
}

/** The server has no address in the family that was asked for. */
export class NoAddressError extends Error {}

/** The resolver has not answered in time. */
export class ResolverSilentError extends Error {}

/** What is known of one ping. */
export type PingResult =
  | { readonly kind: "sent"; readonly address: string }
  | ({ readonly kind: "acknowledged" } & Acknowledgement)
  | { readonly kind: "failed"; readonly error: Error; readonly family?: Family };

/**
 * Pings a server in each family asked for. Of its addresses in a family a plain ping goes to the first
 * that the system lets us send to; a signed one goes on to the next when there is no answer.
 * @param timeout milliseconds after which to give up at the latest; Infinity for the schedule's own
 * @returns a result per ping; one in a family that the server has no address in has failed
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
    addresses = await findAddresses(hostname, deadline, parts);
  } catch (error) {
    return [{ kind: "failed", error: error as Error }];
  }
  const counters = new Counters(parts.now);
  const results: Promise<PingResult>[] = [];
  for (const families of PINGS[family]) {
    const before = results.at(-1);
    // Sent at once, they could arrive in the other order, and the lower counter would be challenged.
    if (before && identity.key) await endOrDelay(before, deadline, parts);
    const candidates = families.flatMap((wanted) =>
      addresses.filter((address) => familyOf(address) === wanted),
    );
    const ping = sendTo(candidates, port, identity, counters, deadline, parts);
    results.push(ping.catch((error: Error) => failure(error, families)));
  }
  return await Promise.all(results);
}

/**
 * Sends one plain ping: a datagram with the client's name. DynIP 0.1e: `dynip.client.send_packet`.
 * @param address the server's
 * @param port UDP, 1 to 65535
 * @param name a plain name, see message.ts
 * @throws the system's error when it does not take the datagram
 */
export async function sendPacket(
  address: string,
  port: number,
  name: string,
  connect: ClientParts["connect"],
): Promise<void> {
  const ignore = (): void => {};
  const socket = await connect(address, port, ignore, ignore);
  try {
    if (!socket.send(encodePlain(name))) throw new Error("the system's send queue is full");
  } finally {
    socket.close();
  }
}

/**
 * A server's addresses. Asks the resolver at the schedule's times.
 * @param hostname a host name or an IP address
 * @param deadline by the monotonic clock, to give up earlier than the schedule does
 * @throws ResolverSilentError, or the resolver's error
 */
export async function findAddresses(
  hostname: string,
  deadline: number,
  parts: NetworkParts,
): Promise<string[]> {
  if (isAddress(hostname)) return [hostname];
  const until = Math.min(deadline, parts.monotonic() + GIVE_UP_MS);
  const resolve = () => resolveInTime(hostname, until, parts);
  return await retry(resolve, () => true, until, parts);
}

/**
 * Opens a line to a server, at the schedule's times while the network is down, and closes it after use.
 * @param candidates the server's addresses to try, in order of preference; at least one
 * @param deadline by the monotonic clock, to give up earlier than the schedule does
 * @throws the system's error, or what `use` throws
 */
export async function withLine<T>(
  candidates: readonly string[],
  port: number,
  deadline: number,
  parts: NetworkParts,
  use: (line: Line) => Promise<T>,
): Promise<T> {
  const inbox = new Inbox(parts);
  const onDatagram = (datagram: Uint8Array, address: string): void => inbox.put(datagram, address);
  const paths = new Paths(candidates, { ...parts, port, onDatagram });
  try {
    await retry(() => paths.best(1), isNetworkDown, deadline, parts);
    return await use({ paths, inbox });
  } finally {
    paths.close();
  }
}

/** The families that each ping may use, in order of preference: DynIP 0.1e's servers have IPv4 alone. */
const PINGS: Readonly<Record<Destination["family"], readonly (readonly Family[])[]>> = {
  any: [["ipv4", "ipv6"]],
  ipv4: [["ipv4"]],
  ipv6: [["ipv6"]],
  both: [["ipv4"], ["ipv6"]],
};

/** How long the second family waits for the first at most: RFC 8305, section 5, has the same for TCP. */
const FAMILY_DELAY_MS = 250;

/** Resolves when a ping has ended, or after a delay that leaves the next one half of the time at least. */
async function endOrDelay(
  ping: Promise<PingResult>,
  deadline: number,
  { monotonic, sleep }: ClientParts,
): Promise<void> {
  const ended = new AbortController();
  const delay = Math.min(FAMILY_DELAY_MS, (deadline - monotonic()) / 2);
  await Promise.race([ping, sleep(Math.max(0, delay), ended.signal)]);
  ended.abort();
}

function failure(error: Error, families: readonly Family[]): PingResult {
  return {
    kind: "failed",
    error,
    ...(families.length === 1 && { family: families[0]! }),
  };
}

/** @param candidates the addresses to try, in order of preference */
async function sendTo(
  candidates: readonly string[],
  port: number,
  { name, key }: Identity,
  counters: Counters,
  deadline: number,
  parts: ClientParts,
): Promise<PingResult> {
  if (candidates.length === 0) throw new NoAddressError("the server has no such address");
  return key === undefined
    ? await sendPlain(candidates, port, name, deadline, parts)
    : await sendSigned(candidates, port, { name, key }, counters, deadline, parts);
}

async function sendPlain(
  candidates: readonly string[],
  port: number,
  name: string,
  deadline: number,
  parts: ClientParts,
): Promise<PingResult> {
  const send = async (address: string): Promise<PingResult> => {
    try {
      await sendPacket(address, port, name, parts.connect);
    } catch (error) {
      parts.observe({ kind: "unsent", address, error: error as Error });
      throw error;
    }
    const sent = { kind: "sent", address } as const;
    parts.observe(sent);
    return sent;
  };
  return await retry(() => first(candidates, send), isNetworkDown, deadline, parts);
}

async function sendSigned(
  candidates: readonly string[],
  port: number,
  identity: { name: string; key: Uint8Array },
  counters: Counters,
  deadline: number,
  parts: ClientParts,
): Promise<PingResult> {
  return await withLine(candidates, port, deadline, parts, async (line) => ({
    kind: "acknowledged",
    ...(await exchange(identity, line, counters, deadline, parts)),
  }));
}

/** A host's addresses. A resolver may be silent for longer than there is time. */
async function resolveInTime(
  hostname: string,
  until: number,
  { resolve, monotonic, sleep, observe }: NetworkParts,
): Promise<string[]> {
  const answered = new AbortController();
  const silence = sleep(Math.max(0, until - monotonic()), answered.signal).then(() => undefined);
  try {
    const addresses = await Promise.race([resolve(hostname), silence]);
    if (!addresses) throw new ResolverSilentError("the resolver does not answer");
    observe({ kind: "resolved", addresses });
    return addresses;
  } catch (error) {
    observe({ kind: "unresolved", error: error as Error });
    throw error;
  } finally {
    answered.abort();
  }
}

/** Whether an error may be gone when the network comes up. */
function isNetworkDown(error: unknown): boolean {
  return ["EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"].includes(errorCode(error) ?? "");
}

/**
 * Tries the candidates in order until `act` succeeds for one.
 * @throws the first candidate's error when it succeeds for none
 */
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
 * Tries at the schedule's times until `act` succeeds.
 * @throws the last error, or at once one that is not transient
 */
async function retry<T>(
  act: () => Promise<T>,
  isTransient: (error: unknown) => boolean,
  deadline: number,
  { monotonic, sleep }: NetworkParts,
): Promise<T> {
  const start = monotonic();
  const never = new AbortController().signal;
  for (const next of SCHEDULE.slice(1)) {
    try {
      return await act();
    } catch (error) {
      if (deadline <= monotonic() || !isTransient(error)) throw error;
      // An attempt may take longer than the schedule leaves it: then the next begins at once.
      await sleep(Math.max(0, Math.min(start + next, deadline) - monotonic()), never);
    }
  }
  return await act();
}
