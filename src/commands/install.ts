/** `dynip init --install` and `--uninstall`: make this system start dynip, or no longer. */
import { lstat, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

import { type LoadedConfig, loadConfig } from "../config/find.ts";
import { schedulerFor, schedulersOf } from "../schedule/index.ts";
import { shellWord } from "../schedule/quoting.ts";
import { describeLater, type Scheduler, type Service, type Start } from "../schedule/scheduler.ts";
import { findFile, replaceFile } from "../system/atomic-file.ts";
import { cannot, errorCode, EXIT, reasonOf, usageError, UserError } from "../system/errors.ts";
import { createLog, printable } from "../system/log.ts";
import { runCommand } from "../system/run-command.ts";
import {
  checkPing,
  checkServer,
  type Finding,
  installService,
  removeService,
  restartService,
  type System,
} from "./installer.ts";
import { startOf, thisMachine } from "./print.ts";
import { copyProgram, serviceProgram, usualPlace } from "./program.ts";
import { writeOut } from "./run.ts";

/**
 * Makes this system start dynip: copies it where a service can start it, writes what the system's
 * scheduler needs, starts it, and looks whether it works.
 * @param subcommand `serve` or `ping`
 * @param given the configuration's path; otherwise the one that the other commands would find
 * @throws UserError if `subcommand` is something else (exit code 1), the configuration has a mistake (3,
 *   4), it cannot be installed (10), or it is installed and fails: then with its own exit code
 */
export async function install(subcommand: string, given: string | undefined): Promise<void> {
  const scheduler = schedulerOf("install", subcommand);
  await requireAdministrator("install", subcommand, given);
  const loaded = await loadConfig(given);
  const { config: settings } = loaded;
  const port = settings.server.server_port;
  const program = serviceProgram(process.execPath, process);
  const start = await startOf(`install ${subcommand}`, scheduler, program, loaded.path, settings);
  checkConfig(scheduler.subcommand, loaded);
  refuseProblems(scheduler, start);

  const isProgramNew = program !== process.execPath && (await copyThisTo(program));
  const service = scheduler.service(start);
  const config = await readFile(loaded.path, "utf8");
  const isNew = await installService(service, { config, program, isProgramNew }, system);
  if (!isNew && !isProgramNew) await say(`${service.name} is up to date`);
  await (scheduler.subcommand === "serve"
    ? expectServer(service, port, isNew)
    : expectPing(service, loaded, isNew));
}

/**
 * Undoes {@link install}, but for the program, the configuration and the client log.
 * @throws UserError if `subcommand` is neither `serve` nor `ping` (exit code 1), or it fails (10)
 */
export async function uninstall(subcommand: string, given: string | undefined): Promise<void> {
  if (given !== undefined) {
    throw usageError(`Wrong usage: --uninstall takes no configuration, and got "${given}"`);
  }
  const { subcommand: name } = schedulerOf("uninstall", subcommand);
  await requireAdministrator("uninstall", subcommand);
  const start = { binary: usualPlace(process), config: "" };
  let isAny = false;
  // All that this machine has: it may have had no systemd when dynip was installed.
  for (const scheduler of schedulersOf(name, thisMachine)) {
    isAny = (await removeService(scheduler.service(start), system)) || isAny;
  }
  await say(
    isAny
      ? `${name} is uninstalled. The configuration, the client log and the program are still there.`
      : `There is nothing to remove: ${name} is not installed`,
  );
}

/** The scheduler of this machine. */
function schedulerOf(action: "install" | "uninstall", subcommand: string): Scheduler {
  if (subcommand !== "serve" && subcommand !== "ping") {
    throw usageError(`Wrong usage: --${action} is "${subcommand}", must be serve or ping`);
  }
  const scheduler = schedulerFor(subcommand, thisMachine);
  if (scheduler) return scheduler;
  throw cannot(action, subcommand, "this system has no service manager that dynip knows", {
    exitCode: EXIT.install,
    hint: `start "dynip ${subcommand}" by this system's own means`,
  });
}

async function requireAdministrator(
  action: "install" | "uninstall",
  subcommand: string,
  given?: string,
): Promise<void> {
  if (await isPermitted()) return;
  const words = [process.execPath, "init", `--${action}`, subcommand];
  const who =
    process.platform === "win32"
      ? 'an administrator; open the prompt with "Run as administrator"'
      : `root; run sudo ${[...words, ...(given === undefined ? [] : [given])].map(shellWord).join(" ")}`;
  throw cannot(action, subcommand, `it needs ${who}`, { exitCode: EXIT.install });
}

async function isPermitted(): Promise<boolean> {
  if (process.platform !== "win32") return thisMachine.isAdministrator;
  // Only an administrator may look into this folder of Windows.
  const folder = join(process.env["SystemRoot"] ?? "C:\\Windows", "System32", "config");
  const refusal = await readdir(folder).then(
    () => undefined,
    (error) => errorCode(error),
  );
  return refusal !== "EPERM" && refusal !== "EACCES";
}

/** Finds what would make each ping fail, and says what the service will not see. */
function checkConfig(subcommand: Scheduler["subcommand"], { path, config }: LoadedConfig): void {
  if (subcommand === "ping" && config.client.server_hostname.length === 0) {
    throw cannot("install", subcommand, `config "${path}" has no server_hostname in [client]`, {
      exitCode: EXIT.serverHostname,
      hint: "set it to the server's host name or IP address",
    });
  }
  const names = ["DYNIP_SECRET", "DYNIP_SECRET_FILE", "DYNIP_KEY", "DYNIP_KEY_FILE"];
  for (const name of names.filter((one) => process.env[one] !== undefined)) {
    log.warn(`the service does not see ${name}, which is set here`, `put it into "${path}"`);
  }
}

function refuseProblems(scheduler: Scheduler, start: Start): void {
  for (const { problem, hint, isWarning = false } of scheduler.problems?.(start) ?? []) {
    if (!isWarning) {
      const { subcommand } = scheduler;
      throw cannot("install", subcommand, problem, { exitCode: EXIT.config, hint });
    }
    log.warn(problem, hint);
  }
}

async function copyThisTo(program: string): Promise<boolean> {
  const copied = await copyProgram(process.execPath, program);
  if (copied.kind === "same") return false;
  const before = copied.kind === "new" ? "" : `, in place of ${copied.version}`;
  await say(`Copied ${process.execPath} to ${program}${before}`);
  return true;
}

async function expectServer(service: Service, port: number, isNew: boolean): Promise<void> {
  let finding = await checkServer(service, port, system);
  if (!finding.works && !isNew) {
    // It was installed before, and has failed since.
    await restartService(service, system);
    finding = await checkServer(service, port, system);
  }
  const done = `${service.name} is active and listens on UDP port ${port}`;
  await report(service, finding, done, "the server does not work");
}

async function expectPing(service: Service, loaded: LoadedConfig, isNew: boolean): Promise<void> {
  const finding = await checkPing(service, isNew, system);
  const { secret, client } = loaded.config;
  const done =
    secret || client.key
      ? "The first ping was acknowledged"
      : "The first ping was sent; without a secret nothing confirms that it arrived";
  await report(
    service,
    finding,
    `${done}. From now on it pings every 5 minutes`,
    "the first ping failed",
  );
}

/** @throws UserError if it does not work: with dynip's own exit code */
async function report(
  service: Service,
  finding: Finding,
  done: string,
  failed: string,
): Promise<void> {
  if (finding.works) await say(`${done}.`);
  await say("Later:");
  for (const line of describeLater(service)) await say(`  ${line}`);
  if (finding.works) return;
  throw new UserError(`${service.name} is installed, but ${failed}: ${finding.problem}`, {
    exitCode: finding.exitCode,
    hint: finding.said === "" ? undefined : `it said: ${finding.said}`,
  });
}

async function say(line: string): Promise<void> {
  // What was done is done, whether or not anybody can be told.
  await writeOut(`${printable(line)}\n`).catch(() => {});
}

/** This system. */
const system: System = {
  run: runCommand,
  async read(path) {
    const stats = await lstat(path).catch(absent("read", path));
    if (!stats) return undefined;
    // Something else is not what was written here.
    if (!stats.isFile()) return { text: "", mode: 0 };
    return { text: await readFile(path, "utf8"), mode: modeOf(stats.mode) };
  },
  async write(path, text, mode) {
    try {
      await findFile(path); // only a file is replaced
      await replaceFile(path, [text], { mode });
    } catch (error) {
      throw cannot("write", path, reasonOf(error), { exitCode: EXIT.install, cause: error });
    }
  },
  remove: (path) => rm(path).catch(absent("remove", path)),
  list: async (folder) =>
    (await readdir(folder, { withFileTypes: true }).catch(() => []))
      .filter((entry) => entry.isFile())
      .map(({ name }) => name),
  sleep: (milliseconds) => setTimeout(milliseconds),
  now: Date.now,
  say,
};

/** Undefined for a file that is not there; other errors are the user's. */
function absent(action: string, path: string): (error: unknown) => undefined {
  return (error) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw cannot(action, path, reasonOf(error), { exitCode: EXIT.install, cause: error });
  };
}

/** Windows has no such bits, and what it makes up does not depend on what was written. */
function modeOf(mode: number): number {
  return process.platform === "win32" ? 0o644 : mode & 0o7777;
}

const log = createLog({ level: "warn" });
