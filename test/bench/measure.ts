/** What a measure is, and what it reports. */
import type { ClientLogs } from "./client-logs.ts";
import type { Programs } from "./programs.ts";

/** What a measure is run with. */
export interface Bench {
  /** Compiles the programs of test/bench/programs. */
  readonly programs: Programs;
  readonly clientLogs: ClientLogs;
  /** Says how far it is. */
  progress(text: string): void;
}

/** Measures something, and reports it in rows. Side by side: each round has all sides. */
export type Measure = (bench: Bench) => Promise<Row[]>;

export type Unit = "/s" | "ms" | "µs" | "bytes" | "MB" | "times" | "datagrams";

/** The samples of one side, one for each round. */
export interface Side {
  readonly name: string;
  readonly unit: Unit;
  readonly samples: readonly number[];
}

/** A figure that was promised. */
export interface Bar {
  readonly at: "least" | "most";
  readonly value: number;
}

export interface MeasuredRow {
  /** In words: `plain pings, 1,000 hosts`. */
  readonly what: string;
  /** How many hosts the server knows, where that is what makes the difference. */
  readonly hosts?: number;
  readonly dynip: Side;
  /** What dynip is compared with; there may be nothing to compare it with. */
  readonly reference?: Side;
  /** What the bar is for: a ratio, or dynip's figure itself. One sample for each round. */
  readonly result: { readonly unit: Unit; readonly samples: readonly number[] };
  readonly bar?: Bar;
  /** What else there is to say, a sentence each. */
  readonly notes?: readonly string[];
}

export interface SkippedRow {
  readonly what: string;
  /** Why it was not measured. */
  readonly skipped: string;
}

export type Row = MeasuredRow | SkippedRow;

/** How many times better than its bar a result is: from 1 up where it is met. */
export function timesBetter({ at, value }: Bar, result: number): number {
  return at === "least" ? result / value : value / result;
}

export function isMet({ at, value }: Bar, result: number): boolean {
  return at === "least" ? result >= value : result <= value;
}
