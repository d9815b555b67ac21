/**
 * Makes the manual page dynip(1) in mdoc(7). It comes from the definitions of the commands, as `--help`
 * does, from the table of exit codes, and from the tables of the configuration's keys.
 */
import type { ArgDef, ArgsDef } from "citty";

import {
  COMMON_ARGS,
  describe,
  type Description,
  resolve,
  subcommandsOf,
} from "../../src/commands/definition.ts";
import { dynip } from "../../src/commands/root.ts";
import { systemConfigPath } from "../../src/config/find.ts";
import { DEFAULTS } from "../../src/config/config.ts";
import { type Key, type Keys, SECTIONS, TOP_LEVEL } from "../../src/config/keys.ts";
import { EXIT, EXIT_MEANINGS, type ExitName } from "../../src/system/errors.ts";
import { cron } from "../../src/schedule/cron.ts";
import * as mdoc from "./mdoc.ts";

/**
 * The text of `dynip.1`.
 * @param time the date of the page, in seconds since 1970
 */
export async function manualPage(time: number): Promise<string> {
  const { name, version, description } = await describe(dynip);
  const commands = await describedCommands();
  return mdoc.page([
    mdoc.macro("Dd", dateOf(time)),
    mdoc.macro("Dt", name.toUpperCase(), "1"),
    mdoc.macro("Os"),

    mdoc.macro("Sh", "NAME"),
    mdoc.macro("Nm", name),
    mdoc.macro("Nd", description),

    mdoc.macro("Sh", "SYNOPSIS"),
    ...commands.flatMap(({ name: word, args }) => [
      mdoc.macro("Nm", name),
      mdoc.macro("Cm", word),
      ...synopsis(args),
    ]),

    mdoc.macro("Sh", "DESCRIPTION"),
    mdoc.text(DESCRIPTION),
    mdoc.text(`This is the page of version ${version}.`),

    mdoc.macro("Sh", "COMMANDS"),
    ...commands.flatMap(({ name: word, description, args, exits }) => [
      mdoc.macro("Ss", `${name} ${word}`),
      mdoc.text(sentence(description)),
      mdoc.text(`Exits with ${oneOf(exits.map((exit) => EXIT[exit]))}.`),
      ...options(args),
    ]),
    mdoc.macro("Ss", "Every command"),
    ...options(COMMON_ARGS),

    mdoc.macro("Sh", "CONFIGURATION"),
    mdoc.text(CONFIGURATION),
    ...keyList(TOP_LEVEL),
    ...Object.entries(SECTIONS).flatMap(([section, keys]) => [
      mdoc.macro("Ss", `[${section}] keys`),
      ...keyList(keys, section),
    ]),

    mdoc.macro("Sh", "ENVIRONMENT"),
    ...mdoc.list(ENVIRONMENT.map(([name, meaning]) => [mdoc.inline("Ev", name), meaning])),
    mdoc.text(NOTICES),
    ...mdoc.list(NOTICE.map(([name, meaning]) => [mdoc.inline("Ev", name), meaning])),

    mdoc.macro("Sh", "FILES"),
    ...mdoc.list(FILES.map(([path, meaning]) => [mdoc.inline("Pa", path), meaning])),

    mdoc.macro("Sh", "EXIT STATUS"),
    ...mdoc.list(
      (Object.keys(EXIT) as ExitName[]).map((exit) => [
        String(EXIT[exit]),
        sentence(EXIT_MEANINGS[exit]),
      ]),
    ),

    mdoc.macro("Sh", "EXAMPLES"),
    ...EXAMPLES.flatMap(([meaning, command], index) => [
      ...(index > 0 ? [mdoc.macro("Pp")] : []),
      mdoc.text(meaning),
      ...mdoc.literal(command),
    ]),
  ]);
}

/** A default as it stands in TOML, or in words. */
export function defaultText({ default: value, absent = "none" }: Key<unknown>): string {
  const isValue = value !== undefined && typeof value !== "object";
  return isValue ? JSON.stringify(value) : absent.replaceAll("`", "");
}

/** The page has Linux's path on every system, so that the same page is made everywhere. */
const CONFIG = systemConfigPath({ env: {}, platform: "linux" });

const DESCRIPTION = `Each client sends its name to the server in a UDP datagram, every five minutes.
The server records the name, the address and the times of each client in a JSON file. When the server
and its clients share a secret, pings are signed, and the server acknowledges a ping after it has
written the record to disk. Messages go to the standard error output.`;

const CONFIGURATION = `The configuration is a TOML file. The server reads the section [server], a client
reads [client]. What is left out has its default. A key that dynip does not know is an error. These keys are
above the sections:`;

