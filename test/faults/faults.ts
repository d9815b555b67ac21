/**
 * `bun run faults`: kills, power cuts and disk errors around a client log. No acknowledged ping may be
 * lost. Prints a table; exits with 1 when one was.
 *
 * `FAULT_CYCLES` is the number of kills, by default 200; `FAULT_SEED` repeats a run.
 */
import { fullDisk } from "./full-disk.ts";
import { kills } from "./kills.ts";
import { noticeFaults } from "./notices.ts";
import { type Outcome, type Progress, table } from "./outcome.ts";
import { FORGETTING, powerCuts } from "./power-cuts.ts";
import { readOnlyFolder } from "./read-only.ts";
import { CODES, refusals } from "./refusals.ts";
import { SIZES, tornPages } from "./torn-pages.ts";

const cycles = number("FAULT_CYCLES", 200);
const seed = number("FAULT_SEED", Math.floor(Math.random() * 2 ** 31));
console.log(`FAULT_CYCLES=${cycles} FAULT_SEED=${seed}`);

const outcomes: Outcome[] = [];
for (const [what, run] of [
  ["kill -9", (progress: Progress) => kills({ cycles, seed }, progress)],
  ["power cuts", (progress: Progress) => powerCuts({ lucks: 10, seed }, progress)],
  [
    "power cuts while a host is forgotten",
    (progress: Progress) => powerCuts({ lucks: 10, seed, ...FORGETTING }, progress),
  ],
  [
    "pages that are missing",
    (progress: Progress) => tornPages({ sizes: SIZES, images: 256, seed }, progress),
  ],
  ["a disk that refuses", (progress: Progress) => refusals(CODES, progress)],
  ["notices", (progress: Progress) => noticeFaults({ lucks: 5, seed }, progress)],
  ["a full disk", fullDisk],
  ["a read-only folder", readOnlyFolder],
] as [string, (progress: Progress) => Promise<Outcome[]>][]) {
  const start = performance.now();
  let shown = 0;
  const found = await run((done, of) => {
    const isTerminal = process.stderr.isTTY;
    if (performance.now() - shown < (isTerminal ? 100 : 5000)) return;
    shown = performance.now();
    process.stderr.write(
      `${isTerminal ? "\r\x1b[K" : ""}${what}: ${done} of ${of}${isTerminal ? "" : "\n"}`,
    );
  });
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.error(`${what}: done in ${seconds} s`);
  outcomes.push(...found);
}

console.log(`\n${table(outcomes)}`);
const lost = outcomes.flatMap((each) => each.lost);
for (const line of lost.slice(0, 50)) console.log(`lost: ${line}`);
if (lost.length > 50) console.log(`lost: and ${lost.length - 50} more`);
process.exit(lost.length > 0 ? 1 : 0);

function number(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === "") return otherwise;
  if (!/^[1-9]\d{0,9}$/.test(text)) {
    console.error(`${name} is "${text}", must be a number from 1`);
    process.exit(1);
  }
  return Number(text);
}
