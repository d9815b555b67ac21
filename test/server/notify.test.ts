/** The notifier in simulated time: what is told, in what order it is kept, and how often. */
import { describe, expect, test } from "bun:test";

import type { Change, Host } from "../../src/host.ts";
import { type KeptSilence, Notifier } from "../../src/server/notify.ts";
import { recordedLog } from "../recorded-log.ts";
import { Simulation } from "../simulation.ts";
import { HostMap } from "../world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Options {
  simulation?: Simulation;
  hosts?: HostMap;
  kept?: KeptSilence | undefined;
  ways?: readonly string[];
  after?: number;
}

/** A notifier with ways that write what they are told, and what is kept, in one list. */
function newNotifier({
  simulation = new Simulation(),
  hosts = new HostMap(),
  kept,
  ways = ["url"],
  after = 15 * MINUTE,
}: Options = {}) {
  const { sleep } = simulation.clientParts();
  const log = recordedLog();
  const happened: string[] = [];
  const state = { kept, keepFails: false, took: 0 };
  const notifier = new Notifier({
    ways: new Map(
      ways.map((name) => [
        name,
        {
          what: name,
          batch: 1,
          pauses: [],
          async tell(notices, signal) {
            for (const { message } of notices) happened.push(`${name}: ${message}`);
            await sleep(state.took, signal);
            return { isTold: !signal.aborted, answer: "" };
          },
        },
      ]),
    ),
    silentAfter: new Map([["*", after]]),
    hosts,
    kept,
    async keep(next) {
      if (state.keepFails) throw new Error("no space left on the disk");
      const { silent, telling } = next;
      state.kept = {
        silent: new Map(silent),
        ...(telling && { telling: { ...telling, ways: new Map(telling.ways) } }),
      };
      const ways = telling ? `, telling ${[...telling.ways].map((way) => way.join(" "))}` : "";
      happened.push(`kept: ${[...silent.keys()]}${ways}`);
    },
    log,
    reasonOf: (error) => (error as Error).message,
    now: () => simulation.time,
    monotonic: () => simulation.time,
    sleep,
  });
  return { notifier, simulation, hosts, happened, log, state };
}

const hostAt = (address: string, lastSeen: number, counter?: number): Host => ({
  ipv4: { address, since: 0, lastSeen },
  ...(counter !== undefined && { counter }),
});

function moveOf(name: string, from: string | undefined, to: string, isSigned = true): Change {
  const counter = isSigned ? 1 : undefined;
  return {
    name,
    family: "ipv4",
    before: from === undefined ? undefined : hostAt(from, 0, counter),
    now: hostAt(to, 0, counter),
    time: 0,
    how: isSigned ? "proven" : "plain",
  };
}

describe("changes", () => {
  test("new and moved hosts are told at once, a host that is still there is not", async () => {
    const { notifier, simulation, happened } = newNotifier({ ways: ["command", "url"] });
    notifier.changed(moveOf("nas", undefined, "192.0.2.1"));
    await simulation.pass(1);
    notifier.changed(moveOf("nas", "192.0.2.1", "192.0.2.1"));
    notifier.changed(moveOf("nas", "192.0.2.1", "192.0.2.2"));
    await simulation.pass(1);
    expect(happened).toEqual([
      "command: new host nas at 192.0.2.1",
      "url: new host nas at 192.0.2.1",
      "command: nas moved from 192.0.2.1 to 192.0.2.2",
      "url: nas moved from 192.0.2.1 to 192.0.2.2",
    ]);
  });

  test("a host is told of 50 times a day, and the last one says so", async () => {
    const { notifier, simulation, happened } = newNotifier();
    const moveOften = async () => {
      for (let times = 0; times < 100; times++) {
        notifier.changed(moveOf("nas", "192.0.2.1", `192.0.2.${2 + (times % 2)}`));
        await simulation.pass(1000);
      }
    };
    await moveOften();
    expect(happened).toHaveLength(50);
    expect(happened.at(-1)).toEndWith("; no more of it today: it was told too often");
    notifier.changed(moveOf("pi", "192.0.2.1", "192.0.2.2"));
    await simulation.pass(24 * HOUR);
    expect(happened).toHaveLength(51);
    await moveOften();
    expect(happened).toHaveLength(101);
  });

  test("forged pings make ten notices a second, some thousand a day, and leave signed ones alone", async () => {
    const { notifier, simulation, happened } = newNotifier();
    let names = 0;
    for (let second = 0; second < 3600; second++) {
      for (let times = 0; times < 100; times++) {
        notifier.changed(moveOf(`forged-${names++}`, undefined, "192.0.2.1", false));
      }
      await simulation.pass(1000);
      if (second === 0) expect(happened).toHaveLength(10);
    }
    expect(happened.length).toBeLessThan(4000);
    notifier.changed(moveOf("nas", "192.0.2.1", "192.0.2.2"));
    await simulation.pass(1000);
    expect(happened.at(-1)).toBe("url: nas moved from 192.0.2.1 to 192.0.2.2");
  });
});

