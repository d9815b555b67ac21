/** Waiting with a deadline, for a condition or for a promise. */

/** The factor by which all waits are longer. An emulated machine needs more than 1. */
export const PATIENCE = Number(process.env["DYNIP_TEST_PATIENCE"] ?? 1);

/**
 * Milliseconds that a test waits for what must happen. It ends a wait that is in vain, and is no bound
 * of speed: a machine with other work to do passes, too.
 */
export const WAIT_MS = 10_000 * PATIENCE;

/**
 * The time limit of a test that runs programs, for `setDefaultTimeout` in each such file (in an imported
 * one it counts for the first importer alone). It is longer than any wait in the test, so that the
 * message is what was waited for, not that time was up.
 */
export const TEST_MS = 3 * WAIT_MS;

/**
 * Waits until `condition` holds, which is tried again and again.
 * @param what for the error's message
 * @throws Error when it does not hold within `milliseconds`
 */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  milliseconds = WAIT_MS,
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
