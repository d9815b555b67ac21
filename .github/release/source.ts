/** Which state of the source a build is of. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { version } from "../../package.json";
import { changelogEntry } from "./changelog.ts";

export interface Source {
  /** The commit's first seven digits, `-dirty` behind them where tracked files differ from it. */
  commit: string | undefined;
  /**
   * Seconds since 1970: `SOURCE_DATE_EPOCH` where it is set, else the commit's time; outside git
   * the version's date in CHANGELOG.md, and 1980 where it has none.
   */
  time: number;
}

/** The commit of a repository's top folder, and its time; outside git there is none. */
export async function sourceOf(
  root: string,
  { SOURCE_DATE_EPOCH: given }: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Source> {
  // A copy of the source may lie inside some other repository, of which it is no commit.
  const [prefix, commit] =
    (await git(root, "rev-parse", "--show-prefix", "HEAD"))?.split("\n") ?? [];
  if (prefix !== "" || !commit) {
    return { commit: undefined, time: epoch(given ?? (await releaseTime(root))) };
  }
  const isClean = (await git(root, "status", "--porcelain", "--untracked-files=no")) === "";
  return {
    // Not git's own abbreviation: how long that is depends on what else the clone has.
    commit: commit.slice(0, 7) + (isClean ? "" : "-dirty"),
    time: epoch(given ?? (await git(root, "log", "-1", "--format=%ct")) ?? EARLIEST),
  };
}

/** What `dynip --version` says of a build beside the version. */
export function buildName({ commit }: Source, target: string): string {
  return `${commit ?? "unknown commit"}, ${target}`;
}

/** What git prints of a repository; undefined where it fails, or is not there. */
export async function git(root: string, ...args: string[]): Promise<string | undefined> {
  try {
    const run = Bun.spawn(["git", ...args], { cwd: root, stderr: "ignore", timeout: 10_000 });
    const output = await run.stdout.text();
    return (await run.exited) === 0 ? output.trimEnd() : undefined;
  } catch {
    return undefined;
  }
}

/** 1980, before which a zip archive knows no time. */
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
