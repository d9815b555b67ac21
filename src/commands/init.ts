/** `dynip init`: writes a configuration and says what to do next, or prints what starts dynip. */
import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, resolve } from "node:path";

import { defineCommand } from "citty";

import { isOldConf, parseConfig } from "../config/config.ts";
import { cannot, EXIT, reasonOf, usageError, type UserError } from "../system/errors.ts";
import { printable } from "../system/log.ts";
import { withoutSecrets } from "../system/redact.ts";
import { type OldConf, OldConfError, parseOldConf } from "../config/old-conf.ts";
import { encodeKey, KEY_BYTES } from "../protocol/message.ts";
import { nextSteps } from "../schedule/next-steps.ts";
import { configText } from "../config/template.ts";
import { clientName, isElsewhere, newClientConfig, newPlainClientConfig } from "./client-file.ts";
import { cannotWrite, type NewFile, writeConfig } from "./config-file.ts";
import { LOG_ARGS } from "./definition.ts";
import { writeOut } from "./run.ts";
import { install, uninstall } from "./install.ts";
import { KIND_LIST, print, thisMachine } from "./print.ts";

export default defineCommand({
  meta: {
    name: "init",
    description: "Write a commented configuration, and say what to do next",
    // A service that was installed and fails has the exit code of its dynip.
    exits: [
      ...(["ok", "usage", "clientLog", "config", "serverHostname", "notSent"] as const),
      ...(["noAcknowledgement", "bind", "install"] as const),
    ],
  },
  args: {
    path: {
      type: "positional",
      required: false,
      description:
        "The file to write (default: dynip.toml, or NAME.toml); with --install and --print, the configuration to start dynip with",
    },
    from: {
      type: "string",
      valueHint: "FILE",
      description:
        "Take over the settings of a DynIP 0.1e .conf; with --name, the server's configuration (default: the one found)",
    },
    name: {
      type: "string",
      valueHint: "NAME",
      description: "Write the configuration of one client, with its own key in place of the secret",
    },
    server: {
      type: "string",
      valueHint: "HOST",
      description:
        "With --name: the server's host name or IP address (default: its server_hostname)",
    },
    print: {
      type: "string",
      valueHint: "KIND",
      description: `Write nothing; print what starts dynip: ${KIND_LIST}`,
    },
    install: {
      type: "string",
      valueHint: "serve|ping",
      description: "Make this system start the server, or a ping every 5 minutes, and check it",
    },
    uninstall: {
      type: "string",
      valueHint: "serve|ping",
      description: "Undo --install; the configuration, the client log and the program stay",
    },
    force: { type: "boolean", description: "Overwrite an existing file" },
    debug: LOG_ARGS.debug,
  },
  async run({ args: { path: given, from, name: called, server, force = false, ...instead } }) {
    const actions = ACTIONS.map((action) => instead[action]);
    refuseSecrets([given, from, called, server, ...actions]);
    const action = ACTIONS.find((one) => instead[one] !== undefined);
    if (action !== undefined) {
      const options = [from, called, server, ...actions].filter((option) => option !== undefined);
      if (force || options.length > 1) throw wrongUsage(`--${action} goes with no other option`);
      return await { print, install, uninstall }[action](instead[action]!, given);
    }
    const name = called === undefined ? undefined : clientName(called);
    const path = resolve(given ?? `${name ?? "dynip"}.toml`);
    if (printable(path) !== path) {
      throw cannotWrite(path, "its path has a control character", {
        hint: "choose another path: crontabs and Scheduled Tasks do not accept this one",
      });
    }
    if (from !== undefined && resolve(from) === path) {
      throw cannotWrite(path, "it is the file that --from reads");
    }
    const { text, next } =
      name === undefined
        ? await newConfig(path, from, server)
        : await newClientConfig(path, name, from, server);
    const ifThere = name === undefined ? OVERWRITES_SECRET : "--force overwrites it";
    await writeConfig(path, text, { force, ifThere });
    // Windows ignores mode bits: there the folder's permissions decide.
    const readers = process.platform === "win32" ? "" : ", which only you can read";
    const lines = `Wrote ${path}${readers}.\n${next}`.split("\n");
    // The file is written: that stdout cannot be written is no failure.
    await writeOut(lines.map(printable).join("\n")).catch(() => {});
  },
});

