/** Runs a target and collects its findings. */
import { Finding, type Target, type TargetKind } from "./target.ts";

/** The result of a target's run. */
export interface Outcome {
  readonly name: string;
  readonly inputs: number;
  readonly milliseconds: number;
  /** The first input that broke each promise. */
  readonly findings: readonly Finding[];
  /** The bytes by which the process has grown since the warm-up. */
  readonly growth: number;
}

/** The first limit that is reached ends the run. */
export interface Limits {
  readonly inputs?: number;
  readonly milliseconds?: number;
}

/** The number of findings that ends a run, since one mistake is found again and again. */
const MAX_FINDINGS = 20;

/** The part of a run that is warm-up, until code is compiled and memory has its size. */
const WARM = 0.2;

/**
 * Runs a target within its limits. After a finding, the target is made anew with another seed.
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
  let before = 0; // inputs of the targets before this one
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

/** The memory of the process in bytes, after garbage collection. */
export function memory(): number {
  Bun.gc(true);
  return process.memoryUsage.rss();
}

function seedOf({ name }: TargetKind, seed: number, found: number): number {
  return Bun.hash.crc32(`${name} ${seed} ${found}`);
}
