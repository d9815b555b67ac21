/** A path or another text as one word of the language that it is printed in. Pure. */

/** `text` as one word of a POSIX shell, quoted only where it must be. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * `text` as one argument of a Windows command line, as CommandLineToArgvW reads it: in quotes,
 * before which a backslash is doubled, the last quote included.
 */
export function windowsWord(text: string): string {
  return `"${text.replace(/(\\*)("|$)/g, (_, slashes: string, end: string) => slashes + slashes + (end && '\\"'))}"`;
}

/**
 * `path` as the program of a systemd unit's command, quoted only where it must be (systemd.service(5),
 * "Command lines"). systemd refuses a quote or a backslash in it, and $ is no variable there.
 */
export function systemdProgram(path: string): string {
  const word = systemdText(path);
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `"${word}"`;
}

/** `text` as the rest of a line in a systemd unit, where % alone means something. */
export function systemdText(text: string): string {
  return text.replaceAll("%", "%%");
}

/** `text` as character data of an XML document, in ASCII: right in whatever encoding it is stored. */
export function xmlText(text: string): string {
  return text.replace(/[&<>"']|[^ -~]/gu, (character) => `&#${character.codePointAt(0)};`);
}
