/** The report as a Markdown table. Pure. */
import { type Bar, isMet, type Row, type Side, type Unit } from "./measure.ts";
import { alignColumns } from "../table.ts";
import { median, summarise } from "./statistics.ts";

// Each at least three characters wide, as Markdown wants the rule below them.
const HEAD = ["What", "dynip", "Compared with", "Result (min to max)", "Bar", "   "];

export function table(rows: readonly Row[]): string {
  const cells = alignColumns([HEAD, ...rows.map(cellsOf)]);
  const [head, ...lines] = cells.map((row) => `| ${row.join(" | ")} |`);
  const rule = `| ${cells[0]!.map(({ length }) => "-".repeat(length)).join(" | ")} |`;
  const notes = rows.flatMap((row) =>
    "notes" in row ? (row.notes ?? []).map((note) => `${row.what}: ${note}`) : [],
  );
  return [head, rule, ...lines, ...(notes.length > 0 ? ["", ...notes] : [])].join("\n");
}

/** A figure with three significant digits and its unit. */
export function format(value: number, unit: Unit): string {
  const digits = value.toLocaleString("en", {
    maximumSignificantDigits: Math.max(3, Math.trunc(Math.abs(value)).toString().length),
  });
  if (unit === "/s") return `${round(value).toLocaleString("en")}/s`;
  return unit === "times" ? `${digits} x` : `${digits} ${unit}`;
}

export function formatBar({ at, value }: Bar, unit: Unit): string {
  return `at ${at} ${format(value, unit)}`;
}

/** Rounds a rate to three significant digits; runs differ in the third. */
function round(value: number): number {
  return Number(value.toPrecision(3));
}

function cellsOf(row: Row): string[] {
  if ("skipped" in row) return [row.what, "skipped", row.skipped, "", "", ""];
  const { what, dynip, reference, result, bar } = row;
  const { median: middle, min, max } = summarise(result.samples);
  const range =
    result.samples.length > 1
      ? ` (${format(min, result.unit)} to ${format(max, result.unit)})`
      : "";
  return [
    what,
    formatSide(dynip),
    reference ? `${formatSide(reference)}: ${reference.name}` : "",
    `${format(middle, result.unit)}${range}`,
    bar ? formatBar(bar, result.unit) : "",
    bar ? (isMet(bar, middle) ? "met" : "MISSED") : "",
  ];
}

function formatSide({ samples, unit }: Side): string {
  return format(median(samples), unit);
}
