/**
 * Every key of the configuration. The types ({@link Values}), the file that `dynip init` writes, the
 * hints for unknown keys, the manual page, and the test of the README derive from these tables: a new key
 * needs a row here and the code that uses it. Pure.
 */
import { isAddress } from "../protocol/address.ts";
import { isDnsName } from "../protocol/name.ts";
import {
  DEFAULT_PORT,
  isPlainName,
  isSignedName,
  MAX_NAME_BYTES,
  SIGNED_PREFIX,
} from "../protocol/message.ts";
import { withoutSecrets } from "../system/redact.ts";
import { parseDuration } from "./duration.ts";
import {
  checked,
  isCount,
  isTable,
  Must,
  oneOf,
  readBoolean,
  readCommand,
  readCount,
  type Reader,
  readFilePath,
  readKey,
  readPort,
  readWebAddress,
  show,
} from "./readers.ts";

/** One key; `T` is its value in the program. */
export interface Key<T> {
  /** The value where the file gives none. A Map makes the key a section of its own. */
  readonly default: T;
  /** Checks the file's value. */
  readonly read: Reader<T>;
  /** The comment in the file that `dynip init` writes. */
  readonly comment: string;
  /** TOML that `dynip init` writes behind a `#`, in place of the default. */
  readonly example?: string;
  /** The documents' words, in Markdown, for a default that is no TOML value; "none" if not given. */
  readonly absent?: string;
}

/** The keys of one section, in the order in which `dynip init` writes them. */
export type Keys = Readonly<Record<string, Key<unknown>>>;

/** The values of these keys. */
export type Values<K extends Keys> = {
  readonly [Name in keyof K]: K[Name] extends Key<infer T> ? T : never;
};

/** The rule for names of signed pings, for messages. */
export const SIGNED_NAME_RULE =
  "1 to 128 of the characters a-z, 0-9 and, not at the ends, dot, underscore and hyphen";

/** The rule for names of plain pings, for messages. */
const PLAIN_NAME_RULE =
  `1 to ${MAX_NAME_BYTES} bytes of letters, digits, punctuation and symbols, without spaces, ` +
  `not beginning with ${SIGNED_PREFIX}`;

/**
 * A name near to `text` that can be signed: `kris-macbook` for `Kris's MacBook`.
 * @returns undefined if nothing of the text can be in a name, or the text looks like a secret
 */
