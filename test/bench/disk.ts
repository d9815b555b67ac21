/**
 * What the server writes per ping of hosts that stay where they are. The client log and its files are
 * real, on a device that counts; the clock is simulated, and writing takes no simulated time.
 */
import { basename, join } from "node:path";

import { openClientLog } from "../../src/store/client-log.ts";
import { encodeHost } from "../../src/store/format.ts";
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
const ADDRESS = "192.0.2.123";

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
  let last: Written | undefined;
  for (const [habit, bytes, flushes] of LIMITS) {
    const ofBytes = `written to the device for a ping, ${habit.text}`;
    const ofFlushes = `flushes of the device for a ping, ${habit.text}`;
    if (why !== undefined) {
      rows.push({ what: ofBytes, skipped: why }, { what: ofFlushes, skipped: why });
      continue;
    }
    last = await onDevice(bench, habit, false);
    const notes = habit === FEW ? [ofCommits(await onDevice(bench, habit, true))] : [];
    rows.push(
      rowOf(ofBytes, "bytes", last.device / last.pings, bytes, notes),
      rowOf(ofFlushes, "flushes", last.flushes / last.pings, flushes),
    );
  }
  last ??= await inFolder(bench, MORE);
  return [...rows, handedOver(last), ...(await slowDisk(bench))];
}

function rowOf(
  what: string,
  unit: Unit,
  value: number,
  most: number,
  notes: readonly string[] = [],
): Row {
  return {
    what,
    dynip: { name: "dynip", unit, samples: [value] },
    result: { unit, samples: [value] },
    bar: { at: "most", value: most },
    notes,
  };
}

function ofCommits({ device, flushes, pings }: Written): string {
  const kilobytes = (device / pings / 1000).toFixed(1);
  return `Every 5 seconds ext4 commits by itself that the time of a file changed; with that, ${kilobytes} kB in ${(flushes / pings).toFixed(1)} flushes.`;
}

/** What is handed over to the system, beside a line of the journal, which is the least. */
function handedOver({ journal, log, pings, snapshots }: Written): Row {
  const at = (time: number) => ({ address: ADDRESS, since: time, lastSeen: time });
  const line = encodeHost(hostName(0), { ipv4: at(Date.now()) }).length + 1; // and a newline
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
  return await simulate(bench, habit, new Simulation(device.folder, device, withCommits));
}

async function inFolder(bench: Bench, habit: Habit): Promise<Written> {
  await using folder = await temporaryFolder();
  return await simulate(bench, habit, new Simulation(folder.path));
}

/** Counts what is written from one snapshot to a later one. */
async function simulate(
  bench: Bench,
  { hosts, intervalMs, text }: Habit,
  simulation: Simulation,
): Promise<Written> {
  await using server = await simulation.start(hosts);
  for (let host = 0; host < hosts; host++) server.ping(host); // all are new
  let start: Written | undefined;
  for (let round = 0; round <= MAX_ROUNDS; round++) {
    bench.progress(`${text}, for the ${round + 1}. time`);
    for (let host = 0; host < hosts; host++) {
      await simulation.goOnTo(round * intervalMs + (host / hosts) * intervalMs);
      server.ping(host);
      await simulation.settle();
      const { atLastSnapshot } = simulation;
      // The first snapshots are of new hosts, and each file of the journal is made once.
      if (atLastSnapshot.snapshots > 4) start ??= atLastSnapshot;
      const since = start && difference(atLastSnapshot, start);
      if (since && since.pings >= MIN_PINGS && since.snapshots >= MIN_SNAPSHOTS) return since;
    }
  }
  throw new Error(`fewer than ${MIN_SNAPSHOTS} snapshots in ${MAX_ROUNDS} rounds`);
}

/** A simulated clock and the files of a server that lives by it, which count. */
class Simulation {
  /** What had been written by the last snapshot. */
  atLastSnapshot: Written;
  readonly #folder: string;
  readonly #device: LoopDisk | undefined;
  readonly #withCommits: boolean;
  readonly #clock = new SimulatedClock();
  readonly #counting: CountingFiles;
  readonly #written: Written = {
    pings: 0,
    snapshots: 0,
    journal: 0,
    log: 0,
    device: 0,
    flushes: 0,
  };
  #uncommittedSince: number | undefined;

  /** @param withCommits whether the file system commits every 5 simulated seconds, too */
  constructor(folder: string, device?: LoopDisk, withCommits = false) {
    this.#folder = folder;
    this.#device = device;
    this.#withCommits = withCommits;
    this.atLastSnapshot = { ...this.#written };
    this.#counting = new CountingFiles({
      onWrite: (file, bytes) => {
        this.#written[basename(file).includes(".journal") ? "journal" : "log"] += bytes;
        this.#uncommittedSince ??= this.#clock.now();
      },
      onRename: (file) => {
        if (basename(file) !== LOG) return;
        this.#written.snapshots++;
        this.atLastSnapshot = { ...this.#written, ...device?.traffic() };
      },
    });
  }

  /** Starts a server that has room for so many hosts. */
  async start(hosts: number): Promise<AsyncDisposable & { ping(host: number): void }> {
    const { now, sleep } = this.#clock;
    const clientLog = await openClientLog(join(this.#folder, LOG), {
      log: SILENT,
      now,
      sleep,
      gather: sleep,
      files: this.#counting.files,
    });
    const began = Date.now();
    const recorder = new Recorder({
      registry: new Registry(clientLog.hosts, hosts),
      store: clientLog,
      now: () => began + now(),
      onListenerError() {},
    });
    clientLog.begin();
    return {
      ping: (host) => {
        const refusal = recorder.recordPlain(hostName(host), ADDRESS, () => {});
        if (refusal !== undefined) throw new Error(`dropped: ${refusal}`);
        this.#written.pings++;
      },
      [Symbol.asyncDispose]: () => clientLog.close(),
    };
  }

  async goOnTo(time: number): Promise<void> {
    const commit = (this.#uncommittedSince ?? Number.POSITIVE_INFINITY) + COMMIT_MS;
    if (this.#withCommits && commit <= time) {
      await this.#clock.goOnTo(commit, () => this.settle());
      this.#uncommittedSince = undefined;
      this.#device!.commit();
    }
    await this.#clock.goOnTo(time, () => this.settle());
  }

  /** Resolves when all that was started is done, or asleep. */
  async settle(): Promise<void> {
    await this.#counting.settle();
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
