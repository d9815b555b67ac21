/**
 * The wire. One UDP datagram is one message. A datagram that begins with the six bytes `dynip/` is a
 * message of the signed protocol and is never anything else; every other datagram is a plain ping.
 *
 * ## Plain ping: DynIP 0.1e, kept byte for byte
 *
 *     offset 0   the client's name, UTF-8, and nothing more; there is no reply, ever
 *
 * Names longer than 256 bytes are cut to 256 (0.1e's `DATA_SIZE_MAX`), at a character boundary. The
 * name must then be valid UTF-8, not empty, and of the characters that name.ts allows.
 *
 * ## dynip/1: signed and acknowledged
 *
 * 7-bit ASCII, single spaces, lower-case hexadecimal, no newline. ASCII, as a DynIP 0.1e server crashes
 * on bytes that are not UTF-8; it records a dynip/1 ping under a strange name. A ping is 110 + n bytes,
 * a reply always 109:
 *
 *     offset  ping `P`                              reply `A` (accepted) or `C` (challenge)
 *          0  `dynip/1 `                            `dynip/1 `
 *          8  `P `                                  `A ` or `C `
 *         10  counter, 16 digits, space             A: the counter now stored; C: the one to use next
 *         27  nonce, 16 digits, space               the ping's nonce
 *         44  cookie or 32 zeros, 32 digits, space  A: the address the server saw; C: a cookie
 *         77  name (n = 1 to 128), space, MAC       MAC, 32 digits
 *
 * - The counter is in microseconds since 1970, by the client's clock or as a challenge named it. It
 *   prevents replay: the server accepts none that is not higher than the last.
 * - The nonce is new for every datagram; a reply has the nonce of its ping.
 * - An address is 16 bytes, IPv4 as `::ffff:a.b.c.d`.
 * - The name is `[a-z0-9]`, or `[a-z0-9][a-z0-9._-]{0,126}[a-z0-9]`.
 * - The MAC is the first 16 bytes of HMAC-SHA256(K_name, every byte before the MAC), RFC 2104.
 * - K_name = HMAC-SHA256(secret, `dynip/1 key\n` + generation + `\n` + name). The secret is 32 random
 *   bytes, the generation a decimal number, 1 unless raised. The server derives keys; a client holds
 *   the secret, and can be any name, or only its own K_name. Raising the generation revokes the older
 *   key.
 * - Types other than P, A, C, Q and R, and versions other than 1, are dropped.
 *
 * ## Questions: where is a host?
 *
 * A question changes nothing, so it has no counter. It is always 352 bytes, an answer always 163, so
 * that no answer is longer than its question:
 *
 *     offset  question `Q`                          offset  answer `R`
 *          0  `dynip/1 Q `                               0  `dynip/1 R `
 *         10  nonce, 16 digits, space                   10  the question's nonce, space
 *         27  cookie or 32 zeros, 32 digits, space      27  `1`: from signed pings, or `0`; space
 *         60  asker (n), space, name asked for (m),     29  IPv4: address, 32 digits, space; age,
 *             space, 257 - n - m zeros, space               8 digits, space; stay, 8 digits, space
 *        320  MAC, 32 digits                            80  IPv6: the same three
 *                                                      131  MAC, 32 digits
 *
 * - Both names are signed names. The MACs of question and answer are by the asker's key.
 * - The age is how many seconds ago the host was last seen at the address, the stay how many seconds
 *   ago it was first seen there. Both are by the server's clock, so that no two clocks need agree;
 *   0 at least, and `ffffffff` where they do not fit.
 * - An address that is not known is 32 zeros, its age and its stay 8 zeros. Of a name that is unknown,
 *   or not for this asker, no address is known, and the flag is `0`.
 * - The server answers a question without a good cookie with `C`, whose counter is 16 zeros.
 *
 * What a server accepts is in registry.ts, whom it answers in questions.ts, its cookies in cookie.ts;
 * what a client does is in exchange.ts and find.ts.
 *
 * Pure: no socket, no clock, no file. Hostile input is a value, not an exception.
 */
import { isUtf8 } from "node:buffer";

import { addressFromHex, addressToHex } from "./address.ts";
import { hasNameCharacters } from "./name.ts";

