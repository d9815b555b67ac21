/**
 * Installs and removes what a scheduler describes: compares, writes what differs, runs the scheduler's
 * commands, and looks whether dynip works. Whatever it does to the system goes through `System`.
 */
import { addLine, crontab, removeLine } from "../schedule/cron.ts";
import type { Check, Command, CrontabLine, Service, State } from "../schedule/scheduler.ts";
import { cannot, EXIT, EXIT_MEANINGS, type ExitCode, type ExitName } from "../system/errors.ts";
import type { Outcome } from "../system/run-command.ts";

/** The system that is changed. */
export interface System {
  run(command: Command, input?: string): Promise<Outcome>;
  /** A file's text and permission bits; undefined where there is none. */
  read(path: string): Promise<{ text: string; mode: number } | undefined>;
  /** Makes or replaces a file, whole or not at all. */
  write(path: string, text: string, mode: number): Promise<void>;
  remove(path: string): Promise<void>;
  /** The names of the files in a folder; none if there is no such folder. */
  list(folder: string): Promise<readonly string[]>;
  sleep(milliseconds: number): Promise<unknown>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Tells the user what was done, a line at a time. */
  say(line: string): Promise<void>;
}

/** What is installed with a service. */
export interface Installing {
  /** The text of the configuration. */
  config: string;
  /** The path of the program that the service starts. */
  program: string;
  /** Whether the program was replaced, so that a running server is an old one. */
  isProgramNew: boolean;
}

/**
 * Installs a service and starts it. Does nothing where all is as it should be.
 * @returns whether anything had to be done
 * @throws UserError (exit code 10) if a command fails, with what it said
 */
export async function installService(
  service: Service,
  installing: Installing,
  system: System,
): Promise<boolean> {
  const areFilesNew = await writeFiles(service, system);
  const isLineNew = service.crontab ? await addToCrontab(service.crontab, system) : false;
  if (!(await isStarted(service, system))) {
    if (service.start.length === 0 && service.started.length > 0) {
      throw noDaemon(service);
    }
    await runAll(service.start, system);
    return true;
  }
  if (areFilesNew || (await isServerOld(service, installing, system))) {
    await restartService(service, system);
    return true;
  }
  return isLineNew;
}

/** Stops and starts a service. */
export async function restartService(service: Service, system: System): Promise<void> {
  if (service.restart) return await runAll(service.restart, system);
  await stop(service, system);
  await runAll(service.start, system);
}

/**
 * Stops a service and removes its files and its line.
 * @returns whether there was anything to remove
 * @throws UserError (exit code 10) if a command fails, with what it said
 */
export async function removeService(service: Service, system: System): Promise<boolean> {
  const found = [];
  for (const { path } of service.files) if (await system.read(path)) found.push(path);
  const isOn = service.stop.length > 0 && (await isStarted(service, system));
  if (found.length > 0 || isOn) {
    // What is not started may be half started, such as a unit that is enabled and has failed.
    if (isOn) await stop(service, system);
    else for (const command of service.stop) await sayAndRun(command, system);
    for (const path of found) {
      await system.remove(path);
      await system.say(`Removed ${path}`);
    }
    await runAll(service.forget ?? [], system);
  }
  const hadLine = service.crontab ? await removeFromCrontabs(service.crontab, system) : false;
  return found.length > 0 || isOn || hadLine;
}

/** Whether a service works. */
export type Finding =
  | { works: true }
  /**
   * `problem` is the end of a sentence about the server or the ping; `said` is what dynip said last,
   * empty if nothing is known of it.
   */
  | { works: false; problem: string; said: string; exitCode: ExitCode };

/** Waits until the server listens on its UDP port, or is known not to. */
export async function checkServer(
  service: Service,
  port: number,
  system: System,
): Promise<Finding> {
  const { check } = service;
  const since = system.now();
  let problem = "its state is not known";
  for (const deadline = since + SERVER_MS; system.now() < deadline; await system.sleep(POLL_MS)) {
    const state = await stateOf(check, system);
    if (state?.kind === "ended") return await failed(service, state.exitCode, since, system);
    if (state?.kind !== "running") continue;
    if (await isListening(check, state.pid, port, system)) return { works: true };
    problem = `it runs and does not listen on UDP port ${port}`;
  }
  const said = await saidBy(check, since, system);
  return { works: false, problem, said, exitCode: EXIT.install };
}

