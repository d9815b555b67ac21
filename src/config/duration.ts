/** Reads and writes lengths of time. Pure. */

/**
 * Reads a length of time: `500ms`, `1.5s`, `30s`, `2m`, `12h`, `7d`; a number without a unit is seconds.
 * @returns milliseconds; undefined if the text is not a length of time
 */
export function parseDuration(text: string): number | undefined {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? [];
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

/**
 * An age in words, in the largest unit of which there are two: `90 seconds`, `26 hours`. Rounded down,
 * since what is "26 hours" has not been there for 27.
 */
export function describeAge(seconds: number): string {
  const [unit, length] = WORDS.find((word) => seconds >= 2 * word[1]) ?? WORDS.at(-1)!;
  const count = Math.floor(seconds / length);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const WORDS = [
  ["year", 31_557_600],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;
