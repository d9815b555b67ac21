/**
 * Checks the text of a configuration: TOML in, {@link Config} out. Pure.
 *
 * keys.ts has the keys. Any other key is an error, because it is a mistyped one.
 */
import { parse, TomlError } from "smol-toml";

import { cannot, EXIT, type UserError } from "../system/errors.ts";
import { defaultsOf, type Keys, SECTIONS, SWITCHES, TOP_LEVEL, type Values } from "./keys.ts";
import { isTable, listed, Must } from "./readers.ts";

export type ServerConfig = Values<typeof SECTIONS.server>;
export type NotifyConfig = Values<typeof SECTIONS.notify>;
export type ClientConfig = Values<typeof SECTIONS.client>;
export type HttpConfig = Values<typeof SECTIONS.http>;

/** The values of the keys above the sections, and of the sections; undefined where one is off. */
export type Config = Values<typeof TOP_LEVEL> & {
  readonly [Section in Exclude<keyof typeof SECTIONS, Switch>]: Values<(typeof SECTIONS)[Section]>;
} & {
  readonly [Section in Switch]: Values<(typeof SECTIONS)[Section]> | undefined;
};

type Switch = keyof typeof SWITCHES;

/** What holds where the file says nothing. DynIP 0.1e's keys keep their names and defaults. */
export const DEFAULTS: Omit<Config, keyof typeof TOP_LEVEL> = {
  server: defaultsOf(SECTIONS.server),
  http: undefined,
  notify: defaultsOf(SECTIONS.notify),
  client: defaultsOf(SECTIONS.client),
};

/**
 * Checks a configuration's text.
 * @param text the TOML document
 * @param path where the text is from, for messages only
 * @throws UserError (exit code 3) that names the first mistake
 */
export function parseConfig(text: string, path: string): Config {
  if (isOldConf(text)) {
    throw cannotRead(path, "it is a DynIP 0.1e configuration (INI), and dynip reads TOML", {
      hint: `dynip init --from "${path}" dynip.toml writes its settings as TOML`,
    });
  }
  const document = parseToml(text, path);
  const topLevel = Object.entries(document).filter(([name]) => !Object.hasOwn(SECTIONS, name));
  const section = <K extends Keys>(name: string, keys: K): Values<K> => {
    const table = document[name] ?? {};
    if (!isTable(table)) throw cannotRead(path, `"${name}" must be a section, [${name}]`);
    return readKeys(Object.entries(table), keys, path, name);
  };
  const server = section("server", SECTIONS.server);
  checkHostsFile(server, path);
  return {
    ...readKeys(topLevel, TOP_LEVEL, path),
    server,
    http: document["http"] === undefined ? undefined : section("http", SECTIONS.http),
    notify: section("notify", SECTIONS.notify),
    client: section("client", SECTIONS.client),
  };
}

/** Whether a text is a configuration of DynIP 0.1e. */
export function isOldConf(text: string): boolean {
  return OLD_CONF.test(text);
}

/** The sections of a DynIP 0.1e configuration file (`example.conf`). */
const OLD_CONF = /^[ \t]*\[DynIP:(Server|Client)\]/m;

/** An error about a configuration that cannot be read: exit code 3. */
export function cannotRead(
  path: string,
  problem: string,
  options: { hint?: string | undefined; cause?: unknown } = {},
): UserError {
  return cannot("read config", path, problem, { exitCode: EXIT.config, ...options });
}

/** The values of these keys, each checked, over the defaults. */
function readKeys<K extends Keys>(
  entries: readonly [name: string, value: unknown][],
  keys: K,
  path: string,
  section?: string,
): Values<K> {
  const values: Record<string, unknown> = { ...defaultsOf(keys) };
  const where = section === undefined ? "" : ` in [${section}]`;
  for (const [name, value] of entries) {
    const key = Object.hasOwn(keys, name) ? keys[name] : undefined;
    if (key === undefined) {
      const isSection = section === undefined && isTable(value);
      const what = isSection ? `section [${name}]` : `key "${name}"${where}`;
      throw cannotRead(path, `unknown ${what}`, { hint: hintFor(isSection, section, keys) });
    }
    try {
      values[name] = key.read(value);
    } catch (error) {
      if (!(error instanceof Must)) throw error;
      const is = error.shown === undefined ? "is malformed" : `is ${error.shown}`;
      const { message, hint } = error;
      throw cannotRead(path, `${name}${where} ${is}, must be ${message}`, { hint });
    }
  }
  return values as Values<K>;
}

/** Without a domain, a host named `www.example.org` would take the place of that name in DNS. */
function checkHostsFile({ hosts_path, hosts_domain }: ServerConfig, path: string): void {
  if ((hosts_path === undefined) === (hosts_domain === undefined)) return;
  const [given, missing] =
    hosts_domain === undefined ? ["hosts_path", "hosts_domain"] : ["hosts_domain", "hosts_path"];
  throw cannotRead(path, `${given} in [server] needs ${missing}`, {
    hint: 'hosts_path = "hosts" and hosts_domain = "dyn.example.com" write nas.dyn.example.com',
  });
}

/** What could have been meant by an unknown section or key. */
function hintFor(isSection: boolean, section: string | undefined, keys: Keys): string {
  const names = Object.keys(keys);
  if (section !== undefined) return `the keys of [${section}] are ${names.join(", ")}`;
  const sections = Object.keys(SECTIONS).map((name) => `[${name}]`);
  if (isSection) return `the sections are ${listed(sections, "and")}`;
  return `every key but ${listed(names, "and")} belongs under ${listed(sections, "or")}`;
}

function parseToml(text: string, path: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Only the first line: the others quote the file, and a secret may stand there.
    const problem = error.message.split("\n", 1)[0]!.replace(/^Invalid TOML document: /, "");
    throw cannotRead(path, `line ${error.line}, column ${error.column}: ${problem}`, {
      hint: hintForToml(problem, text.split("\n")[error.line - 1] ?? ""),
    });
  }
}

/** @param line of the file, where the problem is */
function hintForToml(problem: string, line: string): string {
  if (/\bredefine\b/.test(problem))
    return "a section or a key may be there once: edit the one above";
  if (BAD_BOOLEAN.test(line)) {
    return "for yes and no, TOML has true and false, in lower case and without quotes";
  }
  return `text needs quotes, "…", or '…' where it has backslashes`;
}

/** A line whose value means true or false in INI, YAML or Python. */
const BAD_BOOLEAN = /=\s*(?:yes|no|on|off|true|false)\s*(?:#|$)/i;
