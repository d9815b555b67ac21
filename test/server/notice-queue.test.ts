/** What waits for one way of telling, in simulated time. */
import { describe, expect, test } from "bun:test";

import { DIGEST, type Notice } from "../../src/server/notices.ts";
import { MAX_WAITING, NoticeQueue, type Way } from "../../src/server/notice-queue.ts";
import { recordedLog } from "../recorded-log.ts";
import { Simulation } from "../simulation.ts";

const noticeOf = (key: string, message = key): Notice => ({
  key,
  title: message,
  message,
  events: [{ event: "moved", time: "" }],
});

/** A queue whose way takes `took` milliseconds and works or not as it is told. */
function newQueue({ batch = 1, pauses = [] as number[], took = 1000 } = {}) {
  const simulation = new Simulation();
  const log = recordedLog();
  const told: string[] = [];
  const at: number[] = [];
  const state = { works: true, ended: 0 };
  const way: Way = {
    what: "the test",
    batch,
    pauses,
    async tell(notices, signal) {
      told.push(notices.map(({ message }) => message).join("+"));
      at.push(simulation.time);
      const { sleep } = simulation.clientParts();
      await sleep(took, signal);
      if (signal.aborted) state.ended++;
      return { isTold: state.works && !signal.aborted, answer: state.works ? "yes" : "no" };
    },
  };
  const { sleep, monotonic } = simulation.clientParts();
  const queue = new NoticeQueue(way, { log, sleep, monotonic });
  return { queue, simulation, log, told, at, state };
}

describe("one at a time", () => {
  test("and a newer notice of the same key replaces one that waits, in its place", async () => {
    const { queue, simulation, told } = newQueue();
    queue.add(noticeOf("nas", "nas 1"));
    queue.add(noticeOf("pi", "pi 1"));
    queue.add(noticeOf("nas", "nas 2")); // nas 1 is being told
    queue.add(noticeOf("cam", "cam 1"));
    queue.add(noticeOf("pi", "pi 2"));
    queue.add(noticeOf("nas", "nas 3"));
    await simulation.pass(10_000);
    expect(told).toEqual(["nas 1", "nas 3", "pi 2", "cam 1"]);
  });

  test("a digest is next, whatever waits", async () => {
    const { queue, simulation, told } = newQueue();
    for (const key of ["a", "b", "c", DIGEST]) queue.add(noticeOf(key));
    await simulation.pass(10_000);
    expect(told).toEqual(["a", DIGEST, "b", "c"]);
  });

  test("a failure is said once, and that it works again", async () => {
    const { queue, simulation, log, state } = newQueue();
    state.works = false;
    for (const key of ["a", "b", "c"]) queue.add(noticeOf(key));
    await simulation.pass(10_000);
    state.works = true;
    queue.add(noticeOf("d"));
    await simulation.pass(10_000);
    expect(log.lines.filter((line) => !line.startsWith("info"))).toEqual([
      "warn: Cannot tell by the test: no",
      "hint: dynip serve --test-notify tries it",
      "warn: the test works again",
    ]);
  });

  test("one that works now and then does not fill the log", async () => {
    const { queue, simulation, log, state } = newQueue({ took: 0 });
    for (let times = 0; times < 2000; times++) {
      state.works = !state.works;
      queue.add(noticeOf("nas"));
      await simulation.pass(1);
    }
    const bytes = log.lines
      .filter((line) => !line.startsWith("info"))
      .reduce((sum, line) => sum + line.length, 0);
    expect(bytes).toBeLessThan(100_000);
  });
});

describe("together", () => {
  const URL = { batch: 1000, pauses: [10_000, 50_000], took: 0 };

  test("all that wait are one message", async () => {
    const { queue, simulation, told } = newQueue({ ...URL, took: 1000 });
    for (const key of ["a", "b", "c", "b"]) queue.add(noticeOf(key));
    await simulation.pass(5000);
    expect(told).toEqual(["a", "b+c"]);
  });

  test("a failure is tried again after 10 and 60 s, then given up", async () => {
    const { queue, simulation, told, at, state } = newQueue(URL);
    state.works = false;
    queue.add(noticeOf("a"));
    await simulation.pass(300_000);
    expect(told).toEqual(["a", "a", "a"]);
    expect(at).toEqual([0, 10_000, 60_000]);
  });

  test("news of meanwhile goes along with the next try, and has three tries of its own", async () => {
    const { queue, simulation, told, at, state } = newQueue(URL);
    state.works = false;
    queue.add(noticeOf("nas", "nas 1"));
    await simulation.pass(20_000);
    queue.add(noticeOf("nas", "nas 2"));
    queue.add(noticeOf("pi", "pi 1"));
    await simulation.pass(300_000);
    expect(told).toEqual(["nas 1", "nas 1", "nas 2+pi 1", "nas 2+pi 1", "nas 2+pi 1"]);
    expect(at.slice(0, 4)).toEqual([0, 10_000, 60_000, 60_000]);
  });

  test("when it works again, everything that waits is told", async () => {
    const { queue, simulation, told, state } = newQueue(URL);
    state.works = false;
    queue.add(noticeOf("a"));
    await simulation.pass(5000);
    queue.add(noticeOf("b"));
    state.works = true;
    await simulation.pass(10_000);
    expect(told).toEqual(["a", "a+b"]);
  });
});

test("nothing piles up: the oldest are dropped, which is said once", async () => {
  const { queue, simulation, told, log } = newQueue();
  for (let index = 0; index < MAX_WAITING + 1000; index++) queue.add(noticeOf(`${index}`));
  await simulation.pass(1500);
  expect(told).toEqual(["0", "1000"]);
  expect(log.lines.filter((line) => line.startsWith("warn"))).toEqual([
    `warn: ${MAX_WAITING} notices wait for the test: the oldest are not told`,
  ]);
});

describe("a stop", () => {
  test("ends what is being told, and says what is not", async () => {
    const { queue, simulation, told, log, state } = newQueue({ took: 3_600_000 });
    for (const key of ["a", "b", "c", "d", "e"]) queue.add(noticeOf(key));
    await simulation.pass(1000);
    const before = simulation.time;
    await simulation.until(queue.stop());
    expect(simulation.time).toBe(before);
    expect([told, state.ended]).toEqual([["a"], 1]);
    expect(log.lines).toEqual(["warn: not told by the test: a; b; c; and 2 more"]);
    queue.add(noticeOf("f"));
    await simulation.pass(1000);
    expect(told).toEqual(["a"]);
  });

  test("does not wait for the next try", async () => {
    const { queue, simulation, state } = newQueue({ pauses: [3_600_000], took: 0 });
    state.works = false;
    queue.add(noticeOf("a"));
    await simulation.pass(1000);
    await simulation.until(queue.stop());
    expect(simulation.time).toBeLessThan(2000);
  });
});

test("a digest says when telling begins and that it has ended, once, whatever the tries", async () => {
  const { queue, simulation, state } = newQueue({ pauses: [1000, 1000], took: 0 });
  const calls: string[] = [];
  const hooks = {
    begin: async () => void calls.push("begin"),
    end: () => void calls.push("end"),
  };
  state.works = false;
  queue.add(noticeOf(DIGEST), hooks);
  await simulation.pass(1500);
  expect(calls).toEqual(["begin"]);
  state.works = true;
  await simulation.pass(10_000);
  expect(calls).toEqual(["begin", "end"]);
});
