/**
 * A limit on how often something is done. Pure: the clock is passed in.
 *
 * Keys are numbers. Text that an attacker chooses is hashed by HostStore.hashOf first: a `Map` by text
 * is slow for texts that are made to collide, see name-map.ts.
 */

/** The key of a limit that is one for all. */
export const ALL = 0;

/**
 * Allows each key a number of times in a second. Keys are forgotten every second, so that they take
 * no memory that lasts.
 * @param perSecond at least 1
 * @param monotonic milliseconds of a monotonic clock
 * @returns whether the key is allowed once more now
 */
export function limitPerSecond(
  perSecond: number,
  monotonic: () => number,
): (key: number) => boolean {
  return limitPer(1000, perSecond, monotonic);
}

/** The same for a minute. */
export function limitPerMinute(
  perMinute: number,
  monotonic: () => number,
): (key: number) => boolean {
  return limitPer(60_000, perMinute, monotonic);
}

function limitPer(
  milliseconds: number,
  times: number,
  monotonic: () => number,
): (key: number) => boolean {
  const counts = new Map<number, number>();
  let period = Number.NaN;
  return (key) => {
    const current = Math.floor(monotonic() / milliseconds);
    if (current !== period) counts.clear();
    period = current;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return count <= times;
  };
}
