/** Temporary git repositories, independent of the user's git configuration. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { outputOf } from "../processes.ts";
import { temporaryFolder } from "../temporary.ts";

/** The time of every commit, in seconds since 1970. */
export const TIME = Date.UTC(2026, 10, 22, 17, 20, 34) / 1000;

/** A new repository with one commit of these files. */
export async function repository(files: Readonly<Record<string, string>>) {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(folder.file(name)), { recursive: true });
    await writeFile(folder.file(name), text);
  }
  await git(folder.path, "init", "--quiet");
  await commitAll(folder.path);
  return { ...folder, git: (...args: string[]) => git(folder.path, ...args) };
}

/** Commits all changes. */
export async function commitAll(path: string): Promise<void> {
  await git(path, "add", "--all");
  await git(path, "commit", "--quiet", "--message", "x");
}

/** Runs git. Resolves to its output. */
async function git(path: string, ...args: string[]): Promise<string> {
  const date = `${TIME} +0000`;
  const output = await outputOf(["git", "-c", "core.autocrlf=false", ...args], {
    cwd: path,
    env: {
      ...process.env,
      GIT_CONFIG_GLOBAL: process.platform === "win32" ? "NUL" : "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "x",
      GIT_AUTHOR_EMAIL: "x@example.com",
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: "x",
      GIT_COMMITTER_EMAIL: "x@example.com",
      GIT_COMMITTER_DATE: date,
    },
  });
  return output.trimEnd();
}
