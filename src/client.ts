/** The client: finds the server's addresses and sends it pings. */
import { encodePlain } from "./protocol.ts";
import { type Family, familyOf } from "./address.ts";
import type { ConnectedSocket } from "./udp.ts";

/** What a client is built from. */
export interface ClientParts {
  /** A host's IP addresses, link-local ones with their zone. Rejects when it has none that can be found. */
  resolve: (hostname: string) => Promise<string[]>;
  connect: (address: string, port: number) => Promise<ConnectedSocket>;
}

export interface Destination {
  /** The server's host name or IP address. */
  hostname: string;
  /** UDP, 1 to 65535. */
  port: number;
  /** `any`: IPv4 where it can be used, else IPv6. `both`: one ping in each. */
  family: Family | "any" | "both";
}

/** The server has no address in the family that was asked for. */
export class NoAddressError extends Error {}

/** One ping: where it was sent, or why it was not. */
export type PingResult =
  | { readonly sent: true; readonly address: string }
  | { readonly sent: false; readonly error: Error; readonly family?: Family };

/**
 * Sends a ping in each family asked for. Of several addresses in a family the first that the
 * system lets us send to is used. "Sent" is all that is known: nothing confirms a plain ping.
 * @param name a plain name, see protocol.ts
 * @returns a result per ping; one of a family that the server has no address in was not sent
 */
export async function pingServer(
  name: string,
  { hostname, port, family }: Destination,
  { resolve, connect }: ClientParts,
): Promise<PingResult[]> {
  let addresses: string[];
  try {
    addresses = await resolve(hostname);
  } catch (error) {
    return [{ sent: false, error: error as Error }];
  }
  return await Promise.all(
    PINGS[family].map((families) => {
      const candidates = families.flatMap((wanted) =>
        addresses.filter((address) => familyOf(address) === wanted),
      );
      return sendToFirst(candidates, families, name, port, connect);
    }),
  );
}

/**
 * Sends one datagram with the client's name. DynIP 0.1e: `dynip.client.send_packet`.
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
  const socket = await connect(address, port);
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

async function sendToFirst(
  candidates: readonly string[],
  families: readonly Family[],
  name: string,
  port: number,
  connect: ClientParts["connect"],
): Promise<PingResult> {
  const only = families.length === 1 ? { family: families[0]! } : {};
  let failure: Error | undefined;
  for (const address of candidates) {
    try {
      await sendPacket(address, port, name, connect);
      return { sent: true, address };
    } catch (error) {
      failure ??= error as Error;
    }
  }
  return {
    sent: false,
    error: failure ?? new NoAddressError("the server has no such address"),
    ...only,
  };
}
