/** Waiting for what is looked at, with an end. */

/**
 * Waits until `condition` holds, which is asked again and again.
 * @param what for the message of the error
 * @throws Error when it does not within so many milliseconds
 */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  milliseconds = 5000,
): Promise<void> {
  if (!(await holdsWithin(milliseconds, condition))) throw tooLate(milliseconds, what);
}

/** Whether `condition`, which is asked again and again, holds within so many milliseconds. */
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
 * @param what for the message of the error
 * @throws Error when it is not settled within so many milliseconds
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