/**
 * Pings once, as the scheduler does, and waits for the end.
 * @param wasStarted whether the service was started a moment ago
 * @throws UserError (exit code 10) if the scheduler refuses to ping
 */
export async function checkPing(
  service: Service,
  wasStarted: boolean,
  system: System,
): Promise<Finding> {
  const { check } = service;
  const since = system.now();
  const before = runOf(await stateOf(check, system));
  if (wasStarted && check.startPings) return await lastPing(service, { since }, system);
  const start = await sayAndRun(check.ping!, system);
  if (check.state) return await lastPing(service, { since, before, start }, system);
  if (start.exitCode === 0) return { works: true };
  return { ...failure(start.exitCode), said: messageIn(start.stderr) };
}

/** What was known when a ping was started. */
interface Started {
  since: number;
  /** The run of the ping before, if the scheduler tells runs apart. */
  before?: string | undefined;
  /** The command that started it; undefined if the start of the service did. */
  start?: Outcome;
}

async function lastPing(
  service: Service,
  { since, before, start }: Started,
  system: System,
): Promise<Finding> {
  const { check } = service;
  const refusal = start?.exitCode === 0 ? undefined : start;
  const deadline = system.now() + (refusal ? REFUSED_MS : PING_MS);
  let problem = "it has not ended";
  for (; system.now() < deadline; await system.sleep(POLL_MS)) {
    const state = await stateOf(check, system);
    // Busy although the command has failed: the timer has started the next ping meanwhile.
    if (state?.kind === "busy") continue;
    const isNew =
      state?.kind === "ended" && (!start || state.run === undefined || state.run !== before);
    if (isNew && state.exitCode === 0) return { works: true };
    if (isNew) return await failed(service, state.exitCode, since, system);
    if (refusal) throw commandFailed(check.ping!, refusal);
    problem = "its result is not known";
    if (!state) break;
  }
  if (refusal) throw commandFailed(check.ping!, refusal);
  return {
    works: false,
    problem,
    said: await saidBy(check, since, system),
    exitCode: EXIT.install,
  };
}

/** A server starts within a second, and some machines are slow. */
const SERVER_MS = 20_000;
/** As long as the schedulers let a ping run, and a little more. */
const PING_MS = 250_000;
/** As long as one more ping may take. */
const REFUSED_MS = 60_000;
const POLL_MS = 100;

/** Whether a server runs that has another program, or has read another configuration. */
async function isServerOld(
  { check, configCopy, programOf }: Service,
  { config, program, isProgramNew }: Installing,
  system: System,
): Promise<boolean> {
  // A ping is a new process each time.
  if (check.ping) return false;
  if (isProgramNew) return true;
  const copy = configCopy && (await system.read(configCopy))?.text;
  if (copy !== undefined && copy !== config) return true;
  const state = await stateOf(check, system);
  if (state?.kind !== "running" || !programOf) return false;
  const { exitCode, stdout } = await system.run(programOf(state.pid));
  return exitCode === 0 && stdout.trim() !== program;
}

async function writeFiles({ files }: Service, system: System): Promise<boolean> {
  let isAnyNew = false;
  for (const { path, text, mode } of files) {
    const old = await system.read(path);
    if (old?.text === text && old.mode === mode) continue;
    await system.write(path, text, mode);
    await system.say(old ? `Replaced ${path}` : `Wrote ${path}`);
    isAnyNew = true;
  }
  return isAnyNew;
}

async function isStarted({ started }: Service, system: System): Promise<boolean> {
  for (const command of started) if ((await system.run(command)).exitCode !== 0) return false;
  return true;
}

async function stop(service: Service, system: System): Promise<void> {
  await runAll(service.stop, system);
  // launchctl comes back earlier.
  for (const deadline = system.now() + SERVER_MS; system.now() < deadline;) {
    if (!(await isStarted(service, system))) return;
    await system.sleep(POLL_MS);
  }
}

async function runAll(commands: readonly Command[], system: System): Promise<void> {
  for (const command of commands) {
    const outcome = await sayAndRun(command, system);
    if (outcome.exitCode !== 0) throw commandFailed(command, outcome);
  }
}

async function sayAndRun(command: Command, system: System): Promise<Outcome> {
  await system.say(`Running ${command.join(" ")}`);
  return await system.run(command);
}

