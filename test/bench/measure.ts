/** The types of measures and of the rows that they report. */
import type { ClientLogs } from "./client-logs.ts";
import type { Programs } from "./programs.ts";

/** What a measure is run with. */
export interface Bench {
  /** Compiles the programs of test/bench/programs. */
  readonly programs: Programs;
  readonly clientLogs: ClientLogs;
  /** Reports progress. */
  progress(text: string): void;
}

/** Measures something and returns rows of the report. Each round runs all sides. */
export type Measure = (bench: Bench) => Promise<Row[]>;

export type Unit =
  "/s" | "ms" | "µs" | "bytes" | "MB" | "times" | "datagrams" | "flushes" | "clients";

/** The samples of one side, one for each round. */
export interface Side {
  readonly name: string;
  readonly unit: Unit;
  readonly samples: readonly number[];
}

/** The figure that a result has to reach. */
export interface Bar {
  readonly at: "least" | "most";
  readonly value: number;
}

export interface MeasuredRow {
  /** For example `plain pings, 1,000 hosts`. */
  readonly what: string;
  /** The number of hosts that the server knows, in measures that vary it. */
  readonly hosts?: number;
  readonly dynip: Side;
  /** What dynip is compared with, if anything. */
  readonly reference?: Side;
  /** What the bar applies to: a ratio, or dynip's own figure. One sample per round. */
  readonly result: { readonly unit: Unit; readonly samples: readonly number[] };
  readonly bar?: Bar;
  /** Sentences below the table. */
  readonly notes?: readonly string[];
}

export interface SkippedRow {
  readonly what: string;
  /** Why it was not measured. */
  readonly skipped: string;
}

export type Row = MeasuredRow | SkippedRow;

/** The factor by which a result is better than its bar: 1 or more where the bar is met. */
export function timesBetter({ at, value }: Bar, result: number): number {
  return at === "least" ? result / value : value / result;
}

export function isMet({ at, value }: Bar, result: number): boolean {
  return at === "least" ? result >= value : result <= value;
}
