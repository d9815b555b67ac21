/**
 * Runs tasks one after the other, each when the one before has ended.
 *
 * Bun has two threads for files on a machine with one or two processors. A disk that hangs keeps one for
 * each operation on it, so files that pings do not need may take one between them: with none left, no
 * ping would be durable.
 */
export function oneAtATime(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const result = last.then(task);
    last = result.catch(() => {});
    return result;
  };
}