/** The UDP port that DynIP 0.1e chose. */
export const DEFAULT_PORT = 28630;

/** The longest plain name, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 256;

/** The first bytes of every datagram of the signed protocol. No plain ping begins with them. */
export const SIGNED_PREFIX = "dynip/";

/** The length of a secret, and of a key, in bytes. */
export const KEY_BYTES = 32;

/** How far a counter may be from the clock of the server: 300 s, in microseconds; see registry.ts. */
export const COUNTER_WINDOW = 300_000_000;

/** The cookie of a ping or a question that has none. */
export const NO_COOKIE = "0".repeat(32);

/** A signed ping. Numbers are lower-case hexadecimal, as on the wire. */
export interface Ping {
  readonly name: string;
  /** 16 digits. */
  readonly counter: string;
  /** 16 digits. */
  readonly nonce: string;
  /** 32 digits, {@link NO_COOKIE} for none. */
  readonly cookie: string;
}

/** A server's reply to a {@link Ping}, and its challenge of a {@link Question}. */
export interface Reply {
  /** A: accepted. C: challenge. */
  readonly type: "A" | "C";
  /** 16 digits. A: the counter now stored. C: the counter to use next, zeros for a question. */
  readonly counter: string;
  /** The ping's or the question's. */
  readonly nonce: string;
  /** 32 digits. A: the address the server saw, IPv4 mapped. C: the cookie to send back. */
  readonly value: string;
}

/** A signed question: where is `name`? */
export interface Question {
  /** Who asks: a signed name, whose key makes the MAC. */
  readonly asker: string;
  /** The host asked for: a signed name. */
  readonly name: string;
  /** 16 digits. */
  readonly nonce: string;
  /** 32 digits, {@link NO_COOKIE} for none. */
  readonly cookie: string;
}

/** Where a host is in one address family. Times are whole seconds by the server's clock. */
export interface Place {
  /** Canonical. */
  readonly address: string;
  /** How long ago the host was last seen there; 0 to {@link LONGEST_AGE}, which is that or more. */
  readonly age: number;
  /** How long ago the host was first seen there; likewise. */
  readonly stay: number;
}

/** A server's answer to a {@link Question}. */
export interface Answer {
  /** The question's. */
  readonly nonce: string;
  /** Whether signed pings say so; false for plain ones, and where nothing is known. */
  readonly isSigned: boolean;
  /** Undefined where no address is known. */
  readonly ipv4: Place | undefined;
  readonly ipv6: Place | undefined;
}

/** The longest age on the wire, in seconds: 136 years. */
export const LONGEST_AGE = 0xffff_ffff;

/** Why a datagram was dropped. */
export type DropReason = "empty" | "not UTF-8" | "not a name" | "malformed";

/** What a datagram to a server says. The MAC of a signed one is not checked yet: see {@link hasMac}. */
export type Message =
  | { readonly type: "plain"; readonly name: string }
  | { readonly type: "signed"; readonly ping: Ping }
  | { readonly type: "question"; readonly question: Question }
  | { readonly type: "dropped"; readonly reason: DropReason };

/**
 * A plain ping's bytes.
 * @param name a plain name, see {@link isPlainName}
 * @throws RangeError for other names: {@link decode} would refuse them
 */
export function encodePlain(name: string): Uint8Array {
  if (!isPlainName(name)) throw new RangeError(`not a plain name: ${JSON.stringify(name)}`);
  return utf8.encode(name);
}

/**
 * A signed ping's bytes.
 * @param key the name's, 32 bytes, see {@link deriveKey}
 * @throws RangeError when a field is malformed
 */
export function encodePing({ name, counter, nonce, cookie }: Ping, key: Uint8Array): Uint8Array {
  return sign(`${VERSION}P ${counter} ${nonce} ${cookie} ${name} `, key, PING);
}

/** What a datagram to a server says, or why it is dropped. Takes any bytes of any length; never throws. */
export function decode(datagram: Uint8Array): Message {
  if (datagram.length === 0) return DROPPED.empty;
  if (isSigned(datagram)) {
    return datagram.length === QUESTION_BYTES ? decodeQuestion(datagram) : decodePing(datagram);
  }
  // Nearly every name is ASCII; decoding UTF-8 costs three times as much.
  if (isAsciiName(datagram)) return { type: "plain", name: ascii(datagram) };
  const bytes = cutUtf8(datagram, MAX_NAME_BYTES);
  if (!isUtf8(bytes)) return DROPPED["not UTF-8"];
  const name = strictUtf8.decode(bytes);
  if (!hasNameCharacters(name)) return DROPPED["not a name"];
  return { type: "plain", name };
}

