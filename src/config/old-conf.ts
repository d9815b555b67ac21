/**
 * Reads a DynIP 0.1e configuration: INI as Python 2's ConfigParser takes it, with the sections
 * `[DynIP:Server]` and `[DynIP:Client]`. Pure.
 */

export type OldSettings = Record<string, string | number>;

/** The settings that a 0.1e file gives, under the names that dynip has kept for them. */
export interface OldConf {
  server: OldSettings;
  client: OldSettings;
}

/** A line that is not one of a DynIP 0.1e configuration; the message names it. */
export class OldConfError extends Error {}

/**
 * The settings in `text`. Their values are not checked, but that a number is made of digits.
 * @throws OldConfError at the first line that DynIP 0.1e would not have understood
 */
export function parseOldConf(text: string): OldConf {
  const conf: OldConf = { server: {}, client: {} };
  let section: keyof OldConf | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    // ConfigParser: comment lines begin with # or ;, a comment behind a value with a space and ;.
    if (/^\s*(?:[#;]|$)/.test(raw)) continue;
    const line = raw.replace(/\s;.*$/, "").trim();
    const header = /^\[(.*)\]$/.exec(line)?.[1];
    if (header !== undefined) {
      section = SECTIONS.get(header);
      if (section === undefined) {
        throw new OldConfError(`line ${index + 1}: unknown section [${header}]`);
      }
      continue;
    }
    const separator = line.search(/[=:]/);
    const name = line.slice(0, Math.max(0, separator)).trim().toLowerCase(); // as ConfigParser does
    const value = line.slice(separator + 1).trim();
    if (section === undefined || !KEYS[section].includes(name)) {
      throw new OldConfError(`line ${index + 1}: not a setting of DynIP 0.1e`);
    }
    conf[section][name] = /^[0-9]+$/.test(value) ? Number(value) : value;
  }
  return conf;
}

const SECTIONS = new Map<string, keyof OldConf>([
  ["DynIP:Server", "server"],
  ["DynIP:Client", "client"],
]);

const KEYS: Readonly<Record<keyof OldConf, readonly string[]>> = {
  server: ["server_ip", "server_port", "client_log_path"],
  client: ["server_hostname", "server_port"],
};
