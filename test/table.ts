/** Tables as the labs print them. Pure. */

export type Alignment = "left" | "right";

/**
 * Pads the cells of each row, so that its columns stand below each other.
 * @param rows a row may have fewer cells than another
 * @param alignments of each column; those not named are left-aligned
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
