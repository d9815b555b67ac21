/** `dynip init`: writes a configuration to start from and says what to do next. */
import { open, readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";

import { replaceFile } from "../atomic-file.ts";
import { DEFAULTS, parseConfig } from "../config.ts";
import { errorCode, EXIT, reasonOf, UserError } from "../errors.ts";
import { createLog, printable } from "../log.ts";
import { type OldConf, OldConfError, parseOldConf } from "../old-conf.ts";
import { type ConfigValues, configText, nextSteps } from "../setup.ts";
import { defineSubcommand, LOG_ARGS, logLevel } from "./main.ts";

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
    ...LOG_ARGS,
  },
  exits: ["ok", "usage", "config"],
  async run(args) {
    const log = createLog({ level: logLevel(args, "log") });
    const old = args.from === undefined ? undefined : await readOldConf(args.from);
    const values: ConfigValues = {
      server: { ...DEFAULTS.server, ...old?.server },
      client: { ...DEFAULTS.client, server_hostname: "localhost", ...old?.client },
    };
    const text = configText(values);
    // The same checks as at every start: what init writes can be read.
    const { server } = parseConfig(text, args.from ?? args.path);

    const path = resolve(args.path);
    await writeConfig(path, text, args.force === true);
    log.info(`the client log will be "${resolve(dirname(path), server.client_log_path)}"`);
    process.stdout.write(
      `Wrote ${printable(path)}, which only you can read.\n\n${printableLines(
        nextSteps({
          platform: process.platform,
          binary: process.execPath,
          config: path,
          port: server.server_port,
        }),
      )}`,
    );
  },
});

async function readOldConf(path: string): Promise<OldConf> {
  try {
    return parseOldConf(await readFile(path, "utf8"));
  } catch (error) {
    const problem = error instanceof OldConfError ? error.message : reasonOf(error);
    throw new UserError(`Cannot read DynIP 0.1e configuration "${path}": ${problem}`, {
      exitCode: EXIT.config,
      cause: error,
    });
  }
}

/** Writes the configuration for its owner alone: it is where secrets are kept. */
async function writeConfig(path: string, text: string, force: boolean): Promise<void> {
  try {
    if (force) {
      await replaceFile(path, [text], CONFIG_MODE);
    } else {
      const file = await open(path, "wx", CONFIG_MODE);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
    }
  } catch (error) {
    const code = errorCode(error);
    const hint =
      code === "EEXIST"
        ? "--force writes over it; or name another file"
        : code === "ENOENT"
          ? "make the folder first"
          : undefined;
    throw new UserError(
      `Cannot write config "${path}": ${code === "EEXIST" ? "it exists already" : reasonOf(error)}`,
      { exitCode: EXIT.config, cause: error, hint },
    );
  }
}

const CONFIG_MODE = 0o600;

function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
