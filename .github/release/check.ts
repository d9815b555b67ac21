/**
 * `bun run release:check`: checks whether the repository in the current folder can be tagged as a
 * release. Prints each problem with a hint, and exits 1 when there is any.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { changelogEntry } from "./changelog.ts";
import { git } from "./source.ts";

const root = process.cwd();
const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
const tag = `v${version}`;
const entry = changelogEntry(await readFile(join(root, "CHANGELOG.md"), "utf8"), version);

/** The checks in their order. Each resolves to a problem, or to undefined when it passes. */
const CHECKS: readonly [what: string, problem: () => Promise<Problem | undefined>][] = [
  [
    `CHANGELOG.md has a dated entry for ${version}`,
    async () => {
      const hint = `write the heading "## ${version} (YYYY-MM-DD)" with the day of the release`;
      if (!entry) return { problem: `CHANGELOG.md has no entry for ${version}`, hint };
      if (!entry.date) return { problem: `CHANGELOG.md has no date for ${version}`, hint };
      if (entry.notes) return undefined;
      return {
        problem: `CHANGELOG.md has no text for ${version}`,
        hint: "write what is new in this version",
      };
    },
  ],
  [
    "the working tree is clean",
    async () => {
      const status = await git(root, "status", "--porcelain");
      if (status === "") return undefined;
      if (status === undefined) {
        return {
          problem: "The current folder is not a git repository",
          hint: "clone the repository",
        };
      }
      return {
        problem: `The working tree differs from its commit:\n${status}`,
        hint: "commit the changes or remove them: the release is built from the tagged commit",
      };
    },
  ],
  [
    `there is no tag ${tag}`,
    async () =>
      (await git(root, "tag", "--list", tag)) === ""
        ? undefined
        : { problem: `The tag ${tag} already exists`, hint: "raise the version in package.json" },
  ],
  [
    "bun.lock matches package.json",
    () => bun(["install", "--frozen-lockfile"], 'run "bun install", and commit bun.lock'),
  ],
  [
    "all files are formatted",
    () => bun(["fmt", "--check"], 'run "bun fmt", and commit the changes'),
  ],
  [
    "the types are right",
    () => bun(["check", "--no-script"], 'run "bun check --no-script" to see all errors'),
  ],
];

let isReady = true;
for (const [what, check] of CHECKS) {
  const wrong = await check();
  if (wrong) {
    isReady = false;
    console.error(`error: ${wrong.problem}\nhint: ${wrong.hint}`);
  } else console.log(`ok: ${what}`);
}
if (isReady) {
  console.log(`Ready: git tag -a ${tag} -m "dynip ${version}" && git push origin ${tag}`);
} else process.exitCode = 1;

interface Problem {
  problem: string;
  /** What to do about it. */
  hint: string;
}

/** Runs a command of Bun. When it fails, the problem is its output. */
async function bun(args: string[], hint: string): Promise<Problem | undefined> {
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: root,
    stdin: "ignore",
    stderr: "pipe",
    timeout: 120_000,
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  if (exitCode === 0) return undefined;
  return { problem: `"bun ${args.join(" ")}" fails:\n${(stdout + stderr).trim()}`, hint };
}
