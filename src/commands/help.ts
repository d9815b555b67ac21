/**
 * Renders the help: citty's, with the exit codes below. citty decides on colours when it is loaded,
 * without a look at the stream, so that they are removed here for anything but a terminal.
 */
import { stripVTControlCharacters, styleText } from "node:util";

import { type ArgsDef, type CommandDef, renderUsage } from "citty";

import { EXIT, EXIT_MEANINGS } from "../system/errors.ts";
import { COMMON_ARGS, describe } from "./definition.ts";

/**
 * The help of the root or of one of its subcommands.
 * @param command undefined for the root
 * @param stream where it will be written: coloured only if it is a terminal
 */
export async function helpText(
  root: CommandDef,
  command: CommandDef | undefined,
  stream: NodeJS.WriteStream,
): Promise<string> {
  const { args: own, exits } = await describe(command ?? root);
  const args: ArgsDef = { ...own, ...COMMON_ARGS };
  const rendered = command
    ? await renderUsage({ ...command, args }, root)
    : await renderUsage({ ...root, args });
  const text = [
    ...rendered.split("\n").map((line) => line.trimEnd()),
    ...(command ? [] : [""]), // citty ends the help of a subcommand alone with an empty line
    styleText(["underline", "bold"], "EXIT CODES", { stream }),
    "",
    ...exits.map((exit) => `${String(EXIT[exit]).padStart(3)}  ${EXIT_MEANINGS[exit]}`),
    "",
  ].join("\n");
  return stream.isTTY ? text : stripVTControlCharacters(text);
}
