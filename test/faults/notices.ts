/**
 * Kills, power cuts and disk errors at each file operation of the server that tells of silent hosts. A
 * host falls silent, comes back and falls silent again. After the fault the server is started on what is
 * left, and each of the three must have been told: once; or twice, where the server could not know
 * whether it was heard, and then the second notice has the same time and says so.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";

import type { Host } from "../../src/host.ts";
import type { Notice } from "../../src/server/notices.ts";
import { Notifier } from "../../src/server/notify.ts";
import { SilenceFile, type SilenceState } from "../../src/store/silence-file.ts";
import { Random } from "../fuzz/random.ts";
import { SILENT } from "../recorded-log.ts";
import { temporaryFolder } from "../temporary.ts";
import { HostMap } from "../world.ts";
import { LOG } from "./check.ts";
import { type Contents, Disk, type Luck, systemError } from "./disk.ts";
import { count, type Outcome, outcome, type Progress } from "./outcome.ts";

const MINUTE = 60_000;
/** When the host pings: it is silent from the first hour to the second, and after the third. */
const isOnline = (time: number): boolean =>
  time < 60 * MINUTE || (time >= 120 * MINUTE && time < 180 * MINUTE);
const END = 300 * MINUTE;
const EXPECTED = ["silent", "back", "silent"];

interface Heard {
  readonly event: string;
  readonly time: string;
  readonly isMarked: boolean;
}

/** @param every n > 1: only every n-th operation fails; the seed decides which */
export async function noticeFaults(
  { lucks, seed, every = 1 }: { lucks: number; seed: number; every?: number },
  progress: Progress,
): Promise<Outcome[]> {
  const killed = outcome("killed at each file operation that tells of silent hosts");
  const cut = outcome("power cut at each file operation that tells of silent hosts");
  const refused = outcome("EIO once at each file operation that tells of silent hosts");
  for (let index = 1 + (seed % every), last = Infinity; index <= last; index += every) {
    await using folder = await temporaryFolder();
    const disk: Disk = new Disk(folder.path, [], (at) => {
      if (at < index) return undefined;
      disk.powerOff();
      return systemError("EIO");
    });
    const first = await live(folder.path, disk, 0, () => disk.operations.length >= index);
    const at = `operation ${index}, ${disk.operations[index - 1] ?? "none"}`;
    count(killed, at, await finish(await filesIn(folder.path), first));
    const tries: [string, Luck][] = [["nothing unsynced kept", "none"]];
    for (let i = seed; i < seed + lucks; i++) tries.push([`seed ${i}`, new Random(i)]);
    for (const [which, luck] of tries) {
      count(cut, `${at}, ${which}`, await finish(disk.cut(luck), first));
    }
    count(refused, at, await refusedOnce(index));
    if (disk.operations.length < index) last = index;
    progress(index, disk.operations.length);
  }
  return [killed, cut, refused];
}

/** The server goes on after the error: it tells everything once. */
async function refusedOnce(index: number): Promise<string[]> {
  await using folder = await temporaryFolder();
  const disk = new Disk(folder.path, [], (at) => (at === index ? systemError("EIO") : undefined));
  const { heard } = await live(folder.path, disk, 0, () => false);
  return complaints(heard);
}

/** Starts on what is left and lives to the end. */
async function finish(left: Contents, first: Life): Promise<string[]> {
  await using folder = await temporaryFolder();
  const path = folder.file("again");
  await mkdir(path);
  for (const [name, bytes] of left) await writeFile(folder.file(`again/${name}`), bytes);
  const disk = new Disk(path, [...left.keys()], () => undefined);
  const second = await live(path, disk, first.time, () => false);
  return complaints([...first.heard, ...second.heard], second.isReadable);
}

function complaints(heard: readonly Heard[], isReadable = true): string[] {
  const wrong = isReadable ? [] : ["the file cannot be read"];
  const once = heard.filter(({ event, time, isMarked }, index) => {
    const before = heard[index - 1];
    if (!isMarked) return true;
    // It may be the first that was heard, where the server was killed just before it told.
    return before?.event !== event || before.time !== time;
  });
  const events = once.map(({ event }) => event);
  if (events.join() !== EXPECTED.join()) {
    wrong.push(
      `told ${heard.map(({ event, isMarked }) => `${event}${isMarked ? " (marked)" : ""}`)}`,
    );
  }
  if (heard.length > EXPECTED.length + 1) wrong.push(`told ${heard.length} times`);
  return wrong;
}

interface Life {
  readonly heard: Heard[];
  /** When it ended, in milliseconds. */
  readonly time: number;
  readonly isReadable: boolean;
}

/** A server from `start` on, in milliseconds, until the end or its death. */
async function live(
  folder: string,
  disk: Disk,
  start: number,
  isDead: () => boolean,
): Promise<Life> {
  let time = start;
  const heard: Heard[] = [];
  const hosts = new HostMap();
  const over = Promise.withResolvers<void>();
  const ping = (): void => {
    // A silent host was last seen when it was last online.
    let lastSeen = time;
    while (!isOnline(lastSeen)) lastSeen -= MINUTE;
    const host: Host = { ipv4: { address: "192.0.2.1", since: 0, lastSeen }, counter: 1 };
    hosts.set("nas", host);
  };
  ping();
  const file = new SilenceFile(`${folder}/${LOG}`, disk.files);
  let kept: SilenceState | undefined;
  let isReadable = true;
  try {
    kept = await file.read();
  } catch {
    isReadable = false;
    if (isDead()) return { heard, time, isReadable: true };
  }
  let writes = 0;
  const notifier = new Notifier({
    ways: new Map([["url", { what: "test", batch: 10, pauses: [], tell }]]),
    silentAfter: new Map([["*", 15 * MINUTE]]),
    hosts,
    kept,
    async keep(state) {
      writes++;
      await file.write(state).finally(() => writes--);
    },
    log: SILENT,
    reasonOf: String,
    now: () => time,
    monotonic: () => time,
    async sleep(milliseconds, signal) {
      time += milliseconds;
      ping();
      do await setImmediate();
      while (writes > 0);
      if (time >= END || isDead()) over.resolve();
      if (time >= END || isDead()) {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      }
    },
  });
  async function tell(notices: readonly Notice[]) {
    if (!isDead()) {
      for (const { events, message } of notices) {
        const isMarked = message.endsWith("this may have been told before");
        for (const { event, time: at } of events) heard.push({ event, time: at, isMarked });
      }
    }
    return { isTold: true, answer: "" };
  }
  notifier.begin();
  await over.promise;
  await notifier.stop();
  return { heard, time, isReadable };
}

async function filesIn(folder: string): Promise<Contents> {
  const contents: Contents = new Map();
  for (const name of await readdir(folder)) contents.set(name, await readFile(`${folder}/${name}`));
  return contents;
}
