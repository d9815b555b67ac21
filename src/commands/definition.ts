/**
 * What dynip's commands share: the options that several have, and what dynip's `meta` has beyond
 * citty's. The commands themselves are plain citty, made by its `defineCommand`.
 */
import type { ArgsDef, CommandDef, Resolvable, SubCommandsDef } from "citty";

export { version } from "../../package.json";
import { systemConfigPath } from "../config/find.ts";
import { EXIT, type ExitName } from "../system/errors.ts";
import type { Level } from "../system/log.ts";

declare module "citty" {
  interface CommandMeta {
    /** The exit codes of a command, for its help. The help of the root lists all of them. */
    exits?: readonly ExitName[];
    /** The commit and the target that this executable was built from and for. */
    build?: string;
  }
}

/** The options of every command and of the root. strict.ts and help.ts add them, not each command. */
export const COMMON_ARGS = {
  help: { type: "boolean", alias: "h", description: "Show this help" },
  version: { type: "boolean", description: "Show the version, the commit and the target" },
} as const satisfies ArgsDef;

/** The options that choose the log level. */
export const LOG_ARGS = {
  verbose: { type: "boolean", alias: "v", description: "Show more: INFO messages" },
  debug: {
    type: "boolean",
    description: "Show everything: DEBUG messages and the stacks of errors",
  },
} as const satisfies ArgsDef;

/** The argument of the commands that read a configuration. */
export const CONFIG_ARG = {
  config: {
    type: "positional",
    required: false,
    description: `The configuration (default: $DYNIP_CONFIG, ./dynip.toml or ${systemConfigPath()})`,
  },
} as const satisfies ArgsDef;

/**
 * The log level that {@link LOG_ARGS} ask for.
 * @param normal the level without any of them
 */
export function logLevel(
  { verbose, debug }: { verbose?: boolean | undefined; debug?: boolean | undefined },
  normal: Level,
): Level {
  return debug ? "debug" : verbose ? "info" : normal;
}

/** A command, its parts at hand: citty allows a value, a promise or a function for each. */
export interface Description {
  name: string;
  description: string;
  version: string;
  build: string;
  exits: readonly ExitName[];
  /** Without {@link COMMON_ARGS}. */
  args: ArgsDef;
}

/** Describes a command; what its `meta` does not have is empty, and `exits` all exit codes. */
export async function describe(command: CommandDef): Promise<Description> {
  const [meta, args = {}] = await Promise.all([resolve(command.meta), resolve(command.args)]);
  const all = Object.keys(EXIT) as ExitName[];
  return { name: "", description: "", version: "", build: "", exits: all, ...meta, args };
}

/** The subcommands of the root by name, each a function that loads it. */
export async function subcommandsOf(root: CommandDef): Promise<SubCommandsDef> {
  return (await resolve(root.subCommands)) ?? {};
}

/** The value of a part of a command. */
export async function resolve<T extends object>(
  part: Resolvable<T> | undefined,
): Promise<T | undefined> {
  return await (typeof part === "function" ? part() : part);
}