/**
 * A reply's bytes.
 * @param key the pinging name's
 * @throws RangeError when a field is malformed
 */
export function encodeReply({ type, counter, nonce, value }: Reply, key: Uint8Array): Uint8Array {
  return sign(`${VERSION}${type} ${counter} ${nonce} ${value} `, key, REPLY);
}

/** What a datagram to a client says; undefined when it is no reply. The MAC is not checked yet. */
export function decodeReply(datagram: Uint8Array): Reply | undefined {
  if (datagram.length !== REPLY_BYTES) return undefined;
  const [, type, counter, nonce, value] = REPLY.exec(ascii(datagram)) ?? [];
  if (type === undefined) return undefined;
  return { type: type as Reply["type"], counter: counter!, nonce: nonce!, value: value! };
}

/**
 * A question's bytes.
 * @param key the asker's
 * @throws RangeError when a field is malformed
 */
export function encodeQuestion(
  { asker, name, nonce, cookie }: Question,
  key: Uint8Array,
): Uint8Array {
  const names = `${asker} ${name} `;
  const zeros = "0".repeat(Math.max(0, NAMES_BYTES - names.length));
  return sign(`${VERSION}Q ${nonce} ${cookie} ${names}${zeros} `, key, QUESTION);
}

/**
 * An answer's bytes.
 * @param key the asker's
 * @throws RangeError when a field is malformed
 */
export function encodeAnswer(
  { nonce, isSigned: flag, ipv4, ipv6 }: Answer,
  key: Uint8Array,
): Uint8Array {
  const places = `${encodePlace(ipv4)} ${encodePlace(ipv6)}`;
  return sign(`${VERSION}R ${nonce} ${Number(flag)} ${places} `, key, ANSWER);
}

/** What a datagram to a client says; undefined when it is no answer. The MAC is not checked yet. */
export function decodeAnswer(datagram: Uint8Array): Answer | undefined {
  if (datagram.length !== ANSWER_BYTES) return undefined;
  const [, nonce, flag, ipv4, ipv6] = ANSWER.exec(ascii(datagram)) ?? [];
  if (nonce === undefined) return undefined;
  return {
    nonce,
    isSigned: flag === "1",
    ipv4: decodePlace(ipv4!),
    ipv6: decodePlace(ipv6!),
  };
}

/** Whether a datagram that was decoded as a signed message or as a reply ends in its MAC by `key`. */
export function hasMac(datagram: Uint8Array, key: Uint8Array): boolean {
  const end = datagram.length - MAC_DIGITS;
  claimedMac.setFromHex(ascii(datagram, end));
  // We keep no hasher here: forged pings under random names would fill the memory, as the garbage
  // collector does not count a hasher's. Signing the reply to a good ping keeps the hasher.
  const hasher = hashers.get(key)?.copy() ?? new Bun.CryptoHasher("sha256", key);
  signedPart.set(datagram);
  hasher.update((signedParts[end] ??= signedPart.subarray(0, end))).digest(digest);
  return crypto.timingSafeEqual(rightMac, claimedMac);
}

/**
 * The key of one name, K_name in the header. No other name's key can be derived from it.
 * @param secret 32 bytes
 * @param name a signed name, see {@link isSignedName}
 * @param generation 1, or a larger whole number when the name's older keys are revoked
 */
export function deriveKey(secret: Uint8Array, name: string, generation: number): Uint8Array {
  return hasherOf(secret).copy().update(`dynip/1 key\n${generation}\n${name}`).digest();
}

/** A counter on the wire and in the client log: 16 lower-case hexadecimal digits. */
export function encodeCounter(counter: number): string {
  return counter.toString(16).padStart(16, "0");
}

/** The reverse of {@link encodeCounter}. Above 2^53 - 1, in the year 2255, the number is rounded. */
export function decodeCounter(digits: string): number {
  return Number.parseInt(digits, 16);
}

