/**
 * The wire. One UDP datagram is one message.
 *
 * A datagram that begins with the six bytes `dynip/` belongs to the signed protocol and is never
 * anything else; this version knows none of its messages and drops them. Every other datagram is a
 * plain ping, as DynIP 0.1e sends it:
 *
 *     offset 0   the client's name, UTF-8, and nothing more; there is no reply, ever
 *
 * Names longer than 256 bytes are cut to 256 (0.1e's `DATA_SIZE_MAX`), at a character boundary. A
 * name is letters, marks, numbers, punctuation and symbols alone: with no white space, control,
 * format or separator character in it, no name can forge a line of a log or move a cursor.
 *
 * Pure: no socket, no clock, no file. Hostile input is a value, not an exception.
 */
import { isUtf8 } from "node:buffer";

/** The UDP port that DynIP 0.1e chose. */
export const DEFAULT_PORT = 28630;

/** The longest plain name, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 256;

/** How every datagram of the signed protocol begins, and no plain one. */
export const SIGNED_PREFIX = "dynip/";

/** Why a datagram was dropped. */
export type DropReason = "empty" | "signed" | "not UTF-8" | "not a name";

export type Message =
  | { readonly type: "plain"; readonly name: string }
  | { readonly type: "dropped"; readonly reason: DropReason };

/**
 * A plain ping's bytes.
 * @param name a plain name, see {@link isPlainName}
 * @throws RangeError when it is not one: nothing goes on the wire that {@link decode} would refuse
 */
export function encodePlain(name: string): Uint8Array {
  if (!isPlainName(name)) throw new RangeError(`not a plain name: ${JSON.stringify(name)}`);
  return utf8.encode(name);
}

/** What a datagram says, or why it is dropped. Never throws; the datagram may be of any length. */
export function decode(datagram: Uint8Array): Message {
  if (datagram.length === 0) return DROPPED.empty;
  if (isSigned(datagram)) return DROPPED.signed;
  const bytes = cutUtf8(datagram, MAX_NAME_BYTES);
  if (!isUtf8(bytes)) return DROPPED["not UTF-8"];
  const name = strictUtf8.decode(bytes);
  if (!NAME.test(name)) return DROPPED["not a name"];
  return { type: "plain", name };
}

/** Whether `name` can be sent as a plain ping and arrives as it is: 1 to 256 bytes of a name. */
export function isPlainName(name: string): boolean {
  const message = decode(utf8.encode(name));
  return message.type === "plain" && message.name === name;
}

/**
 * The first `max` bytes of UTF-8 text, or up to three fewer so that no character is cut in two.
 * Bytes that are not UTF-8 are cut near `max` as well, and stay what they are.
 */
export function cutUtf8(bytes: Uint8Array, max: number): Uint8Array {
  if (bytes.length <= max) return bytes;
  let end = max;
  // 10xxxxxx is the middle of a character, which is at most 4 bytes long (RFC 3629, section 3).
  while (end > max - 3 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

const NAME = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]+$/u;

const utf8 = new TextEncoder();
const SIGNED_BYTES = utf8.encode(SIGNED_PREFIX);
/** Keeps a byte order mark, so that it is seen, and refused, as the format character it is. */
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Made once: a dropped datagram costs no allocation. */
const DROPPED: { readonly [R in DropReason]: Message } = {
  empty: { type: "dropped", reason: "empty" },
  signed: { type: "dropped", reason: "signed" },
  "not UTF-8": { type: "dropped", reason: "not UTF-8" },
  "not a name": { type: "dropped", reason: "not a name" },
};

function isSigned(datagram: Uint8Array): boolean {
  return SIGNED_BYTES.every((byte, index) => datagram[index] === byte);
}
