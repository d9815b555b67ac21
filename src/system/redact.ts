/**
 * Hides secrets and keys in messages. Users paste them in wrong places: as a path, a name, an option or
 * a key of the configuration. A message that quotes one puts it into journals and bug reports. Pure.
 *
 * The rule: a secret is a run of at least 20 of A-Z, a-z, 0-9, `-` and `_` with both cases, whose
 * pieces are too short for words. `Anns-PC-2` has the pieces `Anns`, `PC` and `2`. A piece of random
 * base64url has two characters on average, a piece of a name four to five. A run is a secret if its
 * pieces have fewer than 3.5 characters on average, 4 in a run of 22, or 5 in one of 40 and more. Of random
 * runs of 43 characters, a whole key, 2 in 10 million are not recognised, of 22, an HTTP password, 6 in
 * 10,000, of 20 characters 2 in 1,000.
 *
 * In quotes and brackets everything from one `/` to the next is hidden with the secret, since a key that
 * was pasted with white space or quotes inside consists of several runs, some of them short.
 *
 * Host names, UUIDs and hashes are not hidden: they have one case. A few other names are, for example
 * `iPhone-SE-3-von-Ann-K-2`: the price is one message that does not name its host.
 */

/** Replaces what looks like a secret by `(a secret)`. */
export function withoutSecrets(text: string): string {
  const hide = (content: string): string =>
    content.replace(/[^/]+/g, (segment) => (holdsRun(segment, MIN_LENGTH) ? HIDDEN : segment));
  return text
    .replace(QUOTED, (_, before: string, mark: string, content: string) => {
      return before + mark + hide(content) + mark;
    })
    .replace(BRACKETED, (_, content: string) => `[${hide(content)}]`)
    .replace(UNQUOTED, (runs) => (holdsRun(runs, MIN_LENGTH) ? HIDDEN : runs));
}

/** Whether a text holds a whole key, give or take a few characters: what must not be sent or written. */
export function holdsKey(text: string): boolean {
  return holdsRun(text, KEY_LENGTH);
}

const HIDDEN = "(a secret)";
const MIN_LENGTH = 20;
/** A key has 43 characters. */
const KEY_LENGTH = 40;
/** An HTTP password, see http-password.ts. */
const PASSWORD_LENGTH = 22;

/**
 * Text in quotation marks. The opening one is not an apostrophe, and the closing one is followed by
 * what follows it in messages: otherwise it is part of the text. Bounded, so that it is fast.
 */
const QUOTED =
  /(^|[^\w-])(["'])((?:\\.|[^\\]){1,500}?)\2(?=$|[:,;.)\]\n]|\s(?:$|[[(]|[a-z]+(?![\w-])))/g;
/** Runs without white space between them. */
const UNQUOTED = /[\w-]+(?:["'][\w-]+)*=?/g;
const BRACKETED = /\[([^\]]{1,500})\]/g;

/** Whether a text holds a secret of a minimal length, with white space and quotes inside or without. */
function holdsRun(text: string, minLength: number): boolean {
  if (text.length < minLength) return false;
  const isRun = (run: string): boolean => run.length >= minLength && looksRandom(run);
  if (text.match(RUNS)?.some(isRun)) return true;
  const joined = text.replace(/\\[nrt"]|[\s"'`]/g, "");
  return joined.match(RUNS)?.some((run) => run.length >= KEY_LENGTH && isRun(run)) ?? false;
}

const RUNS = /[\w-]+/g;

/** Whether a run of base64url's characters is random and not made of words. */
function looksRandom(run: string): boolean {
  if (run.length < MIN_LENGTH || !/[a-z]/.test(run) || !/[A-Z]/.test(run)) return false;
  const pieces = run.match(/[A-Z]?[a-z]+|[A-Z]+|\d+/g)!.length;
  if (run.length === PASSWORD_LENGTH) return run.length < pieces * 4;
  return run.length < pieces * (run.length < KEY_LENGTH ? 3.5 : 5);
}
