/** Resolves a server's host name. */
import { errorCode } from "../system/errors.ts";
import { ResolverSilentError } from "./client.ts";

/**
 * A host name's IP addresses, as getaddrinfo(3) finds them: from the hosts file, DNS or multicast DNS.
 * Bun's own resolver knows DNS only, Bun.udpSocket blocks the event loop while it resolves a name, and
 * node:dns, which does the same as this, takes 6 ms to load.
 * @throws Error if there are none, see {@link isResolverError}
 */
export async function resolve(host: string): Promise<string[]> {
  const found = await Bun.dns.lookup(host, { backend: "system" });
  return found.map(({ address }) => address);
}

/** Whether an error says that a name could not be resolved. Node and Bun name getaddrinfo(3)'s errors so. */
export function isResolverError(error: Error): boolean {
  if (error instanceof ResolverSilentError) return true;
  return /^(?:DNS_)?(?:EAI_|ENOTFOUND|ENODATA|ESERVFAIL|ETIMEOUT)/.test(errorCode(error) ?? "");
}
