/** What is fuzzed, and how it is told that a promise was broken. */

/** One part of dynip under mutated inputs. Its seed decides all that it does. */
export interface Target {
  readonly name: string;
  /** How many inputs it has tried. */
  readonly inputs: number;
  /**
   * Makes and tries so many inputs.
   * @throws Finding
   */
  run(count: number): void | Promise<void>;
  /**
   * Tries this input, as one that was found earlier.
   * @throws Finding
   */
  try(input: Uint8Array): void | Promise<void>;
  /** Removes what it has made outside of memory. */
  close(): Promise<void>;
}

/** A target whose inputs are tried one by one, in memory alone. */
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

/** How a target is made, and how many of its inputs are tried at a stretch. */
export interface TargetKind {
  readonly name: string;
  /** Its part of a run's time; all are 1 together. */
  readonly share: number;
  /** About 10 ms of inputs. */
  readonly batch: number;
  make(seed: number): Target | Promise<Target>;
}

/** An input for which a promise does not hold. */
export class Finding extends Error {
  readonly input: Uint8Array;

  /** @param input copied, since it is in memory that is used again */
  constructor(promise: string, input: Uint8Array, cause?: unknown) {
    super(promise, { cause });
    this.input = input.slice();
  }
}

/** @throws Error when the promise is broken; the target knows the input */
export function must(condition: unknown, promise: string): asserts condition {
  if (!condition) throw new Broken(promise);
}

/** What was thrown while `input` was tried, as a finding. */
export function findingOf(error: unknown, input: Uint8Array): Finding {
  if (error instanceof Finding) return error;
  if (error instanceof Broken) return new Finding(error.message, input, error);
  return new Finding(`no exception but the documented one: ${error}`, input, error);
}

/** Whether two inputs are the same, byte for byte. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && Buffer.compare(one, other) === 0;
}

/** Far longer than a text should take. */
const HANG_MS = 500;

/** Does `work`, which a text of 64 KB must not keep busy for long. */
export function inTime(work: () => void): void {
  if (timeOf(work) < HANG_MS) return;
  const took = timeOf(work); // once more: it may have been another program that was busy
  must(took < HANG_MS, "no input keeps it busy for half a second");
}

function timeOf(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

class Broken extends Error {}
