/** Cuts the power at each file operation of a client log's life. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { temporaryFolder } from "../temporary.ts";
import { Random } from "../fuzz/random.ts";
import { isLog, LOG, restart } from "./check.ts";
import { type Contents, Disk, type Luck, systemError } from "./disk.ts";
import { count, type Outcome, outcome, type Progress } from "./outcome.ts";
import { type Life, live, liveAndForget } from "./scenario.ts";
import { START } from "./starts.ts";

export interface PowerCuts {
  lucks: number;
  seed: number;
  /** n > 1: cuts only at every n-th operation; the seed decides which. */
  every?: number;
  /** See {@link Disk.cut}. */
  isOrdered?: boolean;
  /** The names of the states that the folder begins in, see starts.ts. */
  starts?: readonly string[];
  /** What happens until the power is cut, and its name. */
  life?: typeof live;
  what?: string;
}

/** Cuts the power while two hosts are forgotten. */
export const FORGETTING = { life: liveAndForget, what: " while hosts are forgotten" } as const;

/**
 * Cuts the power at each operation in turn, then starts on what is left: with everything that was
 * written (a killed process), without anything unsynced, and `lucks` times with a part of that.
 */
export async function powerCuts(
  {
    lucks,
    seed,
    every = 1,
    isOrdered = true,
    starts = Object.keys(START),
    life = live,
    what = "",
  }: PowerCuts,
  progress: Progress,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const name of starts) {
    const start = START[name]!;
    const killed = outcome(`killed at each file operation${what}, ${name}`);
    const cut = outcome(`power cut at each file operation${what}, ${name}`);
    let last = Number.MAX_SAFE_INTEGER;
    for (let index = 1 + (seed % every); index <= last; index += every) {
      await using folder = await temporaryFolder();
      const known = await start(folder.path);
      const disk: Disk = new Disk(folder.path, await readdir(folder.path), (at) => {
        if (at < index) return undefined;
        disk.powerOff();
        return systemError("EIO");
      });
      const lived = await life(folder.path, disk, known, () => {});
      const at = `operation ${index}, ${disk.operations[index - 1] ?? "none"}`;
      count(killed, at, [...lived.premature, ...(await check(await filesIn(folder.path), lived))]);
      const tries: [string, Luck][] = [
        ["nothing unsynced kept", "none"],
        ["removals alone kept", "removals"],
      ];
      for (let i = seed; i < seed + lucks; i++) tries.push([`seed ${i}`, new Random(i)]);
      for (const [which, luck] of tries) {
        const left = disk.cut(luck, isOrdered);
        count(cut, `${at}, ${which}`, await check(left, lived));
      }
      // With fewer operations than the index, nothing was cut: every operation has had its turn.
      if (disk.operations.length < index) last = index;
      progress(index, disk.operations.length);
    }
    outcomes.push(killed, cut);
  }
  return outcomes;
}

async function check(left: Contents, { acknowledged, forgotten }: Life): Promise<string[]> {
  const wrong = isLog(left.get(LOG)) ? [] : ["the log is damaged"];
  return [...wrong, ...(await restart(left, acknowledged, forgotten))];
}

/** The files that a killed process leaves. */
async function filesIn(folder: string): Promise<Contents> {
  const contents: Contents = new Map();
  for (const name of await readdir(folder)) {
    if (!name.endsWith(".lock")) contents.set(name, await readFile(join(folder, name)));
  }
  return contents;
}
