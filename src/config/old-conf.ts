/**
 * Reads a configuration of DynIP 0.1e: INI, as Python 2's ConfigParser reads it, with the sections
 * `[DynIP:Server]` and `[DynIP:Client]`. Pure.
 */

/** Values by key. They are not checked; one that is made of digits only is a number. */
export type OldSettings = Record<string, string | number>;

/** The sections of a 0.1e file, as far as it has them. dynip has keys of the same names. */
export interface OldConf {
  server?: OldSettings;
  client?: OldSettings;
}

/** A file is no configuration of DynIP 0.1e. The message names the line. */
export class OldConfError extends Error {}

/**
 * The settings in the text of a 0.1e file.
 * @throws OldConfError at the first line that DynIP 0.1e does not know
 */
export function parseOldConf(text: string): OldConf {
  const conf: OldConf = {};
  let section: keyof OldConf | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    // In ConfigParser a comment line begins with # or ;, and a comment behind a value with " ;".
    if (/^\s*(?:[#;]|$)/.test(raw)) continue;
    const line = raw.replace(/\s;.*$/, "").trim();
    const header = /^\[(.*)\]$/.exec(line)?.[1];
    if (header !== undefined) {
      section = SECTIONS.get(header);
      if (section === undefined) {
        throw new OldConfError(`line ${index + 1}: unknown section [${header}]`);
      }
      conf[section] ??= {};
      continue;
    }
    const separator = line.search(/[=:]/);
    const name = line.slice(0, Math.max(0, separator)).trim().toLowerCase(); // as ConfigParser does
    const value = line.slice(separator + 1).trim();
    if (section === undefined || !KEYS[section].includes(name)) {
      throw new OldConfError(`line ${index + 1}: not a setting of DynIP 0.1e`);
    }
    conf[section]![name] = setting(name, value);
  }
  return conf;
}

function setting(name: string, value: string): string | number {
  // Python binds "" as every interface.
  if (name === "server_ip" && value === "") return "*";
  return /^[0-9]+$/.test(value) ? Number(value) : value;
}

const SECTIONS = new Map<string, keyof OldConf>([
  ["DynIP:Server", "server"],
  ["DynIP:Client", "client"],
]);

const KEYS: Readonly<Record<keyof OldConf, readonly string[]>> = {
  server: ["server_ip", "server_port", "client_log_path"],
  client: ["server_hostname", "server_port"],
};
