/** Makes each file operation of a client log's life fail, once or until the disk is healed. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { UserError } from "../../src/system/errors.ts";
import { temporaryFolder } from "../temporary.ts";
import { isLog, LOG, restart } from "./check.ts";
import { type Contents, Disk, systemError } from "./disk.ts";
import { count, type Outcome, outcome, type Progress } from "./outcome.ts";
import { type Life, live } from "./scenario.ts";
import { START } from "./starts.ts";

export const CODES = ["EIO", "ENOSPC", "EACCES"] as const;

/** @param every n > 1: only every n-th operation fails; the seed decides which */
export async function refusals(
  codes: readonly (typeof CODES)[number][],
  progress: Progress,
  { seed, every }: { seed: number; every: number } = { seed: 0, every: 1 },
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const unhandled: string[] = [];
  const onUnhandled = (error: unknown) => void unhandled.push(`unhandled: ${String(error)}`);
  process.on("unhandledRejection", onUnhandled);
  try {
    for (const code of codes) {
      for (const [name, start] of Object.entries(START)) {
        for (const isForGood of [false, true]) {
          const when = isForGood ? "until it is healed" : "once";
          const into = outcome(`${code} at each file operation ${when}, ${name}`);
          let last = Number.MAX_SAFE_INTEGER;
          for (let index = 1 + (seed % every); index <= last; index += every) {
            await using folder = await temporaryFolder();
            const known = await start(folder.path);
            const before = await filesIn(folder.path);
            let isHealed = false;
            let failed = 0;
            let failedLate = false;
            const disk = new Disk(folder.path, [...before.keys()], (at) => {
              const fails = isForGood ? at >= index && !isHealed : at === index;
              if (fails) failed++;
              if (fails && isHealed) failedLate = true;
              return fails ? systemError(code) : undefined;
            });
            const life = await live(folder.path, disk, known, () => (isHealed = true));
            const left = await filesIn(folder.path);
            const wrong = [
              ...life.premature,
              ...complaints(life, failedLate),
              ...unhandled.splice(0),
            ];
            if (life.openError !== undefined && !same(before, left)) {
              wrong.push("a start that failed changed something");
            }
            if (!isLog(left.get(LOG))) wrong.push("the log is damaged");
            if (left.has(`${LOG}.lock`)) wrong.push("the lock is left");
            if (disk.openHandles !== 0) wrong.push(`${disk.openHandles} handles left open`);
            wrong.push(...(await restart(left, life.acknowledged)));
            count(into, `operation ${index}, ${disk.operations[index - 1] ?? "none"}`, wrong);
            if (failed === 0) last = index;
            progress(index, disk.operations.length);
          }
          Bun.gc(true); // Bun ends the process when it collects a handle that is still open
          outcomes.push(into);
        }
      }
    }
    await Bun.sleep(0); // a rejection counts as unhandled at the end of its turn
  } finally {
    process.off("unhandledRejection", onUnhandled);
  }
  if (unhandled.length > 0)
    outcomes.push({ ...outcome("no unhandled rejection"), lost: unhandled });
  return outcomes;
}

/**
 * Returns what went wrong in a life.
 * @param failedLate the disk failed at the very end, when there was no time left to recover
 */
function complaints(life: Life, failedLate: boolean): string[] {
  const { log, openError, closeError, refusedInTheEnd } = life;
  const wrong: string[] = [];
  for (const error of [openError, closeError]) {
    if (error === undefined) continue;
    if (!(error instanceof UserError) || error.exitCode !== 2) wrong.push(`threw ${String(error)}`);
  }
  if (refusedInTheEnd.length > 0 && !failedLate) wrong.push(`does not recover: ${refusedInTheEnd}`);
  const said = log.lines.filter((line) => /^(error|warn)/.test(line));
  for (const part of ["the journal of ", ""]) {
    const errors = said.filter((line) => line.startsWith(`error: Cannot write ${part}client log`));
    const ends = said.filter((line) => line.startsWith(`warn: ${part}client log`));
    if (errors.length > 1) wrong.push(`said ${errors.length} times: ${errors[0]}`);
    if (ends.length !== errors.length && !failedLate) {
      wrong.push(`said ${ends.length} times to be written again`);
    }
  }
  return wrong;
}

async function filesIn(folder: string): Promise<Contents> {
  const contents: Contents = new Map();
  for (const name of await readdir(folder)) contents.set(name, await readFile(join(folder, name)));
  return contents;
}

function same(a: Contents, b: Contents): boolean {
  return a.size === b.size && [...a].every(([name, bytes]) => b.get(name)?.equals(bytes));
}
