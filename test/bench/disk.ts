/**
 * What the server writes per ping of hosts that stay where they are. The client log and its files are
 * real, on a device that counts; the clock is simulated, and writing takes no simulated time.
 */
import { basename, join } from "node:path";

import { openClientLog } from "../../src/store/client-log.ts";
import { Recorder } from "../../src/server/recorder.ts";
import { Registry } from "../../src/server/registry.ts";
import { SILENT } from "../recorded-log.ts";
import { temporaryFolder } from "../temporary.ts";
import { CountingFiles } from "./counting-files.ts";
import { type LoopDisk, mountLoopDisk, whyNoLoopDisk } from "./loop-disk.ts";
import type { Bench, Row, Unit } from "./measure.ts";
import { hostName } from "./programs/hosts.ts";
import { SimulatedClock } from "./simulated-clock.ts";
import { slowDisk } from "./slow-disk.ts";

const LOG = "dynip.json";

/** Hosts that ping evenly, each so often. */
interface Habit {
  readonly hosts: number;
  readonly intervalMs: number;
  readonly text: string;
}

const FEW: Habit = { hosts: 10, intervalMs: 30_000, text: "10 hosts every 30 seconds" };
const MANY: Habit = { hosts: 1000, intervalMs: 300_000, text: "1,000 hosts every 5 minutes" };
const MORE: Habit = { hosts: 10_000, intervalMs: 300_000, text: "10,000 hosts every 5 minutes" };

/** What a ping may write: of few hosts a fifth of what dynip 0.2.0 wrote, 148 kB in 10 flushes. */
const LIMITS: readonly (readonly [habit: Habit, bytes: number, flushes: number])[] = [
  [FEW, 148_000 / 5, 10 / 5],
  [MANY, 6000, 1.2],
  [MORE, 6000, 1.2],
];

/** Measured from one snapshot to a later one, with at least these numbers between them. */
const MIN_PINGS = 1000;
const MIN_SNAPSHOTS = 3;
const MAX_ROUNDS = 200;

/** How often ext4 commits by itself what it keeps in memory. */
const COMMIT_MS = 5000;

/** What came of some pings. */
interface Written {
  pings: number;
  snapshots: number;
  /** Bytes handed over for the journal, and for the log. */
  journal: number;
  log: number;
  /** Bytes on the device, and flushes; 0 where there is no device that counts. */
  device: number;
  flushes: number;
}

export async function disk(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  const why = whyNoLoopDisk();
  for (const [habit, bytes, flushes] of LIMITS) {
    const ofBytes = `written to the device for a ping, ${habit.text}`;
    const ofFlushes = `flushes of the device for a ping, ${habit.text}`;
    if (why !== undefined) {
      rows.push({ what: ofBytes, skipped: why }, { what: ofFlushes, skipped: why });
      continue;
    }
    const written = await onDevice(bench, habit, false);
    const inTime = await onDevice(bench, habit, true);
    const note =
      `With what ext4 commits by itself every 5 seconds, since the time of a file changes with each write: ` +
      `${kilobytes(inTime.device / inTime.pings)} in ${(inTime.flushes / inTime.pings).toFixed(2)} flushes.`;
    rows.push(
      rowOf(ofBytes, "bytes", written.device / written.pings, bytes, note),
      rowOf(ofFlushes, "flushes", written.flushes / written.pings, flushes),
    );
  }
  return [...rows, await handedOver(bench), ...(await slowDisk(bench))];
}

function rowOf(what: string, unit: Unit, value: number, most: number, note?: string): Row {
  return {
    what,
    dynip: { name: "dynip", unit, samples: [value] },
    result: { unit, samples: [value] },
    bar: { at: "most", value: most },
    ...(note !== undefined && { notes: [note] }),
  };
}

