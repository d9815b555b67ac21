/**
 * `bun run release:check`, before a release is tagged: says what of the current folder's repository
 * is not ready and what to do about it, and exits 1 where anything is not.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { changelogEntry } from "./changelog.ts";
import { git } from "./source.ts";

const root = process.cwd();
const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
const tag = `v${version}`;
const entry = changelogEntry(await readFile(join(root, "CHANGELOG.md"), "utf8"), version);

/** What must hold, in order: each is a promise of what is wrong, or of undefined. */
const CHECKS: readonly [what: string, problem: () => Promise<Problem | undefined>][] = [
  [
    `CHANGELOG.md has a dated entry for ${version}`,
    async () => {
      const hint = `begin what is new with the line "## ${version} (YYYY-MM-DD)", today's date`;
      if (!entry) return { problem: `CHANGELOG.md has no entry for ${version}`, hint };
      if (!entry.date) return { problem: `CHANGELOG.md has no date for ${version}`, hint };
      if (entry.notes) return undefined;
      return { problem: `CHANGELOG.md says nothing of ${version}`, hint: "write what is new" };
    },
  ],
  [
    "the working tree is clean",
    async () => {
      const status = await git(root, "status", "--porcelain");
      if (status === "") return undefined;
      if (status === undefined) return { problem: "This is no git repository", hint: "clone it" };
      return {
        problem: `The working tree differs from its commit:\n${status}`,
        hint: "commit it, or remove it: what is tagged is what is built",
      };
    },
  ],
  [
    `there is no tag ${tag} yet`,
    async () =>
      (await git(root, "tag", "--list", tag)) === ""
        ? undefined
        : { problem: `The tag ${tag} is there already`, hint: "raise version in package.json" },
  ],
  [
    "bun.lock is what package.json asks for",
    () => bun(["install", "--frozen-lockfile"], "bun install, and commit bun.lock"),
  ],
  ["the format", () => bun(["fmt", "--check"], "bun fmt, and commit what it changed")],
  ["the types", () => bun(["check", "--no-script"], "bun check --no-script shows them all")],
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

/** Runs a command of Bun's own; what it prints is the problem where it fails. */
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
