/** `dynip init`: writes a configuration and says what to do next, or prints what starts dynip. */
import { open, readFile, rm } from "node:fs/promises";
import { dirname, isAbsolute, resolve } from "node:path";

import { defineCommand } from "citty";

import { findFile, replaceFile } from "../system/atomic-file.ts";
import { loadConfig } from "../config/find.ts";
import { isOldConf, parseConfig } from "../config/config.ts";
import { SIGNED_NAME_RULE } from "../config/keys.ts";
import { cannot, errorCode, EXIT, reasonOf, usageError, type UserError } from "../system/errors.ts";
import { createLog, printable } from "../system/log.ts";
import { withoutSecrets } from "../system/redact.ts";
import { type OldConf, OldConfError, parseOldConf } from "../config/old-conf.ts";
import { deriveKey, encodeKey, isSignedName, KEY_BYTES } from "../protocol/message.ts";
import { findSecret } from "../config/secrets.ts";
import { clientNextSteps, nextSteps } from "../schedule/next-steps.ts";
import { clientConfigText, configText } from "../config/template.ts";
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
      ...(["noAcknowledgement", "install", "bind"] as const),
    ],
  },
  args: {
    path: {
      type: "positional",
      required: false,
      description:
        "The file to write (default: dynip.toml); with --install and --print, the configuration to start dynip with",
    },
    from: {
      type: "string",
      valueHint: "FILE",
      description:
        "Take over the settings of a DynIP 0.1e .conf; with --name, the server's configuration",
    },
    name: {
      type: "string",
      valueHint: "NAME",
      description: "Write the configuration of one client, with its own key in place of the secret",
    },
    server: {
      type: "string",
      valueHint: "HOST",
      description: "With --name: the server's host name or IP address",
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
  async run({ args: { path: given, from, name, server, force = false, ...instead } }) {
    const actions = ACTIONS.map((action) => instead[action]);
    refuseSecrets([given, from, name, server, ...actions]);
    const action = ACTIONS.find((one) => instead[one] !== undefined);
    if (action !== undefined) {
      const options = [from, name, server, ...actions].filter((option) => option !== undefined);
      if (force || options.length > 1) throw wrongUsage(`--${action} goes with no other option`);
      return await { print, install, uninstall }[action](instead[action]!, given);
    }
    const path = resolve(given ?? "dynip.toml");
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
    await writeConfig(path, text, force);
    // Windows ignores mode bits: there the folder's permissions decide.
    const readers = process.platform === "win32" ? "" : ", which only you can read";
    const lines = `Wrote ${path}${readers}.\n${next}`.split("\n");
    // The file is written: that stdout cannot be written is no failure.
    await writeOut(lines.map(printable).join("\n")).catch(() => {});
  },
});

/** The options with which init writes no configuration. */
const ACTIONS = ["print", "install", "uninstall"] as const;

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

/** A configuration before it is written. */
interface NewFile {
  text: string;
  /** What to do next, for the user. */
  next: string;
}

/** A configuration for a server and its clients, with a new secret. */
async function newConfig(
  path: string,
  from: string | undefined,
  server: string | undefined,
): Promise<NewFile> {
  if (server !== undefined) {
    throw wrongUsage("--server goes with --name", "set server_hostname in the file instead");
  }
  const old = from === undefined ? undefined : await readOldConf(from);
  const text = configText({
    secret: encodeKey(crypto.getRandomValues(new Uint8Array(KEY_BYTES))),
    // Clients of DynIP 0.1e send plain pings until they are replaced.
    server: { allow_plain: old !== undefined, ...old?.server },
    client: { server_hostname: "localhost", ...old?.client },
  });
  // Checks the text as every start does.
  const config = parseConfig(text, from ?? path);
  const { client_log_path, server_port: port } = config.server;
  const lines = ["", nextSteps({ ...here(path), port })];
  if (old) {
    lines.unshift(
      "It accepts the plain pings of DynIP 0.1e; set allow_plain = false when the last client is replaced.",
    );
    // In DynIP 0.1e the path is relative to the folder that dynipd is started in.
    if (!isAbsolute(client_log_path)) {
      lines.unshift(
        `The client log will be ${resolve(dirname(path), client_log_path)};`,
        "move DynIP 0.1e's log there to keep its hosts.",
      );
    }
  }
  return { text, next: lines.join("\n") };
}

/** A configuration for one client, with the key that is derived for its name from the server's secret. */
async function newClientConfig(
  path: string,
  name: string,
  from: string | undefined,
  host: string | undefined,
): Promise<NewFile> {
  if (!isSignedName(name)) throw wrongUsage(`--name is "${name}", must be ${SIGNED_NAME_RULE}`);
  const { path: source, config } = await loadConfig(from);
  const log = createLog({ level: "warn" });
  const secret = await findSecret("secret", config.secret, { env: process.env, log });
  if (!secret) {
    throw cannot(`make a key for ${name}`, undefined, `config "${source}" has no secret`, {
      exitCode: EXIT.config,
      hint: "name the server's configuration with --from: it has the secret",
    });
  }
  const { server, client } = config;
  const hosts = host === undefined ? client.server_hostname : [host];
  if (host === undefined && hosts.every((one) => one === "localhost")) {
    throw wrongUsage(
      "--server is missing",
      "give the server's host name or IP address, for the client to ping",
    );
  }
  const text = clientConfigText({
    client_name: name,
    key: encodeKey(deriveKey(secret, name, server.generations.get(name) ?? 1)),
    server_hostname: hosts.length === 1 ? hosts[0]! : [...hosts],
    server_port: server.server_port,
    family: client.family,
  });
  parseConfig(text, path);
  return { text, next: `\n${clientNextSteps({ ...here(path), name })}` };
}

function here(config: string) {
  return { machine: thisMachine, binary: process.execPath, config };
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

/** Writes the configuration so that only its owner can read it: it holds a secret. */
async function writeConfig(path: string, text: string, force: boolean): Promise<void> {
  try {
    if (force) await replaceFile((await findFile(path)).target, [text], { mode: CONFIG_MODE });
    else await createFile(path, text);
  } catch (error) {
    switch (errorCode(error)) {
      case "EEXIST":
        throw cannotWrite(path, "it exists already", { hint: "--force overwrites it" });
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
    await rm(path, { force: true }); // half a file would be in the way of another try
    throw error;
  } finally {
    await file.close();
  }
}

const CONFIG_MODE = 0o600;

function wrongUsage(problem: string, hint = "dynip init --help shows how it is used"): UserError {
  return usageError(`Wrong usage: ${problem}`, hint);
}

function cannotWrite(
  path: string,
  problem: string,
  options: { hint?: string; cause?: unknown } = {},
): UserError {
  return cannot("write config", path, problem, { exitCode: EXIT.config, ...options });
}
