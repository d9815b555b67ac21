/**
 * The configuration: TOML text -> checked {@link Config}. Pure.
 *
 * Defaults, then the file over them, then every value checked; an unknown key is an error, since
 * it is a mistyped one.
 */

import { parse, TomlError, type TomlTable, type TomlValue } from "smol-toml";

import { isAddress } from "../protocol/address.ts";
import { EXIT, UserError } from "../system/errors.ts";
import {
  decodeKey,
  DEFAULT_PORT,
  isPlainName,
  isSignedName,
  MAX_NAME_BYTES,
  SIGNED_PREFIX,
} from "../protocol/message.ts";

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
  /** Whether plain pings are accepted although there is a secret. */
  allow_plain: boolean;
  /** Signed names whose older keys are revoked, and the generation of their key now. */
  generations: ReadonlyMap<string, number>;
}

export interface ClientConfig {
  /** Host names or IP addresses, each of which is pinged; empty where the file gives none. */
  server_hostname: readonly string[];
  /** UDP, 1 to 65535. */
  server_port: number;
  /** A plain name; undefined for this machine's hostname. */
  client_name: string | undefined;
  family: FamilyChoice;
  /** This name's own key, 32 bytes, in place of the secret. */
  key: Uint8Array | undefined;
}

export interface Config {
  /** 32 bytes, shared by server and clients; undefined for plain pings alone. */
  secret: Uint8Array | undefined;
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
    allow_plain: false,
    generations: new Map(),
  },
  client: {
    server_hostname: [],
    server_port: DEFAULT_PORT,
    client_name: undefined,
    family: "any",
    key: undefined,
  },
};

/**
 * Checks a configuration's text.
 * @param text the TOML document
 * @param path where it is from, for messages only
 * @throws UserError (exit code 3) naming the first thing wrong
 */
export function parseConfig(text: string, path: string): Config {
  if (isOldConf(text)) {
    throw cannotRead(path, "it is a DynIP 0.1e configuration (INI), and dynip reads TOML", {
      hint: `dynip init --from "${path}" dynip.toml writes its settings as TOML`,
    });
  }
  const document = parseToml(text, path);
  for (const key of Object.keys(document)) {
    if (key === "secret" || Object.hasOwn(DEFAULTS, key)) continue;
    const isTable = isTomlTable(document[key]);
    throw cannotRead(path, `unknown ${isTable ? `section [${key}]` : `key "${key}"`}`, {
      hint: isTable
        ? "the sections are [server] and [client]"
        : "every key but secret belongs under [server] or [client]",
    });
  }
  const server = checkSection(document, "server", SERVER_READERS, path);
  const client = checkSection(document, "client", CLIENT_READERS, path);
  return {
    secret: readValue(document["secret"], "secret", readKey, path),
    server: { ...DEFAULTS.server, ...server },
    client: { ...DEFAULTS.client, ...client },
  };
}

/** Whether a text is a configuration of DynIP 0.1e. */
export function isOldConf(text: string): boolean {
  return OLD_CONF.test(text);
}

/** The sections of a DynIP 0.1e configuration file (`example.conf`). */
const OLD_CONF = /^[ \t]*\[DynIP:(Server|Client)\]/m;

/** A value that is wrong: what it must be. Thrown by a {@link Reader}. */
class Must extends Error {
  /** What of the value the message may show; a secret is not shown. */
  readonly shown: string | undefined;

  constructor(be: string, shown?: string) {
    super(be);
    this.shown = shown;
  }
}

/** Turns a value of the file into one of the configuration. */
type Reader<T> = (value: TomlValue) => T;

/** A reader of values that are taken as they are, when they pass. */
function checked<T>(passes: (value: TomlValue) => boolean, be: string): Reader<T> {
  return (value) => {
    if (!passes(value)) throw new Must(be, show(value));
    return value as T;
  };
}

const port = checked<number>(
  (value) => isInteger(value, 1, 65_535),
  "a whole number from 1 to 65535",
);

const readKey: Reader<Uint8Array> = (value) => {
  const key = typeof value === "string" ? decodeKey(value) : undefined;
  if (!key) throw new Must("32 bytes in base64url (43 characters), as dynip init makes them");
  return key;
};

