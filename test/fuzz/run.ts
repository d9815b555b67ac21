/** Runs one target, and keeps what it finds. */
import { Finding, type Target, type TargetKind } from "./target.ts";

/** What came of a target's run. */
export interface Outcome {
  readonly name: string;
  readonly inputs: number;
  readonly milliseconds: number;
  /** The first input for each promise that was broken. */
  readonly findings: readonly Finding[];
  /** By how many bytes the process has grown since the target was warm. */
  readonly growth: number;
}

/** How long: the first that is reached ends the run. */
export interface Limits {
  readonly inputs?: number;
  readonly milliseconds?: number;
}

/** After so many findings a target is given up: the same mistake is found again and again. */
const MAX_FINDINGS = 20;

/** So much of a run is warming up: code is compiled, and memory is what it will be. */
const WARM = 0.2;

/**
 * Runs a target within its limits. After a finding it is made anew, from a seed of its own.
 * @param onProgress called after each batch
 */
export async function runTarget(
  kind: TargetKind,
  seed: number,
  { inputs: maxInputs = Infinity, milliseconds: maxTime = Infinity }: Limits,
  onProgress: (inputs: number, milliseconds: number) => void = () => {},
): Promise<Outcome> {
  const findings = new Map<string, Finding>();
  const start = performance.now();
  let found = 0;
  let before = 0; // inputs of the targets that were given up
  let warm: number | undefined;
  let target = await kind.make(seedOf(kind, seed, found));
  try {
    for (;;) {
      const inputs = before + target.inputs;
      const milliseconds = performance.now() - start;
      onProgress(inputs, milliseconds);
      if (inputs >= maxInputs || milliseconds >= maxTime || found >= MAX_FINDINGS) break;
      if (inputs >= maxInputs * WARM || milliseconds >= maxTime * WARM) warm ??= memory();
      const finding = await runBatch(target, Math.min(kind.batch, maxInputs - inputs));
      if (!finding) continue;
      findings.set(finding.message, findings.get(finding.message) ?? finding);
      before += target.inputs;
      await target.close();
      target = await kind.make(seedOf(kind, seed, ++found));
    }
  } finally {
    await target.close();
  }
  const milliseconds = performance.now() - start;
  const inputs = before + target.inputs;
  const growth = warm === undefined ? 0 : memory() - warm;
  return { name: kind.name, inputs, milliseconds, findings: [...findings.values()], growth };
}

async function runBatch(target: Target, count: number): Promise<Finding | undefined> {
  try {
    await target.run(count);
    return undefined;
  } catch (error) {
    if (error instanceof Finding) return error;
    throw error;
  }
}

/** What the process has in memory, garbage aside. */
export function memory(): number {
  Bun.gc(true);
  return process.memoryUsage.rss();
}

function seedOf({ name }: TargetKind, seed: number, found: number): number {
  return Bun.hash.crc32(`${name} ${seed} ${found}`);
}
