/**
 * Runs a command line. Commands are defined as citty has them, and it renders their help; it is
 * loaded for that alone, since it lets unknown options and extra arguments pass and so could not read
 * a command line by itself: here they are errors, `--help` and `--version` work on every command, and
 * an error is a message and an exit code.
 */
import { parseArgs, type ParseArgsConfig, stripVTControlCharacters, styleText } from "node:util";

import type { ArgsDef, ParsedArgs } from "citty";

import { systemConfigPath } from "../config/find.ts";
import {
  errorCode,
  EXIT,
  EXIT_MEANINGS,
  type ExitCode,
  type ExitName,
  reasonOf,
  UserError,
} from "../system/errors.ts";
import { createLog, type Level, logFlushed } from "../system/log.ts";
import { decodeKey } from "../protocol/message.ts";

/** A subcommand of dynip. */
export interface Subcommand {
  meta: { name: string; description: string };
  args: ArgsDef;
  /** The exit codes it can end with, for its help. */
  exits: readonly ExitName[];
  /** Rejects with a UserError for any exit code but 0. */
  run: (args: any) => Promise<void>;
}

/** Defines a subcommand, whose `run` gets its arguments by their names; what is not given is undefined. */
export function defineSubcommand<const T extends ArgsDef>(definition: {
  meta: { name: string; description: string };
  args: T;
  exits: readonly ExitName[];
  run: (args: ParsedArgs<T>) => Promise<void>;
}): Subcommand {
  return definition;
}

/** The root: a name, a version, the build of it, and lazy subcommands. */
export interface Root {
  meta: { name: string; version: string; build: string; description: string };
  subCommands: Record<string, () => Promise<Subcommand>>;
}

/** The options of every subcommand. */
export const LOG_ARGS = {
  verbose: { type: "boolean", alias: "v", description: "Show more: INFO messages" },
  debug: { type: "boolean", description: "Show everything: DEBUG messages, and stacks of errors" },
} as const satisfies ArgsDef;

/** The options of every command, the root included. */
export const COMMON_ARGS = {
  help: { type: "boolean", alias: "h", description: "Show this help" },
  version: { type: "boolean", description: "Show the version, the commit and the target" },
} as const satisfies ArgsDef;

/** The argument of the commands that read a configuration. */
export const CONFIG_ARG = {
  config: {
    type: "positional",
    required: false,
    description: `The configuration; else $DYNIP_CONFIG, ./dynip.toml or ${systemConfigPath()}`,
  },
} as const satisfies ArgsDef;

/** The level that {@link LOG_ARGS} ask for. */
export function logLevel(
  { verbose, debug }: { verbose?: boolean | undefined; debug?: boolean | undefined },
  normal: Level,
): Level {
  return debug ? "debug" : verbose ? "info" : normal;
}

/**
 * Writes to stdout.
 * @throws UserError (exit code 3) when it cannot, as into a file on a full disk
 */
export async function writeOut(text: string): Promise<void> {
  try {
    await Bun.write(Bun.stdout, text);
  } catch (error) {
    // Whoever reads it may have read enough and gone, as `head` does.
    if (errorCode(error) === "EPIPE") return;
    throw new UserError(`Cannot write to stdout: ${reasonOf(error)}`, {
      exitCode: EXIT.config,
      cause: error,
    });
  }
}

/**
 * Runs the command that `rawArgs` names, reports its error if it has one, and gives what was said a
 * moment to get out. Never rejects.
 */
export async function main(root: Root, rawArgs: string[]): Promise<ExitCode> {
  const exitCode = await run(root, rawArgs);
  await Promise.race([logFlushed(), Bun.sleep(FLUSH_MS)]);
  return exitCode;
}

/** A reader that is stuck must not keep the process. */
const FLUSH_MS = 100;

async function run(root: Root, rawArgs: string[]): Promise<ExitCode> {
  try {
    return await dispatch(root, rawArgs);
  } catch (error) {
    const log = createLog({ level: rawArgs.includes("--debug") ? "debug" : "warn" });
    const known = error instanceof UserError;
    if (known) log.error(withoutKeys(error.message), error.hint && withoutKeys(error.hint));
    else log.error(`This is a bug in dynip: ${String(error)}`, "--debug shows where it happened");
    const origin = known ? error.cause : error;
    if (origin instanceof Error)
      origin.stack?.split("\n").forEach((line) => log.debug(withoutKeys(line)));
    return known ? error.exitCode : EXIT.usage;
  }
}

