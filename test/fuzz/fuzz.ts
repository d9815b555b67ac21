/**
 * `bun run fuzz [SECONDS]`: tries mutated datagrams, replies, client logs, journals and
 * configurations for this time, by default 30 s, and reports what broke. `FUZZ_SEED` repeats a run
 * with the same inputs in the same order, as far as the time allows.
 *
 * The targets check the promises: only documented exceptions, no forged acceptance, what parses
 * encodes back to the same bytes, no secret in a message. Here: memory does not grow.
 */
import { textTable } from "../table.ts";
import { memory, type Outcome, runTarget } from "./run.ts";
import { KINDS } from "./targets.ts";

/** More than memory varies by itself, and less than a leak of one byte per input amounts to. */
const MAX_GROWTH = 64e6;

/** The seed chooses the time zone, since a log of DynIP 0.1e has local times. */
const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"];

const USAGE = "usage: bun run fuzz [SECONDS]; FUZZ_SEED=NUMBER repeats a run";

process.exitCode = await main(process.argv.slice(2), process.env["FUZZ_SEED"]);

async function main(args: readonly string[], wantedSeed: string | undefined): Promise<number> {
  const seconds = Number(args[0] ?? 30);
  const seed = Number(wantedSeed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  if (args.length > 1 || !(seconds > 0) || !(Number.isSafeInteger(seed) && seed >= 0)) {
    console.error(USAGE);
    return 1;
  }
  process.env["TZ"] = ZONES[seed % ZONES.length]!;
  console.log(`seed ${seed}, ${seconds} s, time zone ${process.env["TZ"]}`);
  const before = memory();
  const outcomes: Outcome[] = [];
  for (const kind of KINDS) {
    const limits = { milliseconds: seconds * 1000 * kind.share };
    outcomes.push(await runTarget(kind, seed, limits, progress(kind.name)));
  }
  clearLine();
  console.log(table(outcomes));
  console.log(`memory: ${megabytes(before)} before, ${megabytes(memory())} after`);
  let isBroken = false;
  for (const { name, findings, growth } of outcomes) {
    for (const { message, input } of findings) {
      console.log(`\n${name}, seed ${seed}: broken: ${message}\n${input.toHex()}`);
      isBroken = true;
    }
    if (growth <= MAX_GROWTH) continue;
    console.log(`\n${name}, seed ${seed}: broken: memory grew by ${megabytes(growth)}`);
    isBroken = true;
  }
  return isBroken ? 1 : 0;
}

/** Reports the progress of a target on a terminal, at most once a second. */
function progress(name: string): (inputs: number, milliseconds: number) => void {
  if (!process.stdout.isTTY) return () => {};
  let shown = performance.now();
  return (inputs, milliseconds) => {
    if (performance.now() - shown < 1000) return;
    shown = performance.now();
    clearLine();
    process.stdout.write(`${name}: ${whole(inputs)} inputs, ${rate(inputs, milliseconds)}/s`);
  };
}

function clearLine(): void {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
}

function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ name, inputs, milliseconds, findings }) => [
    name,
    whole(inputs),
    rate(inputs, milliseconds),
    String(findings.length),
  ]);
  const head = ["target", "inputs", "inputs/s", "findings"];
  return textTable([head, ...rows], ["left", "right", "right", "right"]);
}

function rate(inputs: number, milliseconds: number): string {
  return whole((inputs / milliseconds) * 1000);
}

function whole(count: number): string {
  return Math.round(count).toLocaleString("en");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