/** What is handed over to the system, beside a line of the journal, which is the least. */
async function handedOver(bench: Bench): Promise<Row> {
  await using folder = await temporaryFolder();
  const { journal, log, pings, snapshots } = await simulate(bench, MORE, folder.path);
  const [, first = ""] = (await Bun.file(folder.file(LOG)).text()).split("\n");
  const line = first.length; // a comma here, a newline in the journal
  const perPing = (journal + log) / pings;
  return {
    what: `bytes written for a ping, ${MORE.text}`,
    dynip: { name: "dynip", unit: "bytes", samples: [perPing] },
    reference: { name: "a line of the journal", unit: "bytes", samples: [line] },
    result: { unit: "times", samples: [perPing / line] },
    bar: { at: "most", value: 5 },
    notes: [
      `${(journal / pings).toFixed(0)} bytes to the journal and ${(log / pings).toFixed(0)} to the log, in ${pings.toLocaleString("en")} pings and ${snapshots} snapshots.`,
    ],
  };
}

async function onDevice(bench: Bench, habit: Habit, withCommits: boolean): Promise<Written> {
  await using device = await mountLoopDisk();
  return await simulate(bench, habit, device.folder, device, withCommits);
}

/**
 * Counts what is written from one snapshot to a later one.
 * @param withCommits whether the file system commits every 5 seconds of the simulated time, too
 */
async function simulate(
  bench: Bench,
  { hosts, intervalMs, text }: Habit,
  folder: string,
  device?: LoopDisk,
  withCommits = false,
): Promise<Written> {
  const written = { pings: 0, snapshots: 0, journal: 0, log: 0, device: 0, flushes: 0 };
  let atLastSnapshot: Written = { ...written };
  const clock = new SimulatedClock();
  let uncommittedSince: number | undefined;
  const counting = new CountingFiles({
    onWrite(file, bytes) {
      written[basename(file).includes(".journal") ? "journal" : "log"] += bytes;
      uncommittedSince ??= clock.now();
    },
    onRename(file) {
      if (basename(file) !== LOG) return;
      written.snapshots++;
      atLastSnapshot = { ...written, ...device?.traffic() };
    },
  });
  const settle = () => counting.settle();
  const goOnTo = async (time: number): Promise<void> => {
    const commit = (uncommittedSince ?? Number.POSITIVE_INFINITY) + COMMIT_MS;
    if (withCommits && commit <= time) {
      await clock.goOnTo(commit, settle);
      uncommittedSince = undefined;
      device!.commit();
    }
    await clock.goOnTo(time, settle);
  };
  const clientLog = await openClientLog(join(folder, LOG), {
    log: SILENT,
    now: clock.now,
    sleep: clock.sleep,
    gather: clock.sleep,
    files: counting.files,
  });
  const began = Date.now();
  const recorder = new Recorder({
    registry: new Registry(clientLog.hosts, hosts),
    store: clientLog,
    now: () => began + clock.now(),
    onListenerError() {},
  });
  const ping = (host: number): void => {
    const refusal = recorder.recordPlain(hostName(host), "192.0.2.123", () => {});
    if (refusal !== undefined) throw new Error(`dropped: ${refusal}`);
    written.pings++;
  };
  try {
    clientLog.begin();
    for (let host = 0; host < hosts; host++) ping(host); // all are new
    await settle();
    let start: Written | undefined;
    for (let round = 0; round <= MAX_ROUNDS; round++) {
      bench.progress(`${text}, for the ${round + 1}. time`);
      for (let host = 0; host < hosts; host++) {
        await goOnTo(round * intervalMs + (host / hosts) * intervalMs);
        ping(host);
        await settle();
        // The first snapshots are of new hosts, and each file of the journal is made once.
        if (atLastSnapshot.snapshots > 4) start ??= atLastSnapshot;
        const since = start && difference(atLastSnapshot, start);
        if (since && since.pings >= MIN_PINGS && since.snapshots >= MIN_SNAPSHOTS) return since;
      }
    }
    throw new Error(`fewer than ${MIN_SNAPSHOTS} snapshots in ${MAX_ROUNDS} rounds`);
  } finally {
    await clientLog.close();
  }
}

function difference(end: Written, start: Written): Written {
  return {
    pings: end.pings - start.pings,
    snapshots: end.snapshots - start.snapshots,
    journal: end.journal - start.journal,
    log: end.log - start.log,
    device: end.device - start.device,
    flushes: end.flushes - start.flushes,
  };
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
