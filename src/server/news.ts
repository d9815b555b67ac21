/**
 * What in a change is news: a new host, another address, a first signature. The log, the notices and
 * every other listener that tells of news use this. Pure.
 */
import type { Change } from "../host.ts";
import { cutUtf8 } from "../protocol/message.ts";

/** What is new about a host. */
export interface News {
  /** new: the host was unknown, or is signed from now on. moved: its address in this family is another. */
  readonly event: "new" | "moved";
  /** Canonical, see address.ts. */
  readonly address: string;
  /** The address that it had in this family before, if it had another one. */
  readonly previous: string | undefined;
  /** One line, without a full stop: `nas moved from 192.0.2.1 to 192.0.2.2`. */
  readonly message: string;
}

/**
 * Says what is news in a change; undefined for a host that is still where it was.
 * @param shown the name in the message
 */
export function newsOf(change: Change, shown = shortName(change.name)): News | undefined {
  const { family, before, now } = change;
  const { address } = now[family]!;
  if (before === undefined) {
    const message = `new host ${shown} at ${address}`;
    return { event: "new", address, previous: undefined, message };
  }
  const was = before[family]?.address;
  const previous = was === address ? undefined : was;
  if (before.counter === undefined && now.counter !== undefined) {
    const message = `${shown} at ${address} is signed from now on`;
    return { event: "new", address, previous, message };
  }
  if (was === address) return undefined;
  const message =
    was === undefined
      ? `${shown} is at ${address}, too`
      : `${shown} moved from ${was} to ${address}`;
  return { event: "moved", address, previous, message };
}

/** How much news of plain pings, which anyone can send, is told in a second. */
export const PLAIN_NEWS_PER_SECOND = 10;

/** A name, cut where it is longer than 100 bytes. */
export function shortName(name: string): string {
  const bytes = Buffer.from(name);
  if (bytes.length <= SHOWN_NAME_BYTES) return name;
  return `${new TextDecoder().decode(cutUtf8(bytes, SHOWN_NAME_BYTES))}…`;
}

/** The length of a name in a message: the line stays under 300 bytes. */
const SHOWN_NAME_BYTES = 100;
