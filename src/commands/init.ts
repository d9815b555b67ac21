/** `dynip init`: writes a configuration to start from and says what to do next. */
import { open, readFile, rm } from "node:fs/promises";
import { dirname, isAbsolute, resolve } from "node:path";

import { findFile, replaceFile } from "../atomic-file.ts";
import { DEFAULTS, parseConfig } from "../config.ts";
import { errorCode, EXIT, reasonOf, UserError } from "../errors.ts";
import { printable } from "../log.ts";
import { type OldConf, OldConfError, parseOldConf } from "../old-conf.ts";
import { type ConfigValues, configText, nextSteps } from "../setup.ts";
import { defineSubcommand, LOG_ARGS } from "./main.ts";

export default defineSubcommand({
  meta: {
    name: "init",
    description: "Write a commented configuration, and say what to do next",
  },
  args: {
    path: {
      type: "positional",
      default: "dynip.toml",
      description: "The file to write",
    },
    from: {
      type: "string",
      valueHint: "OLD.conf",
      description: "Take the settings of this DynIP 0.1e configuration",
    },
    force: { type: "boolean", description: "Write over an existing file" },
    debug: LOG_ARGS.debug,
  },
  exits: ["ok", "usage", "config"],
  async run({ path: given, from, force = false }) {
    const path = resolve(given);
    if (printable(path) !== path) {
      throw cannotWrite(path, "its path has a control character", {
        hint: "neither a crontab nor a Scheduled Task could name it",
      });
    }
    const old = from === undefined ? undefined : await readOldConf(from, path);
    const values: ConfigValues = {
      server: { ...DEFAULTS.server, ...old?.server },
      client: { ...DEFAULTS.client, server_hostname: "localhost", ...old?.client },
    };
    const text = configText(values);
    // The same checks as at every start: what init writes can be read.
    const { server } = parseConfig(text, from ?? given);
    await writeConfig(path, text, force);

    const steps = nextSteps({
      platform: process.platform,
      binary: process.execPath,
      config: path,
      port: server.server_port,
    });
    // Mode bits say nothing on Windows, where the folder's permissions hold.
    const readers = process.platform === "win32" ? "" : ", which only you can read";
    // In DynIP 0.1e a relative path started at the folder in which dynipd was run.
    const movedLog =
      old && !isAbsolute(server.client_log_path)
        ? `The client log will be ${resolve(dirname(path), server.client_log_path)};\n` +
          "move the one that DynIP 0.1e kept there, and its hosts are carried over.\n"
        : "";
    const lines = `Wrote ${path}${readers}.\n${movedLog}\n${steps}`.split("\n");
    process.stdout.write(lines.map(printable).join("\n"));
  },
});

async function readOldConf(from: string, path: string): Promise<OldConf> {
  try {
    if (resolve(from) === path) throw new OldConfError("it would be written over");
    return parseOldConf(await readFile(from, "utf8"));
  } catch (error) {
    const problem = error instanceof OldConfError ? error.message : reasonOf(error);
    throw new UserError(`Cannot read DynIP 0.1e configuration "${from}": ${problem}`, {
      exitCode: EXIT.config,
      cause: error,
    });
  }
}

/** Writes the configuration for its owner alone: it is where secrets are kept. */
async function writeConfig(path: string, text: string, force: boolean): Promise<void> {
  try {
    if (force) await replaceFile((await findFile(path)).target, [text], CONFIG_MODE);
    else await createFile(path, text);
  } catch (error) {
    switch (errorCode(error)) {
      case "EEXIST":
        throw cannotWrite(path, "it exists already", { hint: "--force writes over it" });
      case "ENOENT":
        throw cannotWrite(path, reasonOf(error), { hint: "make the folder first", cause: error });
      default:
        throw cannotWrite(path, reasonOf(error), { cause: error });
    }
  }
}

async function createFile(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", CONFIG_MODE);
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true }); // half of it is of no use, and in the way of another try
    throw error;
  } finally {
    await file.close();
  }
}

const CONFIG_MODE = 0o600;

function cannotWrite(
  path: string,
  problem: string,
  options: { hint?: string; cause?: unknown },
): UserError {
  const message = `Cannot write config "${path}": ${problem}`;
  return new UserError(message, { exitCode: EXIT.config, ...options });
}
