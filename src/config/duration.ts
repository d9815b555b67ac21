/** Reads and writes lengths of time. Pure. */

/**
 * Reads a length of time: `30s`, `2m`, `1.5s`, `500ms`; a number without a unit is seconds.
 * @returns milliseconds; undefined if the text is not a length of time
 */
export function parseDuration(text: string): number | undefined {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * UNITS[unit as keyof typeof UNITS];
}

/** A length of time in words, rounded to its largest unit: `3 hours`, `9 days`. */
export function describeDuration(seconds: number): string {
  for (const [unit, length] of WORDS) {
    const count = Math.round(seconds / length);
    if (seconds >= length || unit === "second") return `${count} ${unit}${count === 1 ? "" : "s"}`;
  }
  return "";
}

const UNITS = { ms: 1, s: 1000, m: 60_000 };
const WORDS = [
  ["year", 31_557_600],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;
