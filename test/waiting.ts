/** Waiting with a deadline, for a condition or for a promise. */

/**
 * Waits until `condition` holds, which is tried again and again.
 * @param what for the error's message
 * @throws Error when it does not hold within `milliseconds`
 */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  milliseconds = 5000,
): Promise<void> {
  if (!(await holdsWithin(milliseconds, condition))) throw tooLate(milliseconds, what);
}

/** Whether `condition`, which is tried again and again, holds within `milliseconds`. */
export async function holdsWithin(
  milliseconds: number,
  condition: () => boolean | Promise<boolean>,
): Promise<boolean> {
  const deadline = performance.now() + milliseconds;
  while (!(await condition())) {
    if (performance.now() > deadline) return false;
    await Bun.sleep(2);
  }
  return true;
}

/**
 * Waits for a promise.
 * @param what for the error's message
 * @throws Error when it is not settled within `milliseconds`
 */
export async function within<T>(
  milliseconds: number,
  what: string,
  promise: Promise<T>,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(tooLate(milliseconds, what)), milliseconds);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function tooLate(milliseconds: number, what: string): Error {
  return new Error(`not within ${milliseconds} ms: ${what}`);
}