const SERVER_READERS: { readonly [K in keyof ServerConfig]: Reader<ServerConfig[K]> } = {
  server_ip: checked(
    (value) => value === "*" || (typeof value === "string" && isAddress(value)),
    'an IP address, or "*" for every interface',
  ),
  server_port: port,
  client_log_path: checked(
    (value) => typeof value === "string" && /[^/]$/.test(value) && !value.includes("\0"),
    "the path of a file",
  ),
  max_clients: checked((value) => isInteger(value, 1), "a whole number, 1 or more"),
  allow_plain: checked((value) => typeof value === "boolean", "true or false"),
  generations: (value) => {
    if (!isTomlTable(value)) throw new Must("a section, [server.generations]", show(value));
    for (const [name, generation] of Object.entries(value)) {
      if (!isSignedName(name)) throw new Must(`names of ${SIGNED_NAME_RULE}`, `for "${name}"`);
      if (isInteger(generation, 1)) continue;
      throw new Must("whole numbers, 1 or more", `${show(generation)} for "${name}"`);
    }
    return new Map(Object.entries(value as Record<string, number>));
  },
};

const CLIENT_READERS: { readonly [K in keyof ClientConfig]: Reader<ClientConfig[K]> } = {
  server_hostname: (value) => {
    // An empty one is a missing one, as in DynIP 0.1e, and `ping` says so.
    const hosts = (Array.isArray(value) ? value : [value]).filter((host) => host !== "");
    for (const host of hosts) {
      if (typeof host === "string" && (isAddress(host) || HOST_NAME.test(host))) continue;
      throw new Must("a host name or an IP address, without a port, or a list of such", show(host));
    }
    return hosts as string[];
  },
  server_port: port,
  client_name: checked(
    (value) => typeof value === "string" && isPlainName(value),
    `1 to ${MAX_NAME_BYTES} bytes of letters, digits, punctuation and symbols, without spaces, ` +
      `not beginning with ${SIGNED_PREFIX}`,
  ),
  family: checked(
    (value) => (FAMILIES as readonly TomlValue[]).includes(value),
    FAMILIES.map((family) => `"${family}"`).join(", "),
  ),
  key: readKey,
};

/** What a name that is to be signed is made of. */
export const SIGNED_NAME_RULE =
  "1 to 128 of the characters a-z, 0-9 and, not at the ends, dot, underscore and hyphen";

/** Letters of any script; one at least, since a resolver takes "1" for the address 0.0.0.1. */
const HOST_NAME = /^(?=.*\p{L})[\p{L}\p{M}\p{N}._-]+$/u;

/** The values of one section, each checked; the keys it does not have are not in the result. */
function checkSection<T extends object>(
  document: TomlTable,
  section: string,
  readers: { readonly [K in keyof T]: Reader<T[K]> },
  path: string,
): Partial<T> {
  const table = document[section] ?? {};
  if (!isTomlTable(table)) throw cannotRead(path, `"${section}" must be a section, [${section}]`);
  const result: Partial<T> = {};
  for (const [key, value] of Object.entries(table)) {
    if (!Object.hasOwn(readers, key)) {
      throw cannotRead(path, `unknown key "${key}" in [${section}]`, {
        hint: `the keys of [${section}] are ${Object.keys(readers).join(", ")}`,
      });
    }
    const known = key as keyof T;
    result[known] = readValue(value, `${key} in [${section}]`, readers[known], path)!;
  }
  return result;
}

function readValue<T>(
  value: TomlValue | undefined,
  key: string,
  read: Reader<T>,
  path: string,
): T | undefined {
  if (value === undefined) return undefined;
  try {
    return read(value);
  } catch (error) {
    if (!(error instanceof Must)) throw error;
    const is = error.shown === undefined ? "is malformed" : `is ${error.shown}`;
    throw cannotRead(path, `${key} ${is}, must be ${error.message}`);
  }
}

function parseToml(text: string, path: string): TomlTable {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // smol-toml's message goes on to quote the lines around the mistake; a secret may stand there.
    const problem = error.message.split("\n", 1)[0]!.replace(/^Invalid TOML document: /, "");
    throw cannotRead(path, `line ${error.line}, column ${error.column}: ${problem}`, {
      hint: `text needs quotes, "…", or '…' where it has backslashes`,
    });
  }
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

/** What a configuration that cannot be read is told with: exit code 3. */
export function cannotRead(
  path: string,
  problem: string,
  options: { hint?: string; cause?: unknown } = {},
): UserError {
  const message = `Cannot read config "${path}": ${problem}`;
  return new UserError(message, { exitCode: EXIT.config, ...options });
}
