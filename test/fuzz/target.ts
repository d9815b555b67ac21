/** The types of fuzz targets and of their findings. */

/** A part of dynip that mutated inputs are passed through. Its seed decides everything that it does. */
export interface Target {
  readonly name: string;
  /** The number of inputs tried so far. */
  readonly inputs: number;
  /**
   * Makes and tries `count` inputs.
   * @throws Finding
   */
  run(count: number): void | Promise<void>;
  /**
   * Tries an input that was found earlier.
   * @throws Finding
   */
  try(input: Uint8Array): void | Promise<void>;
  /** Removes the files that it has made. */
  close(): Promise<void>;
}

/** A target that makes and checks its inputs one by one, in memory. */
export abstract class CheckedTarget implements Target {
  abstract readonly name: string;
  inputs = 0;

  run(count: number): void {
    for (let left = count; left > 0; left--) this.try(this.next());
  }

  try(input: Uint8Array): void {
    this.inputs++;
    try {
      this.check(input);
    } catch (error) {
      throw findingOf(error, input);
    }
  }

  async close(): Promise<void> {}

  /** Makes the next input. */
  protected abstract next(): Uint8Array;

  /** Throws when a promise is broken, see {@link must}. */
  protected abstract check(input: Uint8Array): void;
}

/** How a target is made and scheduled. */
export interface TargetKind {
  readonly name: string;
  /** Its part of a run's time; the sum of all targets is 1. */
  readonly share: number;
  /** The number of inputs tried in a row, about 10 ms. */
  readonly batch: number;
  make(seed: number): Target | Promise<Target>;
}

/** An input that breaks a promise. */
export class Finding extends Error {
  readonly input: Uint8Array;

  /** @param input copied, since its memory is reused */
  constructor(promise: string, input: Uint8Array, cause?: unknown) {
    super(promise, { cause });
    this.input = input.slice();
  }
}

/** @throws Error when the promise is broken; {@link findingOf} adds the input */
export function must(condition: unknown, promise: string): asserts condition {
  if (!condition) throw new Broken(promise);
}

/** Makes a finding of what was thrown while `input` was tried. */
export function findingOf(error: unknown, input: Uint8Array): Finding {
  if (error instanceof Finding) return error;
  if (error instanceof Broken) return new Finding(error.message, input, error);
  return new Finding(`no exception but the documented one: ${error}`, input, error);
}

/** Whether two inputs have the same bytes. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && Buffer.compare(one, other) === 0;
}

/** Far longer than any text should take. */
const HANG_MS = 500;

/** Does `work`, which must take less than half a second for any text of 64 KB. */
export function inTime(work: () => void): void {
  if (timeOf(work) < HANG_MS) return;
  const took = timeOf(work); // again, since another program may have kept the machine busy
  must(took < HANG_MS, "no input keeps it busy for half a second");
}

function timeOf(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

class Broken extends Error {}
