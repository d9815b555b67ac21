/** Runs a command line: checks it, has citty run it, and turns errors into messages and exit codes. */
import { type CommandDef, runCommand } from "citty";

import { cannot, errorCode, EXIT, type ExitCode, reasonOf, UserError } from "../system/errors.ts";
import { createLog, logFlushed } from "../system/log.ts";
import { withoutSecrets } from "../system/redact.ts";
import { describe } from "./definition.ts";
import { checkCommandLine } from "./strict.ts";

/**
 * Runs a command line, reports its error, and gives the messages a moment to get out. Never rejects.
 * @returns the exit code of the process
 */
export async function main(root: CommandDef, rawArgs: string[]): Promise<ExitCode> {
  const exitCode = await run(root, rawArgs);
  await Promise.race([logFlushed(), Bun.sleep(FLUSH_MS)]);
  return exitCode;
}

/**
 * Writes to stdout.
 * @throws UserError (exit code 3) if that fails, for example into a file on a full disk
 */
export async function writeOut(text: string): Promise<void> {
  try {
    await Bun.write(Bun.stdout, text);
  } catch (error) {
    if (errorCode(error) === "EPIPE") return; // the reader has stopped reading, as `head` does
    throw cannot("write to stdout", undefined, reasonOf(error), {
      exitCode: EXIT.config,
      cause: error,
    });
  }
}

/** A reader of stderr that does not read must not keep the process. */
const FLUSH_MS = 100;

async function run(root: CommandDef, rawArgs: string[]): Promise<ExitCode> {
  try {
    return await dispatch(root, rawArgs);
  } catch (error) {
    return report(error, rawArgs.includes("--debug"));
  }
}

async function dispatch(root: CommandDef, rawArgs: string[]): Promise<ExitCode> {
  if (rawArgs.length === 0) {
    const { helpText } = await import("./help.ts");
    const text = await helpText(root, undefined, process.stderr);
    await Bun.write(Bun.stderr, text).catch(() => {}); // stderr may be closed
    return EXIT.usage;
  }
  const { command, request } = await checkCommandLine(root, rawArgs);
  if (request === "help") {
    const { helpText } = await import("./help.ts");
    await writeOut(await helpText(root, command, process.stdout));
  } else if (request === "version") {
    const { name, version, build } = await describe(root);
    await writeOut(`${name} ${version} (${build})\n`);
  } else {
    // The command itself: citty would look it up in the root, and parse the command line once more.
    await runCommand(command!, { rawArgs: rawArgs.slice(1) });
  }
  return EXIT.ok;
}

/** Logs an error; one that is not a UserError is a bug in dynip. */
function report(error: unknown, isDebug: boolean): ExitCode {
  const log = createLog({ level: isDebug ? "debug" : "warn" });
  const known = error instanceof UserError;
  if (known) log.error(error.message, error.hint);
  else log.error(`This is a bug in dynip: ${String(error)}`, "--debug shows where it happened");
  const origin = known ? error.cause : error;
  if (origin instanceof Error && origin.stack) {
    // Before it is split: a path in the message may have lines, and a part of a secret in each.
    for (const line of withoutSecrets(origin.stack).split("\n")) log.debug(line);
  }
  return known ? error.exitCode : EXIT.usage;
}
