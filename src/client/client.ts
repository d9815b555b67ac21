/**
 * The client: finds a server's addresses and pings it. A client without a key sends a plain ping and
 * knows only that it was sent; one with a key sends signed pings until the server acknowledges one.
 */
import { type Family, familyOf } from "../protocol/address.ts";
import { errorCode } from "../system/errors.ts";
import {
  type Acknowledgement,
  exchange,
  type ExchangeParts,
  GIVE_UP_MS,
  Inbox,
  SCHEDULE,
} from "./exchange.ts";
import { encodePlain } from "../protocol/message.ts";
import type { ConnectedSocket } from "../system/udp.ts";

/** What a client is built from. */
export interface ClientParts extends ExchangeParts {
  /** A host's IP addresses, link-local ones with their zone. Rejects when there is none. */
  resolve: (hostname: string) => Promise<string[]>;
  connect: (
    address: string,
    port: number,
    onDatagram: (datagram: Uint8Array) => void,
  ) => Promise<ConnectedSocket>;
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
  /** A plain name, or with a key a signed one; see message.ts. */
  name: string;
  /** The name's key; undefined to send plain pings. */
  key: Uint8Array | undefined;
}

/** The server has no address in the family that was asked for. */
export class NoAddressError extends Error {}

/** The resolver has not answered, and there is no time left. */
export class ResolverSilentError extends Error {}

/** One ping: what is known of it. */
export type PingResult =
  | { readonly kind: "sent"; readonly address: string }
  | ({ readonly kind: "acknowledged"; readonly address: string } & Acknowledgement)
  | { readonly kind: "failed"; readonly error: Error; readonly family?: Family };

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
 * @param name a plain name, see message.ts
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
