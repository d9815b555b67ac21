/**
 * Names of hosts: which characters a plain name may have, which plain names a person could take for a
 * signed one, and which names a DNS server can give. Pure.
 */

/**
 * Whether `text` has the characters of a plain name alone: letters, marks, numbers, punctuation and
 * symbols that show something. White space, control, format and separator characters could forge a
 * line of a log or move a cursor; default-ignorable code points (UAX #44) and blanks show nothing, so
 * that a name with one looks like the name without it.
 */
export function hasNameCharacters(text: string): boolean {
  return NAME.test(text);
}

/**
 * The signed name that a plain name could be taken for: compatibility characters such as `ｎ` replaced
 * (NFKC, UAX #15), case folded, dots at the end removed. Letters of other scripts that look alike are
 * no such characters. Character by character, as no signed name has one that combines with another;
 * so a flood of names that are costly to normalize costs no more than one of others.
 * @returns undefined where a character has no counterpart in signed names
 */
export function foldName(name: string): string | undefined {
  if (FOLDED.test(name)) return name; // nearly every name
  let folded = "";
  for (const character of name) {
    const part = folds.get(character) ?? fold(character);
    if (part === undefined) return undefined;
    folded += part;
  }
  return folded.replace(/\.+$/, "");
}

/**
 * Whether `text` is the name of a host in DNS, without a dot at its end: labels of 1 to 63 letters,
 * digits and, not at the ends, hyphens (RFC 1123, section 2.1), 253 characters in all.
 */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && text.split(".").every((label) => LABEL.test(label));
}

function fold(character: string): string | undefined {
  // To upper case first: ı and i have one upper case and two lower ones.
  const folded = character.normalize("NFKC").toUpperCase().toLowerCase();
  if (!SIGNED_CHARACTERS.test(folded)) return undefined;
  folds.set(character, folded);
  return folded;
}

/** What {@link fold} has found: at most the thousand or two characters that it finds anything for. */
const folds = new Map<string, string>();

/** Letters, marks, numbers, punctuation and symbols, less what is ignorable and six more blanks. */
const NAME =
  /^[[\p{L}\p{M}\p{N}\p{P}\p{S}]--[\p{Default_Ignorable_Code_Point}\u2800\ufffc\u{13441}\u{13442}\u{16fe4}\u{1d159}]]+$/v;
const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/i;
const SIGNED_CHARACTERS = /^[a-z0-9._-]+$/;
const FOLDED = /^[a-z0-9._-]*[a-z0-9_-]$/;