describe("silence", () => {
  /** Lets `pi` ping every five minutes while time passes, and `nas` if it is named. */
  async function live(
    { simulation, hosts }: Pick<ReturnType<typeof newNotifier>, "simulation" | "hosts">,
    milliseconds: number,
    ...names: string[]
  ): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 5 * MINUTE) {
      for (const name of ["pi", ...names]) hosts.set(name, hostAt("192.0.2.1", simulation.time, 1));
      await simulation.pass(5 * MINUTE);
    }
  }

  async function silentHome(options: Options = {}) {
    const made = newNotifier(options);
    made.notifier.begin();
    await live(made, HOUR, "nas");
    await live(made, 25 * MINUTE);
    return made;
  }

  const SILENT_NAS = "nas is silent: no ping for 20 minutes";

  test("is kept before it is told, when telling begins, and when it was told", async () => {
    const made = await silentHome({ ways: ["command", "url"] });
    expect(made.happened).toEqual([
      "kept: nas, telling command waiting,url waiting",
      // Each way says when it begins; the file has both by then.
      "kept: nas, telling command begun,url begun",
      "kept: nas, telling command begun,url begun",
      `command: ${SILENT_NAS}`,
      `url: ${SILENT_NAS}`,
      "kept: nas, telling url begun",
      "kept: nas",
    ]);
    made.happened.length = 0;
    await live(made, 10 * MINUTE, "nas");
    expect(made.happened.filter((line) => !line.startsWith("kept"))).toEqual([
      expect.stringMatching(/^command: nas is back at 192\.0\.2\.1 after \d+ minutes$/),
      expect.stringMatching(/^url: nas is back/),
    ]);
    expect(made.state.kept).toEqual({ silent: new Map() });
  });

  test.each([
    ["waiting", SILENT_NAS],
    ["begun", `${SILENT_NAS}; this may have been told before`],
  ] as const)(
    "that was %s when the server was killed is told after the start",
    async (how, message) => {
      const time = 100 * HOUR;
      const telling = {
        time,
        silent: new Map([["nas", time - 20 * MINUTE]]),
        back: new Map(),
        isEveryone: false,
        ways: new Map([["url", how]]),
      };
      const kept = { silent: telling.silent, telling };
      const { notifier, simulation, happened, state } = newNotifier({
        kept,
        ways: ["command", "url"],
      });
      notifier.begin();
      await simulation.pass(MINUTE);
      expect(happened.filter((line) => !line.startsWith("kept"))).toEqual([`url: ${message}`]);
      expect(state.kept!.telling).toBeUndefined();
    },
  );

  test("of a way that is not configured any more is dropped", async () => {
    const telling = {
      time: 0,
      silent: new Map([["nas", 0]]),
      back: new Map(),
      isEveryone: false,
      ways: new Map([["command", "begun" as const]]),
    };
    const { notifier, simulation, happened } = newNotifier({
      kept: { silent: telling.silent, telling },
    });
    notifier.begin();
    await simulation.pass(HOUR);
    expect(happened.filter((line) => !line.startsWith("kept"))).toEqual([]);
  });

  test("while a digest is being told, what follows waits for the next one, and nothing piles up", async () => {
    const made = newNotifier();
    made.state.took = 2 * HOUR;
    made.notifier.begin();
    await live(made, HOUR, "nas");
    await live(made, HOUR); // nas falls silent, and that takes two hours to tell
    await live(made, 30 * MINUTE, "nas"); // it is back,
    await live(made, 40 * MINUTE); // and silent again, and back
    await live(made, 3 * HOUR, "nas");
    expect(made.happened.filter((line) => line.startsWith("url"))).toEqual([
      `url: ${SILENT_NAS}`,
      expect.stringMatching(/^url: nas is back/),
    ]);
  });

  test("of a host that comes and goes is told 50 times a day", async () => {
    const made = newNotifier({ after: MINUTE });
    made.notifier.begin();
    for (let times = 0; times < 60; times++) {
      made.hosts.set("nas", hostAt("192.0.2.1", made.simulation.time, 1));
      await made.simulation.pass(2 * MINUTE);
    }
    expect(made.happened.filter((line) => line.startsWith("url"))).toHaveLength(50);
  });

  test("a disk that refuses does not keep it from being told, and is said once", async () => {
    const made = newNotifier();
    made.state.keepFails = true;
    made.notifier.begin();
    await live(made, HOUR, "nas");
    await live(made, HOUR);
    await live(made, HOUR, "nas");
    expect(made.happened).toEqual([`url: ${SILENT_NAS}`, expect.stringContaining("nas is back")]);
    expect(made.log.lines.filter((line) => line.startsWith("error"))).toEqual([
      "error: Cannot write which hosts are silent: no space left on the disk",
    ]);
  });

  test("a stop while it is told is prompt; the next start tells it again and says so", async () => {
    const made = newNotifier();
    made.state.took = 2 * HOUR;
    made.notifier.begin();
    await live(made, HOUR, "nas");
    await live(made, 25 * MINUTE);
    const before = made.simulation.time;
    await made.simulation.until(made.notifier.stop());
    expect(made.simulation.time).toBe(before);
    expect(made.log.lines).toEqual([]);
    const { simulation, hosts } = made;
    const next = newNotifier({ simulation, hosts, kept: made.state.kept });
    next.notifier.begin();
    await live(next, 10 * MINUTE);
    expect(next.happened.filter((line) => line.startsWith("url"))).toEqual([
      `url: ${SILENT_NAS}; this may have been told before`,
    ]);
  });
});
