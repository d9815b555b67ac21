/**
 * Checks a command line before citty runs it. citty accepts what must be refused: unknown options,
 * extra arguments, values for flags, `--no-…`, missing values, and names that every object inherits,
 * such as `constructor`. A check before the run, and not a plugin of citty's, cannot be left out of a
 * command, and `--help` and `--version` are answered only if the rest of the command line is right.
 */
import { parseArgs, type ParseArgsConfig } from "node:util";

import type { ArgsDef, CommandDef } from "citty";

import { type UserError, usageError } from "../system/errors.ts";
import { withoutSecrets } from "../system/redact.ts";
import { COMMON_ARGS, describe, resolve, subcommandsOf } from "./definition.ts";

/** A command line that citty may run. */
export interface CommandLine {
  /** The subcommand that the first argument names; undefined for the root. */
  command: CommandDef | undefined;
  /** What to show in place of a run, if anything. */
  request: "help" | "version" | undefined;
}

/**
 * Checks every argument of a command line.
 * @param rawArgs at least one
 * @throws UserError (exit code 1) that names the first mistake
 */
export async function checkCommandLine(root: CommandDef, rawArgs: string[]): Promise<CommandLine> {
  const [name = "", ...rest] = rawArgs;
  const command = name.startsWith("-") ? undefined : await findSubcommand(root, name);
  const program = (await describe(root)).name;
  const args = { ...(await describe(command ?? root)).args, ...COMMON_ARGS };
  const request = command
    ? checkArguments(rest, args, `${program} ${name}`)
    : checkArguments(rawArgs, args, program);
  if (!command && !request) throw usageError("No command", await commandList(root));
  return { command, request };
}

async function findSubcommand(root: CommandDef, name: string): Promise<CommandDef> {
  const subcommands = await subcommandsOf(root);
  const command = Object.hasOwn(subcommands, name) ? await resolve(subcommands[name]) : undefined;
  if (!command) throw usageError(`Unknown command "${name}"`, await commandList(root));
  return command;
}

async function commandList(root: CommandDef): Promise<string> {
  return `the commands are ${Object.keys(await subcommandsOf(root)).join(", ")}`;
}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Checks the arguments of one command; returns the first of `--help` and `--version` among them. */
function checkArguments(rawArgs: string[], args: ArgsDef, program: string): CommandLine["request"] {
  const wrong = (problem: string): UserError =>
    usageError(problem, `${program} --help shows how it is used`);
  const options = optionsOf(args);
  let places = Object.values(args).filter(({ type }) => type === "positional").length;
  let request: CommandLine["request"];
  // Not strict: the tokens say more than the error that strict parsing throws.
  for (const token of parseArgs({ args: rawArgs, options, strict: false, tokens: true }).tokens) {
    if (token.kind === "positional" && --places < 0) {
      throw wrong(`Unexpected argument "${token.value}"`);
    }
    if (token.kind !== "option") continue;
    const problem = problemOf(token, shownName(token, rawArgs), options);
    if (problem !== undefined) throw wrong(problem);
    if (token.name === "help" || token.name === "version") request ??= token.name;
  }
  return request;
}

/** The options among the arguments of a citty command, as `parseArgs` of node:util takes them. */
function optionsOf(args: ArgsDef): Options {
  const options: Options = {};
  for (const [name, { type, ...definition }] of Object.entries(args)) {
    if (type === "positional") continue;
    const aliases = "alias" in definition ? [definition.alias ?? []].flat() : [];
    const short = aliases.find((alias) => alias.length === 1);
    options[name] = {
      type: type === "boolean" ? "boolean" : "string",
      ...(short === undefined ? {} : { short }),
    };
  }
  return options;
}

/** What is wrong with an option, which the message calls `shown`; undefined if it is right. */
function problemOf(
  { name, value, inlineValue }: OptionToken,
  shown: string,
  options: Options,
): string | undefined {
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (!option) return `Unknown option "${shown}"`;
  if (option.type === "boolean") {
    return value === undefined ? undefined : `Option "${shown}" takes no value`;
  }
  const isOption = value?.startsWith("-") && !inlineValue;
  return !value || isOption ? `Option "${shown}" needs a value` : undefined;
}

/**
 * An option's name for a message. Every character of `-q3Z…`, a key that begins with a hyphen, is an
 * option. The message then quotes the whole argument, so that the log recognises and hides the key.
 */
function shownName({ rawName, index }: OptionToken, rawArgs: string[]): string {
  const argument = rawArgs[index] ?? rawName;
  return rawName.startsWith("--") || withoutSecrets(argument) === argument ? rawName : argument;
}

/** The part of an option's token, as `parseArgs` gives it, that is checked. */
interface OptionToken {
  /** Of the argument on the command line. */
  index: number;
  name: string;
  /** As on the command line: `--name` or `-n`. */
  rawName: string;
  value: string | undefined;
  /** Whether the value is in the same argument: `--name=value`. */
  inlineValue: boolean | undefined;
}
