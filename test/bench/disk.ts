/**
 * The bytes written per ping when 10,000 hosts ping every five minutes. The client log and its files
 * are real, the clock is simulated, and writing takes no simulated time.
 */
import { basename } from "node:path";

import { openClientLog } from "../../src/store/client-log.ts";
import { Recorder } from "../../src/server/recorder.ts";
import { Registry } from "../../src/server/registry.ts";
import { SILENT } from "../recorded-log.ts";
import { temporaryFolder } from "../temporary.ts";
import { CountingFiles } from "./counting-files.ts";
import type { Bench, Row } from "./measure.ts";
import { hostName } from "./programs/hosts.ts";
import { SimulatedClock } from "./simulated-clock.ts";

const HOSTS = 10_000;
const INTERVAL_MS = 300_000;
const LOG = "dynip.json";

/** Measured from one snapshot to a later one, with at least these numbers between them. */
const MIN_PINGS = HOSTS;
const MIN_SNAPSHOTS = 3;
const MAX_ROUNDS = 20;

interface Written {
  pings: number;
  snapshots: number;
  journal: number;
  log: number;
}

export async function disk(bench: Bench): Promise<Row[]> {
  await using folder = await temporaryFolder();
  const { journal, log, pings, snapshots } = await simulate(bench, folder.file(LOG));
  const [, first = ""] = (await Bun.file(folder.file(LOG)).text()).split("\n");
  const line = first.length; // a comma here, a newline in the journal
  const perPing = (journal + log) / pings;
  return [
    {
      what: "bytes written for a ping, 10,000 hosts every 5 minutes",
      dynip: { name: "dynip", unit: "bytes", samples: [perPing] },
      reference: { name: "a line of the journal", unit: "bytes", samples: [line] },
      result: { unit: "times", samples: [perPing / line] },
      bar: { at: "most", value: 5 },
      notes: [
        `${(journal / pings).toFixed(0)} bytes to the journal and ${(log / pings).toFixed(0)} to the log, in ${pings.toLocaleString("en")} pings and ${snapshots} snapshots.`,
      ],
    },
  ];
}

/** Counts what is written from one snapshot to a later one. */
async function simulate(bench: Bench, path: string): Promise<Written> {
  const written: Written = { pings: 0, snapshots: 0, journal: 0, log: 0 };
  let atLastSnapshot = { ...written };
  const counting = new CountingFiles({
    onWrite(file, bytes) {
      written[basename(file).includes(".journal") ? "journal" : "log"] += bytes;
    },
    onRename(file) {
      if (basename(file) !== LOG) return;
      written.snapshots++;
      atLastSnapshot = { ...written };
    },
  });
  const clock = new SimulatedClock();
  const settle = () => counting.settle();
  const clientLog = await openClientLog(path, {
    log: SILENT,
    now: clock.now,
    sleep: clock.sleep,
    gather: clock.sleep,
    files: counting.files,
  });
  try {
    clientLog.begin();
    const began = Date.now();
    const recorder = new Recorder({
      registry: new Registry(clientLog.hosts, HOSTS),
      store: clientLog,
      now: () => began + clock.now(),
      onListenerError() {},
    });
    let start: Written | undefined;
    for (let round = 0; round <= MAX_ROUNDS; round++) {
      bench.progress(`5 minutes, for the ${round + 1}. time`);
      for (let host = 0; host < HOSTS; host++) {
        await clock.goOnTo(round * INTERVAL_MS + (host / HOSTS) * INTERVAL_MS, settle);
        const refusal = recorder.recordPlain(hostName(host), "192.0.2.123", () => {});
        if (refusal !== undefined) throw new Error(`dropped: ${refusal}`);
        written.pings++;
        await settle();
        // The first round is the warm-up, in which all hosts are new.
        if (round > 0 && atLastSnapshot.pings > HOSTS) start ??= atLastSnapshot;
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
  };
}
