/**
 * Runs the end-to-end tests on an executable for another system, and reports what failed and what was
 * skipped, and why. Every process that it starts ends with it.
 */
import { existsSync } from "node:fs";
import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { SCHEDULERS } from "../../src/schedule/index.ts";
import { temporaryFolder } from "../temporary.ts";

export const PROJECT = join(import.meta.dir, "..", "..");
/** Relative to the project, with slashes on every system. */
const TESTS = "test/e2e";

/** Tests that are not run, since on this system they would say nothing about dynip. */
export interface LeftOut {
  /** A part of the names of their `describe` and `test`. */
  name: string;
  /** The number of these tests. Another number is a failure, so that the table stays true. */
  count: number;
  why: string;
}

const OWN_PATH = "what is printed names the executable, and not the script that starts it here";

/** The tests to leave out where `DYNIP_BINARY` is a script that starts the executable. */
export const NAMES_THE_EXECUTABLE: readonly LeftOut[] = [
  { name: "what it says to do next can be done", count: 1, why: OWN_PATH },
  { name: "names this binary and the configuration", count: SCHEDULERS.length, why: OWN_PATH },
  { name: "needs root for", count: 2, why: OWN_PATH },
  { name: "is a property list", count: 2, why: OWN_PATH },
  { name: "windows-task is XML", count: 1, why: OWN_PATH },
];

export interface SuiteRun {
  /** The command that starts Bun, without Bun's arguments. */
  bun: string[];
  env: Record<string, string | undefined>;
  leftOut: readonly LeftOut[];
  /** Why some tests skip themselves here. */
  skipsBecause: string;
  /** The file for Bun's report: its path here, and the path that Bun sees. */
  report: { path: string; there: string };
  /**
   * How often a failed test is tried again: 1 where a slow machine sometimes fails one. Bun marks those
   * that then passed with "(attempt 2)".
   */
  retries: number;
  /** The time limit of the run, in minutes; when it is over, the run has failed. */
  minutes: number;
}

/** A run on an executable that a script starts on this system. */
export interface WrappedRun extends Pick<SuiteRun, "leftOut" | "retries" | "minutes"> {
  /** The shell command that starts it. It may make files in `folder`, which is temporary. */
  command: (folder: string) => Promise<string>;
  /** The factor by which tests wait longer; by default 1. */
  patience?: number;
}

/** Runs the suite on such an executable with the Bun of this process, then ends the process. */
export async function runWrapped({ command, patience = 1, ...run }: WrappedRun): Promise<never> {
  let isGood: boolean;
  {
    await using folder = await temporaryFolder();
    const report = folder.file("report.xml");
    isGood = await runSuite({
      ...run,
      bun: [process.execPath],
      env: {
        ...process.env,
        DYNIP_BINARY: await writeWrapper(folder.path, await command(folder.path)),
        DYNIP_TEST_PATIENCE: String(patience),
      },
      skipsBecause: "their names say why",
      report: { path: report, there: report },
    });
  }
  process.exit(isGood ? 0 : 1);
}

/** Runs all tests but those left out. Returns false if a test or the run itself failed. */
export async function runSuite(run: SuiteRun): Promise<boolean> {
  const { bun, env, leftOut, skipsBecause, report, retries, minutes } = run;
  const names = leftOut.map(({ name }) => RegExp.escape(name)).join("|");
  const args = ["test", TESTS, `--retry=${retries}`];
  args.push("--reporter=junit", `--reporter-outfile=${report.there}`);
  await rm(report.path, { force: true });
  if (leftOut.length > 0) args.push("-t", `^(?!.*(?:${names}))`);
  // Detached means a process group of its own, all of which can be killed.
  const child = Bun.spawn([...bun, ...args], {
    cwd: PROJECT,
    env: { ...env, NO_COLOR: "1" },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
    detached: true,
  });
  let ended: string | undefined;
  const endAll = (why?: string): void => {
    ended ??= why;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {} // the group is empty
  };
  const limit = setTimeout(endAll, minutes * 60_000, `not over within ${minutes} minutes`);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, endAll);

  const skipped = new Set<string>(); // Bun names each twice
  const counts = new Map<string, number>();
  const count = (what: string): number => counts.get(what) ?? 0;
  try {
    for await (const line of linesOf(child.stderr)) {
      const [, skip] = /^\(skip\) (.*)/.exec(line) ?? [];
      const [, number, what] = /^ (\d+) (pass|skip|fail|error)s?$/.exec(line) ?? [];
      if (skip !== undefined) skipped.add(skip);
      else if (what !== undefined) counts.set(what, Number(number));
      else if (counts.size === 0) console.error(line);
    }
    await child.exited;
  } finally {
    clearTimeout(limit);
    endAll();
  }
  const skips = await countSkipped(report.path);

  if (skipped.size > 0) console.log(`\nSkipped, ${count("skip")}: ${skipsBecause}`);
  for (const name of skipped) console.log(`  ${name}`);
  if (leftOut.length > 0) console.log(`\nLeft out, ${skips - count("skip")}:`);
  for (const { name, count, why } of leftOut) console.log(`  ${count} of "${name}": ${why}`);
  const failed = count("fail") + count("error");
  console.log(`\n${count("pass")} passed, ${failed} failed, ${skips} skipped`);

  const meant = leftOut.reduce((sum, { count }) => sum + count, 0);
  const problems: [boolean, string | undefined][] = [
    [ended !== undefined, ended],
    [count("pass") === 0, "no test passed"],
    [skips - count("skip") !== meant, `not the ${meant} tests of the table were left out`],
    [child.exitCode !== 0, `bun test ended with ${child.exitCode ?? child.signalCode}`],
  ];
  const problem = problems.find(([isSo]) => isSo);
  if (problem) console.error(`error: ${problem[1]}`);
  return problem === undefined;
}

/** The number of tests that did not run, from the report: Bun's summary does not always have it. */
async function countSkipped(report: string): Promise<number> {
  if (!existsSync(report)) return 0;
  const [, number] =
    /<testsuites [^>]*\bskipped="(\d+)"/.exec(await readFile(report, "utf8")) ?? [];
  return Number(number);
}

/** The path of a file in dist/. Ends this process where there is none. */
export function artefact(name: string): string {
  const path = join(PROJECT, "dist", name);
  if (existsSync(path)) return path;
  return giveUp(`there is no dist/${name}`, '"bun build.ts --all" makes it');
}

/** Ends this process if a program or file is missing, and names the Debian package that has it. */
export function requirePackages(needed: readonly [programOrFile: string, debian: string][]): void {
  const missing = needed.filter(([name]) => {
    return name.startsWith("/") ? !existsSync(name) : Bun.which(name) === null;
  });
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, debian]) => debian))].join(" ");
  giveUp(
    `missing: ${missing.map(([name]) => name).join(", ")}`,
    `on Debian, apt-get install ${packages}`,
  );
}

export function giveUp(problem: string, hint: string): never {
  console.error(`error: ${problem}\nhint: ${hint}`);
  process.exit(1);
}

/** Writes a script that runs `command` into `folder`, which any user may then read. */
async function writeWrapper(folder: string, command: string): Promise<string> {
  await chmod(folder, 0o755);
  const path = join(folder, "dynip");
  await writeFile(path, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  return path;
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest) yield rest;
}
