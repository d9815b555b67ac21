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

/**
 * The reverse of {@link formatTime}, for texts that it has made.
 * @returns undefined for any other text
 */
export function parseTime(text: string): number | undefined {
  if (text.length !== LENGTH) return undefined;
  const day = dayOf(text.slice(0, DATE_LENGTH));
  if (day === undefined) return undefined;
  const time =
    day * DAY_MS +
    (digits(text, 11, 2) * 3600 + digits(text, 14, 2) * 60 + digits(text, 17, 2)) * 1000 +
    digits(text, 20, 3);
  // Whatever else is wrong with it, it is not what this time's text would be.
  return formatTime(time) === text ? time : undefined;
}

const DAY_MS = 86_400_000;
const LENGTH = "2026-11-22T13:01:02.123Z".length;
const DATE_LENGTH = "2026-11-22T".length;

const numerals = (count: number, length: number): string[] =>
  Array.from({ length: count }, (_, number) => String(number).padStart(length, "0"));
const TWO = numerals(60, 2);
const THREE = numerals(1000, 3);

/** The days that were asked for: a server's log knows few, however many hosts it has. */
const dates = new Map<number, string>();
const days = new Map<string, number>();
const MAX_DAYS = 4096;

/** `2026-11-22T`, of a day counted from 1970. */
function dateOf(day: number): string {
  const known = dates.get(day);
  if (known !== undefined) return known;
  const date = new Date(day * DAY_MS).toISOString().slice(0, -"00:00:00.000Z".length);
  remember(dates, day, date);
  return date;
}

function dayOf(date: string): number | undefined {
  const known = days.get(date);
  if (known !== undefined) return known;
  const day = Date.parse(`${date}00:00:00.000Z`) / DAY_MS;
  if (Number.isNaN(day)) return undefined;
  remember(days, date, day);
  return day;
}

function remember<K, V>(known: Map<K, V>, key: K, value: V): void {
  if (known.size >= MAX_DAYS) known.clear();
  known.set(key, value);
}

/** The number that `count` digits are; NaN-free nonsense for what are none. */
function digits(text: string, start: number, count: number): number {
  let number = 0;
  for (let at = start; at < start + count; at++) number = number * 10 + text.charCodeAt(at) - 48;
  return number;
}