const ENVIRONMENT = [
  ["DYNIP_CONFIG", "The path of the configuration, if no argument names one."],
  ["DYNIP_SECRET", "The secret. It replaces that of the configuration."],
  ["DYNIP_SECRET_FILE", "A file with the secret. It replaces that of the configuration."],
  ["DYNIP_KEY", "The client's own key. It replaces that of the configuration."],
  ["DYNIP_KEY_FILE", "A file with the client's own key. It replaces that of the configuration."],
] as const;

const NOTICES = `The command of [notify] gets, beside the environment of the server without its secret, what
happened. What is not known is empty. The same is JSON on its standard input.`;

const NOTICE = [
  ["DYNIP_EVENT", "new, moved, silent, back or test."],
  ["DYNIP_NAME", "The name of the host; empty for silent and back."],
  ["DYNIP_NAMES", "The names of all hosts that the event is about, separated by spaces."],
  ["DYNIP_FAMILY", "ipv4 or ipv6."],
  ["DYNIP_ADDRESS", "The address of the host."],
  ["DYNIP_PREVIOUS", "The address that it had before."],
  [
    "DYNIP_HOW",
    "How the address was reported: proven, claimed by a router, or plain, which anyone can forge.",
  ],
  ["DYNIP_TIME", "When it happened: ISO 8601, UTC. A notice that is told again has the same time."],
  ["DYNIP_MESSAGE", "The notice in words."],
] as const;

const LOG = DEFAULTS.server.client_log_path;

const FILES = [
  ["dynip.toml", "The configuration in the current folder: TOML, with a comment for each key."],
  [CONFIG, "The configuration, if the current folder has none."],
  [LOG, "The client log: JSON, one line for each host. It is in the folder of the configuration."],
  [`${LOG}.journal.1, .2`, "Records that are not in the log yet, while the server runs."],
  [`${LOG}.journal.1.bad`, "What a power cut left half written. It was never acknowledged."],
  [`${LOG}.silent`, "The hosts that notices reported as silent, where [notify] asks for notices."],
  [`${LOG}.lock`, "Prevents a second server from using the same log."],
] as const;

const EXAMPLES = [
  ["Write a configuration and start the server:", "dynip init\ndynip serve"],
  [
    "On the server, write a configuration for one client, with its own key:",
    "dynip init --name nas --server vps.example.com",
  ],
  [
    "On that client, ping every five minutes, from the crontab:",
    cron.print({ binary: "/usr/local/bin/dynip", config: CONFIG }).trimEnd(),
  ],
] as const;

/** The subcommands, in the order of the help. */
async function describedCommands(): Promise<Description[]> {
  const loads = Object.values(await subcommandsOf(dynip));
  return await Promise.all(loads.map(async (load) => describe((await resolve(load)) ?? {})));
}

function synopsis(args: ArgsDef): string[] {
  return Object.entries(args).map(([name, arg]) => {
    if (arg.type === "positional") return mdoc.macro("Op", "Ar", name.toUpperCase());
    return mdoc.macro("Op", ...flags(name, arg).at(-1)!);
  });
}

function options(args: ArgsDef): string[] {
  return mdoc.list(
    Object.entries(args).map(([name, arg]) => {
      const heads = arg.type === "positional" ? [["Ar", name.toUpperCase()]] : flags(name, arg);
      const text = sentence(arg.description ?? "").replaceAll(systemConfigPath(), CONFIG);
      return [
        heads.map((head) => head.join(" ")).join(" , "),
        typeof arg.default === "string" ? `${text} Default: ${arg.default}.` : text,
      ];
    }),
  );
}

/** The keys of a section, each with its default and its comment. */
function keyList(keys: Keys, section?: string): string[] {
  return mdoc.list(
    Object.entries(keys).map(([name, key]) => [
      mdoc.inline("Ic", key.default instanceof Map ? `[${section}.${name}]` : name),
      `${sentence(key.comment)} Default: ${defaultText(key)}.`,
    ]),
  );
}

/** The names of an option as mdoc words. The value, if it takes one, follows the last name. */
function flags(name: string, arg: ArgDef): string[][] {
  const aliases = "alias" in arg && arg.alias !== undefined ? [arg.alias].flat() : [];
  const names = [...aliases, name].map((each) => ["Fl", each.length > 1 ? `-${each}` : each]);
  if (arg.type === "boolean") return names;
  const choices = arg.type === "enum" ? arg.options?.join(" | ") : undefined;
  names.at(-1)!.push("Ar", arg.valueHint ?? choices ?? name.toUpperCase());
  return names;
}

function sentence(text: string): string {
  return text.endsWith(".") ? text : `${text}.`;
}

function oneOf(items: readonly number[]): string {
  return new Intl.ListFormat("en-GB", { type: "disjunction" }).format(items.map(String));
}

/** A date in the format of mdoc: `November 22, 2026`. */
function dateOf(time: number): string {
  return new Date(time * 1000).toLocaleDateString("en-US", {
    dateStyle: "long",
    timeZone: "UTC",
  });
}
