/**
 * The configuration: TOML text -> checked {@link Config}, and where its file is found.
 *
 * Defaults, then the file over them, then every value checked; an unknown key is an error, since
 * it is a mistyped one.
 */
import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { dirname, join, resolve } from "node:path";

import { parse, TomlError, type TomlTable, type TomlValue } from "smol-toml";

import { errorCode, EXIT, reasonOf, UserError } from "./errors.ts";
import { DEFAULT_PORT, isPlainName, MAX_NAME_BYTES, SIGNED_PREFIX } from "./protocol.ts";

/** The address family of the pings that a client sends; `both` sends one ping in each. */
export const FAMILIES = ["any", "ipv4", "ipv6", "both"] as const;
export type FamilyChoice = (typeof FAMILIES)[number];

export interface ServerConfig {
  /** An IP address, or `*` for every interface. */
  server_ip: string;
  /** UDP, 1 to 65535. */
  server_port: number;
  /** As written: relative to the configuration file's folder, or absolute. */
  client_log_path: string;
  /** From how many known names on a new plain name is dropped; at least 1. */
  max_clients: number;
}

export interface ClientConfig {
  /** A host name or an IP address; undefined where the file gives none, or an empty one. */
  server_hostname: string | undefined;
  /** UDP, 1 to 65535. */
  server_port: number;
  /** A plain name; undefined for this machine's hostname. */
  client_name: string | undefined;
  family: FamilyChoice;
}

export interface Config {
  server: ServerConfig;
  client: ClientConfig;
}

/** What holds where the file says nothing. The keys and values of DynIP 0.1e are kept. */
export const DEFAULTS: Readonly<{
  server: Readonly<ServerConfig>;
  client: Readonly<ClientConfig>;
}> = {
  server: {
    server_ip: "*",
    server_port: DEFAULT_PORT,
    client_log_path: "dynip.json",
    max_clients: 10_000,
  },
  client: {
    server_hostname: undefined,
    server_port: DEFAULT_PORT,
    client_name: undefined,
    family: "any",
  },
};

/**
 * Checks a configuration's text.
 * @param text the TOML document
 * @param path where it is from, for messages only
 * @throws UserError (exit code 3) naming the first thing wrong
 */
export function parseConfig(text: string, path: string): Config {
  if (OLD_CONF.test(text)) {
    throw unreadable(path, "it is a DynIP 0.1e configuration (INI), and dynip reads TOML", {
      hint: `dynip init --from "${path}" dynip.toml writes its settings as TOML`,
    });
  }
  const document = parseToml(text, path);
  for (const key of Object.keys(document)) {
    if (!Object.hasOwn(DEFAULTS, key)) {
      const isTable = isTomlTable(document[key]);
      throw unreadable(path, `unknown ${isTable ? `section [${key}]` : `key "${key}"`}`, {
        hint: isTable
          ? "the sections are [server] and [client]"
          : "every key belongs under [server] or [client]",
      });
    }
  }
  return {
    server: { ...DEFAULTS.server, ...checkSection(document, "server", SERVER_CHECKS, path) },
    client: { ...DEFAULTS.client, ...checkSection(document, "client", CLIENT_CHECKS, path) },
  };
}

/** A configuration and where it was found. */
export interface LoadedConfig {
  /** The file's absolute path. */
  path: string;
  config: Config;
}

/** What finding a configuration depends on; the process's own unless a test says otherwise. */
export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  platform: NodeJS.Platform;
}

/**
 * Finds, reads and checks the configuration: the path given, else `$DYNIP_CONFIG`, else the first
 * that exists of `./dynip.toml` and the system's (`/etc/dynip/dynip.toml`, on Windows
 * `%ProgramData%\dynip\dynip.toml`). A path that was named is never passed over for another.
 * @throws UserError (exit code 3) when none is found, or the one found cannot be read
 */
export async function loadConfig(
  given: string | undefined,
  { env, platform }: Surroundings = process,
): Promise<LoadedConfig> {
  const named = given ?? (env["DYNIP_CONFIG"] || undefined);
  if (named !== undefined) {
    const text = await readText(named);
    if (text === undefined) {
      const whence = given === undefined ? ", which DYNIP_CONFIG names" : "";
      throw unreadable(named, `there is no such file${whence}`, {
        hint: `dynip init "${named}" writes one to start from`,
      });
    }
    return { path: resolve(named), config: parseConfig(text, named) };
  }
  const places = ["dynip.toml", systemConfigPath({ env, platform })];
  for (const place of places) {
    const text = await readText(place);
    if (text !== undefined) return { path: resolve(place), config: parseConfig(text, place) };
  }
  throw new UserError(
    `Cannot find a configuration: no path given, DYNIP_CONFIG is not set, and there is no ${places
      .map((place) => `"${place}"`)
      .join(" or ")}`,
    { exitCode: EXIT.config, hint: "dynip init writes one to start from" },
  );
}

