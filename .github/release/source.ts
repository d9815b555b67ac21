/** Finds out which commit a build is made from, and the commit's time. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { version } from "../../package.json";
import { changelogEntry } from "./changelog.ts";

export interface Source {
  /**
   * The first seven digits of the commit, with `-dirty` appended when tracked files differ from it.
   * Undefined outside git.
   */
  commit: string | undefined;
  /**
   * Seconds since 1970: `SOURCE_DATE_EPOCH` if set, otherwise the commit's time. Outside git it is
   * the date of the version in CHANGELOG.md, or 1980 before the release.
   */
  time: number;
}

/**
 * The commit and the time of a source.
 * @param root the top folder of the repository
 * @throws Error when `SOURCE_DATE_EPOCH` is not a time
 */
export async function sourceOf(
  root: string,
  { SOURCE_DATE_EPOCH: given }: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Source> {
  // A copy of the source can lie in another repository, whose commit must not be taken for its own.
  const [prefix, commit] =
    (await git(root, "rev-parse", "--show-prefix", "HEAD"))?.split("\n") ?? [];
  if (prefix !== "" || !commit) {
    return { commit: undefined, time: epoch(given ?? (await releaseTime(root))) };
  }
  const isClean = (await git(root, "status", "--porcelain", "--untracked-files=no")) === "";
  return {
    // git's own abbreviation has another length in a clone with more objects.
    commit: commit.slice(0, 7) + (isClean ? "" : "-dirty"),
    time: epoch(given ?? (await git(root, "log", "-1", "--format=%ct")) ?? EARLIEST),
  };
}

/** The build in the output of `dynip --version`: commit and target. */
export function buildName({ commit }: Source, target: string): string {
  return `${commit ?? "unknown commit"}, ${target}`;
}

/** Runs git in a repository. Resolves to its output; to undefined when it fails or is missing. */
export async function git(root: string, ...args: string[]): Promise<string | undefined> {
  try {
    const run = Bun.spawn(["git", ...args], { cwd: root, stderr: "ignore", timeout: 10_000 });
    const output = await run.stdout.text();
    return (await run.exited) === 0 ? output.trimEnd() : undefined;
  } catch {
    return undefined;
  }
}

/** 1980-01-01, the earliest time in a zip archive. */
const EARLIEST = "315532800";

async function releaseTime(root: string): Promise<string> {
  const changelog = await readFile(join(root, "CHANGELOG.md"), "utf8");
  const date = changelogEntry(changelog, version)?.date;
  return date === undefined ? EARLIEST : String(Date.parse(date) / 1000);
}

function epoch(text: string): number {
  if (!/^\d{1,10}$/.test(text)) {
    throw new Error(`SOURCE_DATE_EPOCH is "${text}", must be seconds since 1970`);
  }
  return Math.max(Number(text), Number(EARLIEST));
}
