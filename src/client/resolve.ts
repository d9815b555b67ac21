/** Resolves a server's host name. */
import { isAddress } from "../protocol/address.ts";
import { errorCode } from "../system/errors.ts";
import { ResolverSilentError } from "./client.ts";

/**
 * Makes a function that finds a host's IP addresses; it rejects if there are none.
 * @param onFailure called with the host at the first failure alone, so that it is said once
 */
export function resolver(onFailure: (host: string) => void): (host: string) => Promise<string[]> {
  let isFirst = true;
  return async (host) => {
    if (isAddress(host)) return [host];
    // Bun.udpSocket would resolve names, too, but blocks the event loop meanwhile.
    const { lookup } = await import("node:dns/promises");
    try {
      return (await lookup(host, { all: true })).map(({ address }) => address);
    } catch (error) {
      if (isFirst) onFailure(host);
      isFirst = false;
      throw error;
    }
  };
}

/** Whether an error says that a name could not be resolved. Node and Bun name getaddrinfo(3)'s errors so. */
export function isResolverError(error: Error): boolean {
  if (error instanceof ResolverSilentError) return true;
  return /^(?:DNS_)?(?:EAI_|ENOTFOUND|ENODATA|ESERVFAIL|ETIMEOUT)/.test(errorCode(error) ?? "");
}
