/**
 * Times as the client log has them: UTC, ISO 8601, `2026-11-22T13:01:02.123Z`. What
 * `Date.prototype.toISOString` and `Date.parse` do, at a part of their cost: a server under load
 * writes two for every ping, and reads two for every host when it starts. Pure.
 */

/**
 * A time's text.
 * @param time milliseconds since 1970, UTC, whole
 * @throws RangeError when it is no time that a Date can hold
 */
export function formatTime(time: number): string {
  const day = Math.floor(time / DAY_MS);
  const inDay = time - day * DAY_MS;
  const second = Math.floor(inDay / 1000);
  const minute = Math.floor(second / 60);
  const hour = Math.floor(minute / 60);
  return `${dateOf(day)}${TWO[hour]}:${TWO[minute % 60]}:${TWO[second % 60]}.${THREE[inDay % 1000]}Z`;
}

/** How long a text of the years 0 to 9999 is. */
export const TIME_BYTES = "2026-11-22T13:01:02.123Z".length;

/**
 * The reverse of {@link formatTime}, of the years 0 to 9999.
 * @param at where in `bytes` it begins
 * @returns undefined where there is anything else
 */
export function parseTime(bytes: Uint8Array, at: number): number | undefined {
  const year = digits(bytes, at, 4, DASH);
  const month = digits(bytes, at + 5, 2, DASH);
  const day = dayOf(year, month, digits(bytes, at + 8, 2, T));
  const hour = digits(bytes, at + 11, 2, COLON);
  const minute = digits(bytes, at + 14, 2, COLON);
  const second = digits(bytes, at + 17, 2, POINT);
  const millisecond = digits(bytes, at + 20, 3, Z);
  const time = day * DAY_MS + (hour * 3600 + minute * 60 + second) * 1000 + millisecond;
  return hour < 24 && minute < 60 && second < 60 && !Number.isNaN(time) ? time : undefined;
}

const [DASH, T, COLON, POINT, Z] = [0x2d, 0x54, 0x3a, 0x2e, 0x5a] as const;

const DAY_MS = 86_400_000;

const numerals = (count: number, length: number): string[] =>
  Array.from({ length: count }, (_, number) => String(number).padStart(length, "0"));
const TWO = numerals(60, 2);
const THREE = numerals(1000, 3);

/** The days that were asked for: a server's log knows few, however many hosts it has. */
const dates = new Map<number, string>();
const days = new Map<number, number>();
const MAX_DAYS = 4096;

/** `2026-11-22T`, of a day counted from 1970. */
function dateOf(day: number): string {
  const known = dates.get(day);
  if (known !== undefined) return known;
  const date = new Date(day * DAY_MS).toISOString().slice(0, -"00:00:00.000Z".length);
  remember(dates, day, date);
  return date;
}

/** A day counted from 1970; NaN where the calendar has none. */
function dayOf(year: number, month: number, day: number): number {
  const key = (year * 100 + month) * 100 + day;
  const known = days.get(key);
  if (known !== undefined) return known;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isDay = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  const number = isDay ? date.getTime() / DAY_MS : Number.NaN;
  remember(days, key, number);
  return number;
}

function remember<K, V>(known: Map<K, V>, key: K, value: V): void {
  if (known.size >= MAX_DAYS) known.clear();
  known.set(key, value);
}

/** The number that `count` digits are, with `separator` behind them; NaN where there is else. */
function digits(bytes: Uint8Array, at: number, count: number, separator: number): number {
  let number = 0;
  for (let index = at; index < at + count; index++) {
    const digit = bytes[index]! - 0x30;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    number = number * 10 + digit;
  }
  return bytes[at + count] === separator ? number : Number.NaN;
}