/** The options with which init writes no configuration. */
const ACTIONS = ["print", "install", "uninstall"] as const;

/** The hint where a server's configuration is there already. */
const OVERWRITES_SECRET =
  "--force overwrites it, and its secret is lost: every machine then needs a new file";

/** Refuses secrets on the command line: what init writes and prints would have them in plain sight. */
function refuseSecrets(values: (string | undefined)[]): void {
  for (const value of values) {
    if (value === undefined || withoutSecrets(`"${value}"`) === `"${value}"`) continue;
    throw wrongUsage(
      `"${value}" looks like a secret`,
      "secrets belong in the configuration, or in a file that DYNIP_SECRET_FILE names",
    );
  }
}

/**
 * A configuration for a server, with a new secret; or one for a client, where a file of DynIP 0.1e has
 * the settings of a client alone.
 */
async function newConfig(
  path: string,
  from: string | undefined,
  server: string | undefined,
): Promise<NewFile> {
  if (server !== undefined) {
    throw wrongUsage("--server goes with --name", "set server_hostname in the file instead");
  }
  if (from === undefined) return newServerConfig(path);
  const old = await readOldConf(from);
  return old.client && !old.server
    ? newPlainClientConfig(path, from, old.client)
    : newServerConfig(path, { from, ...old });
}

/** @param old the settings of DynIP 0.1e to take over, and the file that has them */
function newServerConfig(path: string, old?: OldConf & { from: string }): NewFile {
  const text = configText({
    secret: encodeKey(crypto.getRandomValues(new Uint8Array(KEY_BYTES))),
    // Clients of DynIP 0.1e send plain pings until they are replaced.
    server: { allow_plain: old !== undefined, ...old?.server },
    client: { server_hostname: "localhost", ...old?.client },
  });
  // Checks the text as every start does.
  const { server, client } = parseConfig(text, old?.from ?? path);
  const isHostKnown = client.server_hostname.some(isElsewhere);
  const next = nextSteps({
    machine: thisMachine,
    binary: process.execPath,
    config: path,
    port: server.server_port,
    isFound: isFound(path),
    isHostKnown,
  });
  const lines = ["", next];
  if (old) {
    if (isHostKnown) {
      lines.unshift(
        `If this machine is no server, delete [DynIP:Server] from "${old.from}" and do this again, with`,
        "--force: it makes a client's configuration, without a secret.",
      );
    }
    lines.unshift(
      "It accepts the plain pings of DynIP 0.1e; set allow_plain = false when the last client is replaced.",
    );
    // In DynIP 0.1e the path is relative to the folder that dynipd is started in.
    if (!isAbsolute(server.client_log_path)) {
      lines.unshift(
        `The client log will be ${resolve(dirname(path), server.client_log_path)};`,
        "move DynIP 0.1e's log there to keep its hosts.",
      );
    }
  }
  return { text, next: lines.join("\n") };
}

/** Whether a configuration here is the one that commands find if none is given. */
function isFound(path: string): boolean {
  const { DYNIP_CONFIG: named } = process.env;
  return path === resolve(named || "dynip.toml");
}

async function readOldConf(from: string): Promise<OldConf> {
  try {
    const text = await readFile(from, "utf8");
    if (!isOldConf(text)) {
      throw new OldConfError("it has neither [DynIP:Server] nor [DynIP:Client]");
    }
    return parseOldConf(text);
  } catch (error) {
    const problem = error instanceof OldConfError ? error.message : reasonOf(error);
    throw cannot("read DynIP 0.1e configuration", from, problem, {
      exitCode: EXIT.config,
      hint: problem.startsWith("it has neither")
        ? "for a TOML configuration use --name as well"
        : undefined,
      cause: error,
    });
  }
}

function wrongUsage(problem: string, hint = "dynip init --help shows how it is used"): UserError {
  return usageError(`Wrong usage: ${problem}`, hint);
}
