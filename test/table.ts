/** The tables that bench, faults and fuzz print. Pure. */

export type Alignment = "left" | "right";

/**
 * Pads cells so that all cells of a column have the same width.
 * @param rows may have different numbers of cells
 * @param alignments of the columns, in order; the default is left
 */
export function alignColumns(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = [],
): string[][] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return rows.map((row) =>
    row.map((cell, column) =>
      alignments[column] === "right"
        ? cell.padStart(widths[column]!)
        : cell.padEnd(widths[column]!),
    ),
  );
}

/** A table for a terminal, with two spaces between its columns; see {@link alignColumns}. */
export function textTable(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[],
): string {
  return alignColumns(rows, alignments)
    .map((row) => row.join("  ").trimEnd())
    .join("\n");
}