/** Where the client log is: relative to the configuration's folder, wherever dynip was started. */
export function clientLogPath({ path, config }: LoadedConfig): string {
  return resolve(dirname(path), config.server.client_log_path);
}

/** The sections of a DynIP 0.1e configuration file (`example.conf`). */
const OLD_CONF = /^\s*\[DynIP:(Server|Client)\]/m;

/** What a value must be, for the message, or undefined when it is that. */
type Check = (value: TomlValue) => string | undefined;

const isPort: Check = (value) =>
  isInteger(value, 1, 65_535) ? undefined : "a whole number from 1 to 65535";

const SERVER_CHECKS: Readonly<Record<keyof ServerConfig, Check>> = {
  server_ip: (value) =>
    value === "*" || (typeof value === "string" && isIP(value) !== 0)
      ? undefined
      : 'an IP address, or "*" for every interface',
  server_port: isPort,
  client_log_path: (value) =>
    typeof value === "string" && /[^/]$/.test(value) && !value.includes("\0")
      ? undefined
      : "the path of a file",
  max_clients: (value) => (isInteger(value, 1) ? undefined : "a whole number, 1 or more"),
};

const CLIENT_CHECKS: Readonly<Record<keyof ClientConfig, Check>> = {
  server_hostname: (value) =>
    value === "" || (typeof value === "string" && (isIP(value) !== 0 || HOST_NAME.test(value)))
      ? undefined
      : "a host name or an IP address, without a port",
  server_port: isPort,
  client_name: (value) =>
    typeof value === "string" && isPlainName(value)
      ? undefined
      : `1 to ${MAX_NAME_BYTES} bytes of letters, digits, punctuation and symbols, without spaces, not beginning with ${SIGNED_PREFIX}`,
  family: (value) =>
    (FAMILIES as readonly TomlValue[]).includes(value)
      ? undefined
      : FAMILIES.map((family) => `"${family}"`).join(", "),
};

/** Letters of any script; one at least, since a resolver takes "1" for the address 0.0.0.1. */
const HOST_NAME = /^(?=.*\p{L})[\p{L}\p{M}\p{N}._-]+$/u;

/** The values of one section, each checked; the keys it does not have are not in the result. */
function checkSection<T>(
  document: TomlTable,
  section: string,
  checks: Readonly<Record<keyof T & string, Check>>,
  path: string,
): Partial<T> {
  const table = document[section] ?? {};
  if (!isTomlTable(table)) throw unreadable(path, `"${section}" must be a section, [${section}]`);
  for (const [key, value] of Object.entries(table)) {
    if (!Object.hasOwn(checks, key)) {
      throw unreadable(path, `unknown key "${key}" in [${section}]`, {
        hint: `the keys of [${section}] are ${Object.keys(checks).join(", ")}`,
      });
    }
    const wanted = checks[key as keyof T & string](value);
    if (wanted !== undefined) {
      throw unreadable(path, `${key} in [${section}] is ${show(value)}, must be ${wanted}`);
    }
  }
  // An empty server_hostname is a missing one, as in DynIP 0.1e, and `ping` says so.
  if (table["server_hostname"] === "") delete table["server_hostname"];
  return table as Partial<T>;
}

function parseToml(text: string, path: string): TomlTable {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // smol-toml's message goes on to quote the lines around the mistake; a secret may stand there.
    const problem = error.message.split("\n", 1)[0]!.replace(/^Invalid TOML document: /, "");
    throw unreadable(path, `line ${error.line}, column ${error.column}: ${problem}`, {
      hint: `text needs quotes, "…", or '…' where it has backslashes`,
    });
  }
}

/**
 * A file's text, or undefined where there is no such file. A byte order mark, as Windows editors
 * write one, is passed over.
 */
async function readText(path: string): Promise<string | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw unreadable(path, reasonOf(error), { cause: error });
  }
  const text = isUtf8(bytes) ? new TextDecoder().decode(bytes) : undefined;
  // UTF-16, as some Windows programs write it, may be UTF-8 with NULs.
  if (text === undefined || text.includes("\0")) {
    throw unreadable(path, "it is not UTF-8 text", { hint: "save it as UTF-8 and try again" });
  }
  return text;
}

/** Where a system's one configuration is. */
export function systemConfigPath({ env, platform }: Surroundings = process): string {
  return platform === "win32"
    ? join(env["ProgramData"] ?? "C:\\ProgramData", "dynip", "dynip.toml")
    : "/etc/dynip/dynip.toml";
}

function isInteger(value: TomlValue, min: number, max: number = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

/** A value as it may stand in the file. */
function show(value: TomlValue): string {
  if (isTomlTable(value)) return "a section";
  if (value instanceof Date) return value.toISOString();
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}

function isTomlTable(value: TomlValue | undefined): value is TomlTable {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
  );
}

function unreadable(
  path: string,
  problem: string,
  options: { hint?: string; cause?: unknown } = {},
): UserError {
  const message = `Cannot read config "${path}": ${problem}`;
  return new UserError(message, { exitCode: EXIT.config, ...options });
}
