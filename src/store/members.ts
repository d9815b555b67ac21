/**
 * The members of the JSON object that a client log is, one at a time, each read by JSON.parse. Pure.
 *
 * JSON.parse of the whole text would make every name a key of one object. JavaScriptCore finds keys
 * by a hash that attackers can compute, so they can make names that all have the same hash: 10,000 such
 * names took 1.2 s instead of 9 ms (Bun 1.4.5, November 2026), 40,000 took 130 s instead of 16 ms. Here
 * no name becomes a key.
 */

/** The text is not a client log; the message says where and why. */
export class ClientLogFormatError extends Error {}

/** One `"name": value`. */
export interface Member {
  readonly name: string;
  readonly value: unknown;
  /** Where it begins in the text, and where the text behind it begins. */
  readonly start: number;
  readonly end: number;
}

/**
 * The members of the object that `text` is, in order. A comma behind the last member is accepted: it
 * stays when that member's line is removed by hand.
 * @throws ClientLogFormatError when the text is not such an object; members before that place have
 *   been yielded then
 */
export function* membersOf(text: string): Generator<Member, undefined> {
  let at = skipSpace(text, 0);
  if (text[at] !== "{") throw new ClientLogFormatError(whyNoObject(text));
  at = skipSpace(text, at + 1);
  while (text[at] !== "}") {
    if (at === text.length) throw errorAt(text, text.trimEnd().length, "the end is missing");
    if (text[at] === ",") throw errorAt(text, at, "a comma without a host");
    const member = readMember(text, at);
    yield member;
    at = skipSpace(text, member.end);
    if (text[at] === ",") at = skipSpace(text, at + 1);
    else if (text[at] === '"') throw errorAt(text, member.end, "the comma at the end is missing");
    else if (at < text.length && text[at] !== "}") throw errorAt(text, at, "it is not JSON");
  }
  const behind = skipSpace(text, at + 1);
  if (behind < text.length) throw errorAt(text, behind, "there is something behind the end");
}

/**
 * The one member that `text` is.
 * @throws ClientLogFormatError when it is not one member
 */
export function memberOf(text: string): Member {
  const member = parseMember(text, skipSpace(text, 0));
  if (skipSpace(text, member.end) < text.length)
    throw new ClientLogFormatError("it is not one host");
  return member;
}

/** An error whose message begins with the line of the place `at`, counted from 1. */
export function errorAt(text: string, at: number, problem: string): ClientLogFormatError {
  return new ClientLogFormatError(`line ${text.slice(0, at).split("\n").length}: ${problem}`);
}

function readMember(text: string, at: number): Member {
  try {
    return parseMember(text, at);
  } catch (error) {
    throw error instanceof ClientLogFormatError ? errorAt(text, at, error.message) : error;
  }
}

function parseMember(text: string, start: number): Member {
  const nameEnd = text[start] === '"' ? endOfString(text, start) : start;
  const colon = skipSpace(text, nameEnd);
  if (nameEnd === start || text[colon] !== ":") {
    throw new ClientLogFormatError('it is not JSON: "name": {…} is expected');
  }
  const valueStart = skipSpace(text, colon + 1);
  const end = endOfValue(text, valueStart);
  try {
    const name = parseName(text.slice(start + 1, nameEnd - 1));
    return { name, value: JSON.parse(text.slice(valueStart, end)), start, end };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ClientLogFormatError(`it is not JSON (${error.message})`);
  }
}

/** The name between two quotes. */
function parseName(quoted: string): string {
  if (!quoted.includes("\\")) return quoted;
  // JSON.parse keeps strings of up to 16 characters in a table with the same hash: make it longer.
  return (JSON.parse(`"${PADDING}${quoted}"`) as string).slice(PADDING.length);
}

const PADDING = " ".repeat(32);

/** The place behind the string that begins at `start`; `start` itself when the string has no end. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code < SPACE) return start; // JSON has control characters escaped only
    if (code === BACKSLASH) at++;
  }
  return start;
}

/** The place behind the value that begins at `start`, if it is JSON; else any place behind `start`. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        if (end === at) return text.length;
        at = end - 1;
        break;
      }
      case BRACE:
      case BRACKET:
        depth++;
        break;
      case CLOSING_BRACE:
      case CLOSING_BRACKET:
        if (depth === 0) return at;
        if (--depth === 0) return at + 1;
        break;
      case COMMA:
      case NEWLINE:
        if (depth === 0) return at;
        break;
    }
  }
  return text.length;
}

function skipSpace(text: string, start: number): number {
  for (let at = start; ; at++) {
    const code = text.charCodeAt(at);
    if (code !== SPACE && code !== NEWLINE && code !== RETURN && code !== TAB) return at;
  }
}

function whyNoObject(text: string): string {
  if (text.trim() === "") return "it is empty";
  if (text.startsWith("\ufeff")) return "it begins with a byte order mark";
  try {
    JSON.parse(text);
    return "it is not a JSON object";
  } catch (error) {
    return `it is not JSON (${(error as SyntaxError).message})`;
  }
}

const [TAB, NEWLINE, RETURN, SPACE] = [0x09, 0x0a, 0x0d, 0x20] as const;
const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c] as const;
const [BRACE, CLOSING_BRACE, BRACKET, CLOSING_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d] as const;
