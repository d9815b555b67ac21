/** What the cases of the faults report, and the table of it. */

export interface Outcome {
  readonly name: string;
  cycles: number;
  survived: number;
  /** What was lost, or went wrong; each with what it takes to see it again. */
  readonly lost: string[];
  /** Why it was not run. */
  skipped?: string;
}

/** How a case says how far it is. */
export type Progress = (done: number, of: number) => void;

export function outcome(name: string): Outcome {
  return { name, cycles: 0, survived: 0, lost: [] };
}

/** Counts one cycle. */
export function count(into: Outcome, what: string, wrong: readonly string[]): void {
  into.cycles++;
  if (wrong.length === 0) into.survived++;
  else into.lost.push(`${into.name}: ${what}: ${wrong.slice(0, 3).join("; ")}`);
}

export function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ name, cycles, survived, lost, skipped }) =>
    skipped === undefined
      ? [name, String(cycles), String(survived), String(lost.length)]
      : [name, "skipped", skipped, ""],
  );
  const all = [["case", "cycles", "survived", "lost"], ...rows];
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...all.filter((row) => row[1] !== "skipped").map((row) => row[column]!.length)),
  );
  widths[0] = Math.max(...all.map(([name]) => name!.length));
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 || row[1] === "skipped"
            ? cell.padEnd(widths[column]!)
            : cell.padStart(Math.max(widths[column]!, column === 1 ? "skipped".length : 0)),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
