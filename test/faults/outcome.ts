/** The results of the fault cases, and their table. */
import { textTable } from "../table.ts";

export interface Outcome {
  readonly name: string;
  cycles: number;
  survived: number;
  /** What was lost or went wrong, each with what is needed to repeat it. */
  readonly lost: string[];
  /** Why the case was not run. */
  skipped?: string;
}

/** Reports the progress of a case. */
export type Progress = (done: number, of: number) => void;

export function outcome(name: string): Outcome {
  return { name, cycles: 0, survived: 0, lost: [] };
}

/** Counts one cycle, which survived if nothing is wrong. */
export function count(into: Outcome, what: string, wrong: readonly string[]): void {
  into.cycles++;
  if (wrong.length === 0) into.survived++;
  else into.lost.push(`${into.name}: ${what}: ${wrong.slice(0, 3).join("; ")}`);
}

export function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ name, cycles, survived, lost, skipped }) =>
    skipped === undefined
      ? [name, String(cycles), String(survived), String(lost.length)]
      : [name, "skipped", "", "", skipped],
  );
  const head = ["case", "cycles", "survived", "lost"];
  return textTable([head, ...rows], ["left", "right", "right", "right", "left"]);
}