/** A secret or a key in a configuration: base64url, 43 characters. */
export function encodeKey(key: Uint8Array): string {
  return Buffer.from(key).toString("base64url");
}

/** The reverse of {@link encodeKey}; undefined for text that is not 32 bytes in base64url. */
export function decodeKey(text: string): Uint8Array | undefined {
  const digits = text.replace(/=$/, "");
  const key = Buffer.from(digits, "base64url");
  return key.length === KEY_BYTES && encodeKey(key) === digits ? key : undefined;
}

/** Whether `name` can be sent as a plain ping and arrives unchanged: 1 to 256 bytes, see name.ts. */
export function isPlainName(name: string): boolean {
  const message = decode(utf8.encode(name));
  return message.type === "plain" && message.name === name;
}

/** Whether `name` can be signed: 1 to 128 of a-z, 0-9 and, not at its ends, `.`, `_` and `-`. */
export function isSignedName(name: string): boolean {
  return WHOLE_SIGNED_NAME.test(name);
}

/**
 * The first `max` bytes of UTF-8 text, or up to three fewer so that no character is cut in two.
 * Bytes that are not UTF-8 are cut within the same three bytes.
 */
export function cutUtf8(bytes: Uint8Array, max: number): Uint8Array {
  if (bytes.length <= max) return bytes;
  let end = max;
  // 10xxxxxx continues a character; a character has at most 4 bytes (RFC 3629, section 3).
  while (end > max - 3 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

const VERSION = "dynip/1 ";
const MAC_DIGITS = 32;
const REPLY_BYTES = 109;
const SHORTEST_PING = 111;
const LONGEST_PING = 238;
const QUESTION_BYTES = 352;
const ANSWER_BYTES = 163;
/** Of a question, between the cookie's space and the MAC's: both names and the zeros, two spaces. */
const NAMES_BYTES = 259;

/** How the signed datagrams to a server begin, and how long they are: pings, and questions. */
export const SIGNED_SHAPES = [
  { start: `${VERSION}P `, minBytes: SHORTEST_PING, maxBytes: LONGEST_PING },
  { start: `${VERSION}Q `, minBytes: QUESTION_BYTES, maxBytes: QUESTION_BYTES },
] as const;

const SIGNED_NAME = "[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?";
const WHOLE_SIGNED_NAME = new RegExp(`^${SIGNED_NAME}$`);
const NUMBERS = "([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{32})";
const PING = new RegExp(`^dynip/1 P ${NUMBERS} (${SIGNED_NAME}) [0-9a-f]{32}$`);
const REPLY = new RegExp(`^dynip/1 ([AC]) ${NUMBERS} [0-9a-f]{32}$`);
const QUESTION = new RegExp(
  `^dynip/1 Q [0-9a-f]{16} [0-9a-f]{32} ${SIGNED_NAME} ${SIGNED_NAME} 0+ [0-9a-f]{32}$`,
);
/** Nothing known, or an address of the right family and its two ages. */
const UNKNOWN = `${"0".repeat(32)} 0{8} 0{8}`;
const IPV4_PLACE = `${UNKNOWN}|0{20}ffff[0-9a-f]{8} [0-9a-f]{8} [0-9a-f]{8}`;
const IPV6_PLACE = `${UNKNOWN}|(?!0{32}|0{20}ffff)[0-9a-f]{32} [0-9a-f]{8} [0-9a-f]{8}`;
const NOWHERE = /^0+$/;
const ANSWER = new RegExp(
  `^dynip/1 R ([0-9a-f]{16}) (0|1(?! ${UNKNOWN} ${UNKNOWN})) (${IPV4_PLACE}) (${IPV6_PLACE}) [0-9a-f]{32}$`,
);

const utf8 = new TextEncoder();
const SIGNED_BYTES = utf8.encode(SIGNED_PREFIX);
/** Keeps a byte order mark, which is a format character: name.ts refuses it. */
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Made once, so that a dropped datagram costs no allocation. */
const DROPPED: { readonly [R in DropReason]: Message } = {
  empty: { type: "dropped", reason: "empty" },
  "not UTF-8": { type: "dropped", reason: "not UTF-8" },
  "not a name": { type: "dropped", reason: "not a name" },
  malformed: { type: "dropped", reason: "malformed" },
};

function isSigned(datagram: Uint8Array): boolean {
  for (let at = 0; at < SIGNED_BYTES.length; at++) {
    if (datagram[at] !== SIGNED_BYTES[at]) return false;
  }
  return true;
}

/** Whether a datagram is an uncut name of ASCII letters, digits, punctuation and symbols alone. */
function isAsciiName(datagram: Uint8Array): boolean {
  if (datagram.length > MAX_NAME_BYTES) return false;
  for (let at = 0; at < datagram.length; at++) {
    const byte = datagram[at]!;
    if (byte <= 0x20 || byte >= 0x7f) return false;
  }
  return true;
}

function decodePing(datagram: Uint8Array): Message {
  if (datagram.length < SHORTEST_PING || datagram.length > LONGEST_PING) return DROPPED.malformed;
  const text = ascii(datagram);
  if (!PING.test(text)) return DROPPED.malformed;
  const counter = text.slice(10, 26);
  const nonce = text.slice(27, 43);
  const cookie = text.slice(44, 76);
  return { type: "signed", ping: { name: text.slice(77, -33), counter, nonce, cookie } };
}

function decodeQuestion(datagram: Uint8Array): Message {
  const text = ascii(datagram);
  if (!QUESTION.test(text)) return DROPPED.malformed;
  const end = text.indexOf(" ", 60);
  const asker = text.slice(60, end);
  const name = text.slice(end + 1, text.indexOf(" ", end + 1));
  const nonce = text.slice(10, 26);
  return { type: "question", question: { asker, name, nonce, cookie: text.slice(27, 59) } };
}

function encodePlace(place: Place | undefined): string {
  if (place === undefined) return `${"0".repeat(32)} 00000000 00000000`;
  return `${addressToHex(place.address)} ${encodeAge(place.age)} ${encodeAge(place.stay)}`;
}

function decodePlace(text: string): Place | undefined {
  const [address = "", age = "", stay = ""] = text.split(" ");
  if (NOWHERE.test(address)) return undefined;
  return {
    address: addressFromHex(address),
    age: Number.parseInt(age, 16),
    stay: Number.parseInt(stay, 16),
  };
}

/** @param seconds any number */
function encodeAge(seconds: number): string {
  const whole = Math.min(Math.max(0, Math.floor(seconds)), LONGEST_AGE);
  return whole.toString(16).padStart(8, "0");
}

/** One character per byte, so that no byte above 127 becomes a character that a pattern accepts. */
function ascii(datagram: Uint8Array, start = 0): string {
  // A socket's datagrams are Buffers already. Making a view costs more than making the text.
  const bytes =
    datagram instanceof Buffer
      ? datagram
      : Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  return bytes.toString("latin1", start);
}

/**
 * A datagram: the text, then its MAC. The bytes that are signed are the bytes that are sent.
 * @throws RangeError when the datagram is not of the form
 */
function sign(text: string, key: Uint8Array, form: RegExp): Uint8Array {
  const datagram = text + hasherOf(key).copy().update(text).digest("hex").slice(0, MAC_DIGITS);
  if (!form.test(datagram)) throw new RangeError(`not of the form ${form.source}: ${text}`);
  return utf8.encode(datagram);
}

/** HMAC-SHA256 with this key, to be copied. Kept, as making one costs more than hashing a datagram. */
function hasherOf(key: Uint8Array): Bun.CryptoHasher {
  let hasher = hashers.get(key);
  if (hasher === undefined) {
    hasher = new Bun.CryptoHasher("sha256", key);
    hashers.set(key, hasher);
  }
  return hasher;
}

const hashers = new WeakMap<Uint8Array, Bun.CryptoHasher>();

/** Memory for checking MACs, so that a datagram that will be dropped costs no allocation. */
const digest = new Uint8Array(64); // HMAC-SHA256 fills 32 bytes; Bun demands room for any hash
const rightMac = digest.subarray(0, MAC_DIGITS / 2);
const claimedMac = new Uint8Array(MAC_DIGITS / 2);
/** A copy of the datagram, and its beginnings by length: a view of a socket's own costs three times as much. */
const signedPart = new Uint8Array(QUESTION_BYTES);
const signedParts: Uint8Array[] = [];
