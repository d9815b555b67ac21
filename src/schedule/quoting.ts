/** Quotes a path or another text for the language that it is printed in. Pure. */

/** `text` as one word of a POSIX shell. It has quotes only if it needs them. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * `text` as one argument of a Windows command line, as CommandLineToArgvW reads it: in quotes. A
 * backslash is doubled before a quote, and so before the closing one.
 */
export function windowsWord(text: string): string {
  return `"${text.replace(/(\\*)("|$)/g, (_, slashes: string, end: string) => slashes + slashes + (end && '\\"'))}"`;
}

/**
 * `text` as one word of PowerShell, where single quotes keep everything as it is but single quotes
 * themselves, the typographic ones among them (about_Quoting_Rules).
 */
export function powerShellWord(text: string): string {
  return `'${text.replace(/['\u2018-\u201b]/g, "$&$&")}'`;
}

/** The quoting of the shell that an operating system's users type into. */
export function wordFor(platform: NodeJS.Platform): (text: string) => string {
  return platform === "win32" ? powerShellWord : shellWord;
}

/**
 * `path` as the program of a systemd unit's command (systemd.service(5), "Command lines"). It has quotes
 * only if it needs them. systemd refuses a quote or a backslash in it, and reads $ as it stands there.
 */
export function systemdProgram(path: string): string {
  const word = systemdText(path);
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `"${word}"`;
}

/** `text` as one of several words of a systemd unit's setting. It has quotes only if it needs them. */
export function systemdWord(text: string): string {
  const word = systemdText(text);
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `"${word.replace(/["\\]/g, "\\$&")}"`;
}

/** `text` as the rest of a line in a systemd unit, where only % is special. */
export function systemdText(text: string): string {
  return text.replaceAll("%", "%%");
}

/** `text` as character data of an XML document. It is ASCII, and so right in every encoding. */
export function xmlText(text: string): string {
  return text.replace(/[&<>"']|[^ -~]/gu, (character) => `&#${character.codePointAt(0)};`);
}
