/** The simulated clock and the counted files of the measure `disk`. */
import { expect, test } from "bun:test";

import { temporaryFolder } from "../temporary.ts";
import { CountingFiles } from "./counting-files.ts";
import { SimulatedClock } from "./simulated-clock.ts";

test("the clock wakes sleepers in the order of time, and one that falls asleep again", async () => {
  const clock = new SimulatedClock();
  const woken: [string, number][] = [];
  const { signal } = new AbortController();
  const sleep = async (name: string, ...durations: number[]) => {
    for (const duration of durations) {
      await clock.sleep(duration, signal);
      woken.push([name, clock.now()]);
    }
  };
  void sleep("late", 30);
  void sleep("twice", 10, 10);
  void sleep("never", 31);
  await clock.goOnTo(30, () => Bun.sleep(0));
  expect(woken).toEqual([
    ["twice", 10],
    ["twice", 20],
    ["late", 30],
  ]);
  expect(clock.now()).toBe(30);
});

test("a sleeper on the clock can be aborted", async () => {
  const stop = new AbortController();
  const asleep = new SimulatedClock().sleep(10, stop.signal);
  stop.abort();
  await expect(asleep).rejects.toThrow();
});

test("every written byte is counted, by whatever call, and every replaced file", async () => {
  await using folder = await temporaryFolder();
  const seen: unknown[] = [];
  const { files } = new CountingFiles({
    onWrite: (path, bytes) => seen.push([path, bytes]),
    onRename: (path) => seen.push(path),
  });
  const path = folder.file("a");
  const file = await files.open(path, "wx");
  await file.write(Buffer.from("abc"), 1, 2, 0);
  await file.writeFile("é");
  await file.appendFile(Buffer.from("abc"));
  await file.datasync();
  await file.close();
  await files.rename(path, folder.file("b"));
  expect(seen).toEqual([[path, 2], [path, 2], [path, 3], folder.file("b")]);
});

test("the files are settled when every operation is done, and those that followed from it", async () => {
  await using folder = await temporaryFolder();
  const counting = new CountingFiles({ onWrite() {}, onRename() {} });
  let isDone = false;
  void (async () => {
    const file = await counting.files.open(folder.file("a"), "wx");
    for (let time = 0; time < 5; time++) {
      await file.writeFile("abc");
      await file.sync();
    }
    await file.close();
    isDone = true;
  })();
  await counting.settle();
  expect(isDone).toBe(true);
});
