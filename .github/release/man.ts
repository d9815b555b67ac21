/**
 * The manual page dynip(1), in mdoc(7), made of what `--help` is made of: the definitions of the
 * commands and the table of exit codes.
 */
import { COMMON_ARGS, type Subcommand } from "../../src/commands/run.ts";
import { dynip } from "../../src/commands/root.ts";
import { systemConfigPath } from "../../src/config/find.ts";
import { DEFAULTS } from "../../src/config/config.ts";
import { EXIT, EXIT_MEANINGS, type ExitName } from "../../src/system/errors.ts";
import { cron } from "../../src/schedule/cron.ts";
import * as mdoc from "./mdoc.ts";

/**
 * The text of `dynip.1`.
 * @param time the page's date, in seconds since 1970
 */
export async function manualPage(time: number): Promise<string> {
  const { name, version, description } = dynip.meta;
  const commands = await Promise.all(
    Object.entries(dynip.subCommands).map(async ([word, load]) => ({ word, ...(await load()) })),
  );
  return mdoc.page([
    mdoc.macro("Dd", dateOf(time)),
    mdoc.macro("Dt", name.toUpperCase(), "1"),
    mdoc.macro("Os"),

    mdoc.macro("Sh", "NAME"),
    mdoc.macro("Nm", name),
    mdoc.macro("Nd", description),

    mdoc.macro("Sh", "SYNOPSIS"),
    ...commands.flatMap(({ word, args }) => [
      mdoc.macro("Nm", name),
      mdoc.macro("Cm", word),
      ...synopsis(args),
    ]),

    mdoc.macro("Sh", "DESCRIPTION"),
    mdoc.text(DESCRIPTION),
    mdoc.text(`This is the page of version ${version}.`),

    mdoc.macro("Sh", "COMMANDS"),
    ...commands.flatMap(({ word, meta, args, exits }) => [
      mdoc.macro("Ss", `${name} ${word}`),
      mdoc.text(sentence(meta.description)),
      mdoc.text(`Exits with ${oneOf(exits.map((exit) => EXIT[exit]))}.`),
      ...options(args),
    ]),
    mdoc.macro("Ss", "Every command"),
    ...options(COMMON_ARGS),

    mdoc.macro("Sh", "ENVIRONMENT"),
    ...mdoc.list(ENVIRONMENT.map(([name, meaning]) => [mdoc.inline("Ev", name), meaning])),

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

/** The page is for the systems that have manual pages, wherever it is made. */
const CONFIG = systemConfigPath({ env: {}, platform: "linux" });

const DESCRIPTION = `Each client tells the server its name in a UDP datagram, every five minutes.
The server keeps a JSON file with the name, the address and the times of every one of them. With a
secret, which the server and its clients share, pings are signed, and a client knows whether it was
heard: what the server acknowledges is on its disk. Messages go to the standard error output.`;

const ENVIRONMENT = [
  ["DYNIP_CONFIG", "The configuration, where no argument names one."],
  ["DYNIP_SECRET", "The secret, in place of the configuration's."],
  ["DYNIP_SECRET_FILE", "A file that holds the secret, in place of the configuration's."],
  ["DYNIP_KEY", "The client's own key, in place of the configuration's."],
  ["DYNIP_KEY_FILE", "A file that holds the client's own key, in place of the configuration's."],
] as const;

const LOG = DEFAULTS.server.client_log_path;

const FILES = [
  ["dynip.toml", "The configuration: TOML, in which every key has its comment."],
  [CONFIG, "The configuration, where the current folder has none."],
  [LOG, "The client log: JSON, a line for each host; its folder is the configuration's."],
  [`${LOG}.journal`, "What is acknowledged and not in the log yet, while a server runs."],
  [`${LOG}.lock`, "Keeps a second server from the log."],
] as const;

const EXAMPLES = [
  ["On the server, write a configuration and record pings:", "dynip init\ndynip serve"],
  [
    "Write the file of one client, with a key of its own:",
    "dynip init nas.toml --name nas --from dynip.toml --server vps.example.com",
  ],
  [
    "On that client, in the crontab, ping every five minutes:",
    cron.print({ binary: "/usr/local/bin/dynip", config: CONFIG }).trimEnd(),
  ],
] as const;

type Args = Subcommand["args"];

function synopsis(args: Args): string[] {
  return Object.entries(args).map(([name, arg]) => {
    if (arg.type === "positional") return mdoc.macro("Op", "Ar", name.toUpperCase());
    return mdoc.macro("Op", ...flags(name, arg).at(-1)!);
  });
}

function options(args: Args): string[] {
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

/** An option's names, as mdoc's words; its value, where it takes one, stands behind the last. */
function flags(name: string, arg: Args[string]): string[][] {
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

/** A date as mdoc has it: `November 22, 2026`. */
function dateOf(time: number): string {
  return new Date(time * 1000).toLocaleDateString("en-US", {
    dateStyle: "long",
    timeZone: "UTC",
  });
}
