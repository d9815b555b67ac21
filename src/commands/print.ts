/** `dynip init --print KIND`: prints what starts dynip on a system. */
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";

import type { Config } from "../config/config.ts";
import { findConfig, loadConfig } from "../config/find.ts";
import { type Machine, SCHEDULERS } from "../schedule/index.ts";
import type { Needs, Scheduler, Start } from "../schedule/scheduler.ts";
import { cannot, errorCode, EXIT, usageError, UserError } from "../system/errors.ts";
import { createLog, type Log, printable } from "../system/log.ts";
import { writeOut } from "./run.ts";

/** The kinds, for messages and help. */
export const KIND_LIST = SCHEDULERS.map(({ kind }) => kind).join(", ");

/** This machine, for the choice of a scheduler and for what is said about it. */
export const thisMachine: Machine = {
  platform: process.platform,
  isAdministrator: process.getuid?.() === 0,
  exists: existsSync,
};

/**
 * Prints what starts this executable with a configuration, and warns if that would not work.
 * @param kind of a scheduler
 * @param given the configuration's path; otherwise the one that the other commands would find
 * @throws UserError if there is no such kind (exit code 1), if no configuration is found, or if
 *   dynip could not be started with it (3)
 */
export async function print(kind: string, given: string | undefined): Promise<void> {
  const scheduler = SCHEDULERS.find((one) => one.kind === kind);
  if (!scheduler) {
    throw usageError(`Wrong usage: --print is "${kind}", must be one of ${KIND_LIST}`);
  }
  const log = createLog({ level: "warn" });
  const config = resolve(await findConfig(given));
  const settings = await readConfig(config, log);
  const start = await startOf(`print ${kind}`, scheduler, process.execPath, config, settings);
  const text = scheduler.print(start);
  if (!scheduler.platforms.includes(process.platform)) {
    log.warn(`${kind} is for another system, and the paths are this one's`);
  }
  for (const { problem, hint } of scheduler.problems?.(start) ?? []) {
    log.warn(problem, hint);
  }
  await writeOut(text);
}

/**
 * What a scheduler starts.
 * @param action what cannot be done if a path or a user has no name to write, such as `print cron`
 * @param settings what the configuration says, if it can be read
 * @throws UserError (exit code 3) if a path has a control character, or the owner has no name
 */
export async function startOf(
  action: string,
  { runsAsOwner = false }: Scheduler,
  binary: string,
  config: string,
  settings: Config | undefined,
): Promise<Start> {
  for (const path of [binary, config]) {
    if (printable(path) === path) continue;
    throw cannot(action, undefined, `"${path}" has a control character`, {
      exitCode: EXIT.config,
      hint: "rename it: nothing that starts programs accepts such a path",
    });
  }
  return {
    binary,
    config,
    user: runsAsOwner ? await ownerOf(config, action) : undefined,
    port: settings?.server.server_port,
    needs: settings && needsOf(settings),
  };
}

function needsOf({ server, http, notify }: Config): Needs {
  const { client_log_path, hosts_path, history_path } = server;
  return {
    files: { client_log_path, hosts_path, history_path },
    httpPort: http?.port,
    command: notify.command?.[0],
    posts: notify.url !== undefined,
  };
}

/** A configuration; one that cannot be read gets a warning and is undefined. */
async function readConfig(path: string, log: Log): Promise<Config | undefined> {
  try {
    return (await loadConfig(path)).config;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    // The file holds a secret: the user that dynip will run as may read it, and this one not.
    if (errorCode(error.cause) !== "EACCES") log.warn(error.message, error.hint);
    return undefined;
  }
}

/**
 * The user that runs dynip: the configuration's owner, who can read the secret. Without a configuration
 * it is the user of this process.
 * @returns a name; undefined for root, and on Windows, which has no user ids
 */
async function ownerOf(config: string, action: string): Promise<string | undefined> {
  const self = process.getuid?.();
  if (self === undefined) return undefined;
  const uid = (await stat(config).catch(() => undefined))?.uid ?? self;
  if (uid === 0) return undefined;
  const name = nameOf(uid);
  if (name !== undefined) return name;
  throw cannot(action, undefined, `dynip would run as user ${uid}, whose name is not found`, {
    exitCode: EXIT.config,
    hint: `chown "${config}" to the user that dynip is to run as`,
  });
}

/** A user's name. Bun's os.userInfo() knows only this process's, and takes that from $USER. */
function nameOf(uid: number): string | undefined {
  try {
    const { exitCode, stdout } = Bun.spawnSync(["id", "-un", `${uid}`], { timeout: 5000 });
    const name = stdout.toString().trim();
    return exitCode === 0 && name !== "" ? name : undefined;
  } catch {
    return undefined; // there is no id(1)
  }
}