export function suggestName(text: string): string | undefined {
  if (withoutSecrets(`"${text}"`) !== `"${text}"`) return undefined;
  const name = text
    .normalize("NFKD") // é becomes e and an accent
    .toLowerCase()
    .replace(/['’]s\b|\p{M}/gu, "")
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 128)
    .replace(/[^a-z0-9]+$/, "");
  return isSignedName(name) ? name : undefined;
}

/** The rule for server_hostname, for messages. */
export const HOST_RULE = "a host name or an IP address, without a port";

/** Whether `text` can be a server_hostname. */
export function isHost(text: string): boolean {
  return isAddress(text) || HOST_NAME.test(text);
}

/** The keys above the sections. */
export const TOP_LEVEL = {
  /** 32 bytes; undefined for plain pings only. */
  secret: key<Uint8Array | undefined>({
    default: undefined,
    read: readKey,
    comment:
      "The secret that signs every ping. Only the server and its clients may know it: a machine that " +
      'has it can ping under any name. "dynip init --name" makes a file for one machine, with the key ' +
      "of one name instead. Keep a copy of this file in a safe place: without the secret, every machine " +
      "needs a new file. Without a secret, pings are plain as in DynIP 0.1e: anyone can forge them, and " +
      "the server does not acknowledge them.",
  }),
};

/** The sections. A key that is a section of its own is the last of its section, as TOML demands. */
export const SECTIONS = {
  server: {
    /** An IP address, or `*` for every interface. */
    server_ip: key<string>({
      default: "*",
      read: checked(
        (value) => value === "*" || (typeof value === "string" && isAddress(value)),
        'an IP address, or "*" for every interface',
      ),
      comment: 'The IP address to listen on. "*" is every interface, IPv4 and IPv6.',
    }),
    /** UDP, 1 to 65535. */
    server_port: key<number>({
      default: DEFAULT_PORT,
      read: readPort,
      comment:
        "The UDP port to listen on. Firewalls must let it through. Clients ping it: server_port in [client] " +
        "must be the same, here and in the clients' files.",
    }),
    /** As written: absolute, or relative to the configuration file's folder. */
    client_log_path: key<string>({
      default: "dynip.json",
      read: readFilePath,
      comment:
        "The JSON file with the name, addresses and times of every host. A relative path starts at the " +
        "folder of this file.",
    }),
    /** As written, as client_log_path; undefined: no hosts file is written. */
    hosts_path: key<string | undefined>({
      default: undefined,
      read: readFilePath,
      comment:
        "A hosts file for a DNS server, with the address of every signed host, written when one changes. " +
        "A relative path is resolved as that of client_log_path. It needs hosts_domain.",
      example: '"hosts"',
    }),
    /** The domain that is appended to every name of the hosts file: a DNS name without a dot at its end. */
    hosts_domain: key<string | undefined>({
      default: undefined,
      read: readDomain,
      comment: "The domain of the names in hosts_path: with this one, nas is nas.dyn.example.com.",
      example: '"dyn.example.com"',
    }),
    /** As written, as client_log_path; undefined: no history is kept. */
    history_path: key<string | undefined>({
      default: undefined,
      read: readFilePath,
      comment:
        "A file that gets a line of JSON each time that a host is new or has moved. dynip only appends to " +
        "it. A relative path is resolved as that of client_log_path.",
      example: '"history.jsonl"',
    }),
    /** Whether plain pings are accepted although there is a secret. */
    allow_plain: key<boolean>({
      default: false,
      read: readBoolean,
      comment:
        "Whether to accept the plain pings of DynIP 0.1e, too. A name that was ever signed accepts none.",
    }),
    /** How many plain names may be known before new ones are dropped; at least 1. */
    max_clients: key<number>({
      default: 10_000,
      read: readCount,
      comment:
        "How many plain names to record. When they are reached, pings of new plain names are dropped; " +
        "the known ones are still recorded.",
    }),
    /** The signed names that may ask where every host is. */
    readers: key<readonly string[]>({
      default: [],
      read: readSignedNames,
      comment:
        'The names of machines that may ask for every host: by "dynip ping --find", and on the page of ' +
        "[http]. Every other name may ask only for itself.",
      example: '["laptop"]',
    }),
    /** The generations of the keys that were revoked, by signed name; at least 1. */
    generations: key<ReadonlyMap<string, number>>({
      default: new Map(),
      read: readGenerations,
      comment:
        "To revoke the key of one machine, raise its number, restart the server, which reads this file only " +
        'when it starts, and make the machine a new file with "dynip init --name".',
      example: "laptop = 2",
    }),
  },
  http: {
    /** An IP address. */
    ip: key<string>({
      default: "127.0.0.1",
      read: checked((value) => typeof value === "string" && isAddress(value), "an IP address"),
      comment:
        "The IP address to listen on. On any other than 127.0.0.1, passwords can be read on their way: let " +
        "Caddy or nginx on this machine take HTTPS and pass it on.",
    }),
    /** TCP, 1 to 65535. */
    port: key<number>({
      default: DEFAULT_PORT,
      read: readPort,
      comment: "The TCP port to listen on.",
    }),
  },
  /** Nothing is told where neither a command nor a URL is given. */
  notify: {
    /** A program and its arguments; undefined for none. */
    command: key<readonly string[] | undefined>({
      default: undefined,
      read: readCommand,
      comment:
        "A program to run when a host is new, moved, fell silent or came back, and its arguments: a list, " +
        "no shell. It gets the event in its environment (DYNIP_EVENT, DYNIP_NAME, DYNIP_ADDRESS and others) " +
        "and as JSON on its standard input.",
      example: '["/usr/local/bin/on-dynip"]',
    }),
    /** An http or https URL; undefined for none. */
    url: key<string | undefined>({
      default: undefined,
      read: readWebAddress,
      comment:
        "A URL to which the same JSON is posted, such as a webhook of ntfy, Gotify, Slack, Mattermost or " +
        "Discord.",
      example: '"https://ntfy.sh/my-home?tpl=1&m={{.message}}"',
    }),
    /** Milliseconds, at least 1,000, Infinity for never; by name, `*` for every signed host. */
    silent_after: key<ReadonlyMap<string, number>>({
      default: new Map([["*", 15 * 60_000]]),
      read: readSilentAfter,
      comment:
        'How long after its last ping a host counts as silent: a time such as "15m" or "3d", or "never". ' +
        '"*" is every host whose pings are signed. A host that sends plain pings, or whose router reports ' +
        "for it, is watched only if it is named here.",
      example: 'laptop = "3d"',
      absent: '`"*" = "15m"`',
    }),
  },
  client: {
    /** Host names or IP addresses, each of which is pinged; empty where the file gives none. */
    server_hostname: key<readonly string[]>({
      default: [],
      read: readHosts,
      comment:
        "The server's host name or IP address, or a list of several servers, which are all pinged.",
    }),
    /** UDP, 1 to 65535. */
    server_port: key<number>({
      default: DEFAULT_PORT,
      read: readPort,
      comment: "The server's UDP port: the same as server_port of [server] in the server's file.",
    }),
    /** A plain name; undefined for this machine's hostname. */
    client_name: key<string | undefined>({
      default: undefined,
      read: readName,
      comment: "The name of this machine on the server. Without it: this machine's hostname.",
      example: '"nas"',
      absent: "this machine's hostname",
    }),
    /** The key of client_name, 32 bytes, in place of the secret. */
    key: key<Uint8Array | undefined>({
      default: undefined,
      read: readKey,
      comment:
        "The key of this name, which signs every ping. Only this machine and the server may know it.",
    }),
    /** The address family of the pings; `both` sends one ping in each. */
    family: key<"any" | "ipv4" | "ipv6" | "both">({
      default: "any",
      read: oneOf("any", "ipv4", "ipv6", "both"),
      comment:
        'Which address is recorded: "any" (IPv4 where the server can be reached by it, else IPv6), ' +
        '"ipv4", "ipv6", or "both", which sends one ping in each.',
    }),
  },
};

/**
 * The sections that turn something on by being there, each with the comment above it in the file that
 * `dynip init` writes. There they are behind a `#`.
 */
export const SWITCHES = {
  http:
    "To turn on a page that shows every host, addresses for scripts, and reports from routers by dyndns2, " +
    "remove the # before [http], and before ip and port to change them. Each name has a password, which " +
    '"dynip init --name" writes into its file.',
} as const;

/** What holds where the file gives no value. */
export function defaultsOf<K extends Keys>(keys: K): Values<K> {
  const defaults = Object.entries(keys).map(([name, { default: value }]) => [name, value]);
  return Object.fromEntries(defaults) as Values<K>;
}

/** A row of a table; only so can each row say its type. */
function key<T>(row: Key<T>): Key<T> {
  return row;
}

function readName(value: unknown): string {
  if (typeof value === "string" && isPlainName(value)) return value;
  const suggestion = typeof value === "string" ? suggestName(value) : undefined;
  // Whether pings are signed is not known here: the secret may be in the environment.
  throw new Must(
    `${SIGNED_NAME_RULE}; for plain pings ${PLAIN_NAME_RULE}`,
    show(value),
    suggestion && `call it "${suggestion}"`,
  );
}

function readHosts(value: unknown): readonly string[] {
  // An empty name counts as none, as in DynIP 0.1e; `dynip ping` then says that it is missing.
  const hosts = (Array.isArray(value) ? value : [value]).filter((host) => host !== "");
  for (const host of hosts) {
    if (typeof host === "string" && isHost(host)) continue;
    throw new Must(`${HOST_RULE}, or a list of such`, show(host));
  }
  return hosts as string[];
}

/** Letters of any script; at least one, because a resolver takes "1" for the address 0.0.0.1. */
const HOST_NAME = /^(?=.*\p{L})[\p{L}\p{M}\p{N}._-]+$/u;

function readDomain(value: unknown): string {
  if (typeof value === "string" && isDnsName(value)) return value.toLowerCase();
  throw new Must("a domain, such as dyn.example.com, without a dot at its end", show(value));
}

function readSignedNames(value: unknown): readonly string[] {
  const isName = (name: unknown) => typeof name === "string" && isSignedName(name);
  const wrong = Array.isArray(value) ? value.filter((name) => !isName(name)) : [value];
  if (wrong.length > 0)
    throw new Must(`a list such as ["laptop"], of names of ${SIGNED_NAME_RULE}`, show(wrong[0]));
  return value as string[];
}

function readGenerations(value: unknown): ReadonlyMap<string, number> {
  if (!isTable(value))
    throw new Must("a section, [server.generations], with lines such as laptop = 2", show(value));
  for (const [name, generation] of Object.entries(value)) {
    if (!isSignedName(name)) throw new Must(`names of ${SIGNED_NAME_RULE}`, `for "${name}"`);
    if (isCount(generation)) continue;
    throw new Must("whole numbers, 1 or more", `${show(generation)} for "${name}"`);
  }
  return new Map(Object.entries(value as Readonly<Record<string, number>>));
}

function readSilentAfter(value: unknown): ReadonlyMap<string, number> {
  if (!isTable(value))
    throw new Must('a section, [notify.silent_after], with lines such as "*" = "15m"', show(value));
  const after = new Map(SECTIONS.notify.silent_after.default);
  for (const [name, text] of Object.entries(value)) {
    if (!isPlainName(name)) throw new Must('names of hosts, or "*"', `for "${name}"`);
    const time = typeof text === "string" ? parseDuration(text) : undefined;
    if (text === "never") after.set(name, Number.POSITIVE_INFINITY);
    else if (time !== undefined && time >= 1000 && time <= MAX_SILENCE_MS) after.set(name, time);
    else throw new Must(SILENCE_RULE, `${show(text)} for "${name}"`);
  }
  return after;
}

const SILENCE_RULE = 'a time from "1s" to "10000d", such as "15m", "12h" or "3d", or "never"';
const MAX_SILENCE_MS = 10_000 * 86_400_000;
