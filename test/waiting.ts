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
  const deadline = performance.now() + milliseconds;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await Bun.sleep(2);
  }
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
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`not within ${milliseconds} ms: ${what}`)),
    milliseconds,
  );
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
