/** Whether a host is silent. Pure. */
import type { Host } from "../host.ts";

/**
 * Whether a host was seen in no family for 15 minutes, three times the time between two pings. One that
 * never pinged, for which a router reports, is never silent: a router reports changes alone.
 * @param now milliseconds since 1970, UTC
 */
export function isSilent({ ipv4, ipv6, counter }: Host, now: number): boolean {
  const lastSeen = Math.max(ipv4?.lastSeen ?? 0, ipv6?.lastSeen ?? 0);
  return counter !== 0 && now - lastSeen > SILENT_MS;
}

const SILENT_MS = 15 * 60_000;
