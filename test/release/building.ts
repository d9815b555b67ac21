/** Runs `build.ts` in a copy of the source. */
import { cp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runProcess, type RunResult } from "../processes.ts";

const ROOT = join(import.meta.dir, "..", "..");

/** The time that a test with a build may take. */
export const DEADLINE_MS = 120_000;

/** The files that a build reads: without git, and without what only development needs. */
const SOURCE = [
  ".github/release",
  "build.ts",
  "bun.lock",
  "CHANGELOG.md",
  "dist/.gitignore",
  "LICENSE",
  "node_modules/bun-types/docs/project",
  "node_modules/bun/package.json",
  "node_modules/citty",
  "node_modules/consola",
  "node_modules/smol-toml",
  "package.json",
  "README.md",
  "src",
  "tsconfig.json",
];

/** Copies the source to a folder. */
export async function copySource(folder: string): Promise<void> {
  for (const path of SOURCE) await cp(join(ROOT, path), join(folder, path), { recursive: true });
}

/**
 * Runs a build script to its end.
 * @param options `bun`: the Bun that runs it; `env`: variables to change in its environment
 */
export function runBuild(
  script: string,
  args: readonly string[],
  options: { bun?: string; env?: Readonly<Record<string, string | undefined>> } = {},
): Promise<RunResult> {
  return runProcess([options.bun ?? process.execPath, script, ...args], {
    cwd: tmpdir(), // a build must not depend on the current folder
    env: { ...process.env, SOURCE_DATE_EPOCH: undefined, ...options.env },
    deadline: DEADLINE_MS,
  });
}