function commandFailed(command: Command, { exitCode, stdout, stderr }: Outcome) {
  const said = lineOf(stderr.trim() || stdout.trim());
  return cannot("run", command.join(" "), said || `exit code ${exitCode}`, {
    exitCode: EXIT.install,
    hint: "what was done before it is said above; the same command goes on from there",
  });
}

async function addToCrontab(crontabLine: CrontabLine, system: System): Promise<boolean> {
  const { user } = crontabLine;
  const old = await readCrontab(user, system);
  const text = addLine(old, crontabLine);
  if (text === old) return false;
  await writeCrontab(user, text, system);
  await system.say(`Added to the crontab of ${user ?? "root"}: ${crontabLine.line}`);
  return true;
}

/** Removes the line from every crontab that has it: the configuration's owner may have changed. */
async function removeFromCrontabs(line: CrontabLine, system: System): Promise<boolean> {
  const users = new Set<string>();
  for (const folder of line.folders) {
    for (const user of await system.list(folder)) users.add(user);
  }
  let isAny = false;
  for (const user of users) {
    const old = await readCrontab(user, system);
    const text = removeLine(old, line);
    if (text === old) continue;
    if (text === "") await must(crontab(user, "-r"), system);
    else await writeCrontab(user, text, system);
    await system.say(`Removed the line from the crontab of ${user}`);
    isAny = true;
  }
  return isAny;
}

/** Empty if the user has none. */
async function readCrontab(user: string | undefined, system: System): Promise<string> {
  const command = crontab(user, "-l");
  const outcome = await system.run(command);
  if (outcome.exitCode === 0) return outcome.stdout;
  // Debian's words, and BusyBox's.
  if (/no crontab for|no such file/i.test(outcome.stderr)) return "";
  throw commandFailed(command, outcome);
}

async function writeCrontab(user: string | undefined, text: string, system: System): Promise<void> {
  await must(crontab(user, "-"), system, text);
}

async function must(command: Command, system: System, input?: string): Promise<void> {
  const outcome = await system.run(command, input);
  if (outcome.exitCode !== 0) throw commandFailed(command, outcome);
}

function noDaemon({ started }: Service) {
  return cannot("ping every 5 minutes", undefined, "no cron daemon runs", {
    exitCode: EXIT.install,
    hint: `start it, so that "${started[0]!.join(" ")}" finds it; the line is in the crontab`,
  });
}

async function stateOf({ state }: Check, system: System): Promise<State | undefined> {
  if (!state) return undefined;
  const { exitCode, stdout } = await system.run(state.command);
  return exitCode === 0 ? state.read(stdout) : undefined;
}

function runOf(state: State | undefined): string | undefined {
  return state?.kind === "ended" ? state.run : undefined;
}

async function isListening(
  { listens }: Check,
  pid: number,
  port: number,
  system: System,
): Promise<boolean> {
  if (!listens) return true;
  const { commands, read } = listens(pid, port);
  const outputs = [];
  for (const command of commands) outputs.push((await system.run(command)).stdout);
  return read(outputs);
}

async function failed(
  { check }: Service,
  exitCode: number | undefined,
  since: number,
  system: System,
): Promise<Finding> {
  return { ...failure(exitCode), said: await saidBy(check, since, system) };
}

function failure(exitCode: number | undefined): Omit<Finding & { works: false }, "said"> {
  const name = (Object.keys(EXIT) as ExitName[]).find((one) => EXIT[one] === exitCode);
  if (name === undefined || name === "ok") {
    const problem = exitCode === undefined ? "it could not be run" : `it ended with ${exitCode}`;
    return { works: false, problem, exitCode: EXIT.install };
  }
  const problem = `it ended with ${exitCode}: ${EXIT_MEANINGS[name]}`;
  return { works: false, problem, exitCode: EXIT[name] };
}

async function saidBy({ said }: Check, since: number, system: System): Promise<string> {
  let text = "";
  for (const command of said?.(Math.floor(since / 1000)) ?? []) {
    text = (await system.run(command)).stdout;
  }
  return messageIn(text);
}

/** The last error of dynip in its log, with its hint; else all of the log, which the scheduler wrote. */
function messageIn(text: string): string {
  const own = [...text.matchAll(/\berror: .*(?:\n.*\bhint: .*)?/g)].at(-1)?.[0];
  return lineOf((own ?? text).trim());
}

/** A message is one line. */
function lineOf(text: string): string {
  return text.replace(/\s*\n\s*/g, "; ");
}
