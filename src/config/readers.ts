/** Readers: each checks a value of the TOML file and turns it into one of the configuration. Pure. */
import { decodeKey } from "../protocol/message.ts";

/**
 * Turns a value of the file into a value of the configuration.
 * @throws Must when the value is wrong
 */
export type Reader<T> = (value: unknown) => T;

/** A value is wrong. The message says what it must be: `a whole number from 1 to 65535`. */
export class Must extends Error {
  /** How an error shows the value; undefined for secrets, which no error may show. */
  readonly shown: string | undefined;
  /** What the user can do: one sentence. */
  readonly hint: string | undefined;

  constructor(be: string, shown?: string, hint?: string) {
    super(be);
    this.shown = shown;
    this.hint = hint;
  }
}

/** Takes a value as it is, if it passes. */
export function checked<T>(passes: (value: unknown) => boolean, be: string): Reader<T> {
  return (value) => {
    if (!passes(value)) throw new Must(be, show(value));
    return value as T;
  };
}

/** Takes one of these words. */
export function oneOf<T extends string>(...words: readonly T[]): Reader<T> {
  const be = listed(
    words.map((word) => `"${word}"`),
    "or",
  );
  return checked((value) => (words as readonly unknown[]).includes(value), be);
}

/** Takes true and false. */
export const readBoolean = checked<boolean>((value) => typeof value === "boolean", "true or false");

/** Takes a number of at least 1. */
export const readCount = checked<number>(isCount, "a whole number, 1 or more");

/** Takes the number of a UDP port. */
export const readPort = checked<number>(
  (value) => isCount(value) && value <= 65_535,
  "a whole number from 1 to 65535",
);

/** Takes the path of a file, which may not exist. */
export const readFilePath = checked<string>(
  (value) => typeof value === "string" && /[^/]$/.test(value) && !value.includes("\0"),
  "the path of a file",
);

/** Takes a program and its arguments. */
export const readCommand = checked<readonly string[]>(
  (value) =>
    Array.isArray(value) &&
    value.every((part) => typeof part === "string" && !part.includes("\0")) &&
    Boolean(value[0]),
  'a list of a program and its arguments, such as ["/usr/local/bin/on-dynip"]',
);

/** Takes a URL to post to. Its errors do not show the value: who knows such a URL can often post to it. */
export const readWebAddress: Reader<string> = (value) => {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (url && WEB.includes(url.protocol) && value === (value as string).trim()) {
    return value as string;
  }
  throw new Must('a URL that begins with "https://" or "http://"');
};

const WEB: readonly string[] = ["http:", "https:"];

/** Decodes a secret or a key: 32 bytes. Its errors do not show the value. */
export const readKey: Reader<Uint8Array> = (value) => {
  const key = typeof value === "string" ? decodeKey(value) : undefined;
  if (!key) throw new Must("32 bytes in base64url (43 characters), as dynip init makes them");
  return key;
};

/** Whether a value is a whole number of at least 1 that a double holds exactly. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

/** Whether a value is a TOML table, and neither a list nor a date. */
export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
  );
}

/** A value as an error shows it: as the file may write it. */
export function show(value: unknown): string {
  if (isTable(value)) return "a section";
  if (value instanceof Date) return value.toISOString();
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}

/** Words as a sentence lists them: `a`, `a or b`, `a, b or c`. */
export function listed(words: readonly string[], last: "and" | "or"): string {
  if (words.length < 2) return words.join();
  return `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)}`;
}