/** A message without what could be a secret, put where a path or a key of the file should be. */
function withoutKeys(text: string): string {
  return text.replace(/[\w-]{43}=?/g, (word) => (decodeKey(word) ? "(a secret)" : word));
}

async function dispatch(root: Root, rawArgs: string[]): Promise<ExitCode> {
  const [name, ...rest] = rawArgs;
  if (name === undefined) {
    await Bun.write(Bun.stderr, await usage(root, undefined, process.stderr)).catch(() => {});
    return EXIT.usage;
  }
  const command = name.startsWith("-") ? undefined : await findCommand(root, name);
  const { request, values } = readArguments(
    command ? rest : rawArgs,
    { ...command?.args, ...COMMON_ARGS },
    command ? `${root.meta.name} ${name}` : root.meta.name,
  );
  if (request === "help") {
    await writeOut(await usage(root, command, process.stdout));
  } else if (request === "version") {
    const { name: program, version, build } = root.meta;
    await writeOut(`${program} ${version} (${build})\n`);
  } else if (command) {
    await command.run(values);
  } else {
    throw new UserError("No command", { exitCode: EXIT.usage, hint: commandList(root) });
  }
  return EXIT.ok;
}

async function findCommand(root: Root, name: string): Promise<Subcommand> {
  const load = Object.hasOwn(root.subCommands, name) ? root.subCommands[name] : undefined;
  if (load === undefined) {
    throw new UserError(`Unknown command "${name}"`, {
      exitCode: EXIT.usage,
      hint: commandList(root),
    });
  }
  return await load();
}

function commandList({ subCommands }: Root): string {
  return `the commands are ${Object.keys(subCommands).join(", ")}`;
}

/** Reads a command's arguments; whatever `args` does not define is refused. */
function readArguments(
  rawArgs: string[],
  args: ArgsDef,
  command: string,
): { request: "help" | "version" | undefined; values: Record<string, unknown> } {
  const wrong = (problem: string): UserError =>
    new UserError(problem, {
      exitCode: EXIT.usage,
      hint: `${command} --help shows how it is used`,
    });

  const options: NonNullable<ParseArgsConfig["options"]> = {};
  const names: string[] = [];
  for (const [name, { type, ...definition }] of Object.entries(args)) {
    if (type === "positional") {
      names.push(name);
      continue;
    }
    const short = "alias" in definition ? { short: definition.alias as string } : {};
    options[name] = { type: type === "boolean" ? "boolean" : "string", ...short };
  }

  // Not strict: the tokens tell more than the error that strict parsing throws.
  const parsed = parseArgs({ args: rawArgs, options, strict: false, tokens: true });
  const values: Record<string, unknown> = { ...parsed.values };
  let request: "help" | "version" | undefined;
  for (const token of parsed.tokens) {
    if (token.kind === "positional") {
      const name = names.shift();
      if (name === undefined) throw wrong(`Unexpected argument "${token.value}"`);
      values[name] = token.value;
    } else if (token.kind === "option") {
      const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
      if (option === undefined) throw wrong(`Unknown option "${token.rawName}"`);
      if (option.type === "boolean" && token.value !== undefined) {
        throw wrong(`Option "${token.rawName}" takes no value`);
      }
      const isOption = token.value?.startsWith("-") && !token.inlineValue;
      if (option.type === "string" && (!token.value || isOption)) {
        throw wrong(`Option "${token.rawName}" needs a value`);
      }
      if (token.name === "help" || token.name === "version") request ??= token.name;
    }
  }
  return { request, values };
}

/** The help of the root or of one subcommand, coloured only for a terminal. */
async function usage(
  root: Root,
  command: Subcommand | undefined,
  stream: NodeJS.WriteStream,
): Promise<string> {
  const { renderUsage } = await import("citty");
  const rendered = command
    ? await renderUsage({ ...command, args: { ...command.args, ...COMMON_ARGS } }, root)
    : await renderUsage({ ...root, args: COMMON_ARGS });
  const exits = command?.exits ?? (Object.keys(EXIT) as ExitName[]);
  const text = [
    ...rendered.split("\n").map((line) => line.trimEnd()),
    ...(command ? [] : [""]),
    styleText(["underline", "bold"], "EXIT CODES", { stream }),
    "",
    ...exits.map((exit) => `  ${EXIT[exit]}  ${EXIT_MEANINGS[exit]}`),
    "",
  ].join("\n");
  return stream.isTTY ? text : stripVTControlCharacters(text);
}
