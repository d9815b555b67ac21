/** `dynip init --print KIND`: what starts dynip on some system, on stdout and nowhere else. */
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";

import { findConfig, loadConfig } from "../config/find.ts";
import { crontabLine } from "../schedule/cron.ts";
import { errorCode, EXIT, UserError } from "../system/errors.ts";
import { pingDaemon, serveDaemon } from "../schedule/launchd.ts";
import { createLog, type Log, printable } from "../system/log.ts";
import type { Starter } from "../schedule/next-steps.ts";
import { pingUnits, serveUnit, unitProblems } from "../schedule/systemd.ts";
import { windowsTask } from "../schedule/windows-task.ts";
import { writeOut } from "./run.ts";

interface Kind {
  platforms: readonly NodeJS.Platform[];
  text: (binary: string, config: string) => string | Promise<string>;
}

const KINDS: Readonly<Record<string, Kind>> = {
  "systemd-serve": { platforms: ["linux"], text: serveUnit },
  "systemd-ping": { platforms: ["linux"], text: pingUnits },
  "launchd-serve": { platforms: ["darwin"], text: daemon(serveDaemon) },
  "launchd-ping": { platforms: ["darwin"], text: daemon(pingDaemon) },
  "windows-task": { platforms: ["win32"], text: windowsTask },
  cron: {
    platforms: ["linux", "darwin"],
    text: (binary, config) => `${crontabLine(binary, config)}\n`,
  },
};

/** The kinds there are, for a person to read. */
export const KIND_LIST = Object.keys(KINDS).join(", ");

/** What starts programs on this machine. */
export function starter(): Starter {
  if (process.platform === "win32") return "windows";
  if (process.platform === "darwin") return "launchd";
  return existsSync("/run/systemd/system") ? "systemd" : "cron"; // sd_booted(3)
}

/**
 * Prints what starts this executable with a configuration, and warns about what will not work.
 * @param given the configuration; else the one that the other commands would find
 * @throws UserError when there is no such kind (exit code 1), or no configuration (3)
 */
export async function print(name: string, given: string | undefined): Promise<void> {
  const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  if (!kind) {
    throw new UserError(`Wrong usage: --print is "${name}", must be one of ${KIND_LIST}`, {
      exitCode: EXIT.usage,
    });
  }
  const log = createLog({ level: "warn" });
  const binary = process.execPath;
  const config = resolve(await findConfig(given));
  for (const path of [binary, config]) {
    if (printable(path) === path) continue;
    throw new UserError(`Cannot print ${name}: "${path}" has a control character`, {
      exitCode: EXIT.config,
      hint: "nothing that starts programs could name it",
    });
  }
  const text = await kind.text(binary, config);
  if (!kind.platforms.includes(process.platform)) {
    log.warn(`${name} is for another system, and the paths are this one's`);
  }
  const logPath = await checkConfig(config, log);
  if (name.startsWith("systemd-")) {
    const problems = unitProblems(binary, name === "systemd-serve" ? logPath : undefined);
    for (const { problem, hint } of problems) log.warn(problem, hint);
  }
  await writeOut(text);
}

/** Warns about a configuration that cannot be; its `client_log_path`, as written, if it can. */
async function checkConfig(path: string, log: Log): Promise<string | undefined> {
  try {
    return (await loadConfig(path)).config.server.client_log_path;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    // What this user may not read, whoever starts dynip may: it holds a secret.
    if (errorCode(error.cause) !== "EACCES") log.warn(error.message, error.hint);
    return undefined;
  }
}

/** A daemon runs as the configuration's owner: the secret is that user's, and the log will be. */
function daemon(text: typeof serveDaemon) {
  return async (binary: string, config: string): Promise<string> => {
    const uid = process.getuid?.() ?? 0; // Windows has none, nor a use for this
    const owner = (await stat(config).catch(() => undefined))?.uid ?? uid;
    return text({ binary, config, user: uid !== 0 && owner === uid ? userName() : undefined });
  };
}

/** Who runs this. Bun's os.userInfo() takes the name from $USER, and `unknown` where it is not set. */
function userName(): string {
  const { exitCode, stdout } = Bun.spawnSync(["id", "-un"], { timeout: 5000 });
  const name = stdout.toString().trim();
  if (exitCode !== 0 || name === "") {
    throw new UserError("Cannot print for launchd: this user has no name to run it as", {
      exitCode: EXIT.config,
      hint: "print it as root, and it runs as root",
    });
  }
  return name;
}
