/**
 * How long new clients wait for their acknowledgement while two processes send datagrams to the server
 * as fast as they can, and while all cores are busy with something else as well.
 */
import { cpus } from "node:os";
import { join } from "node:path";

import { cleanEnvironment, type RunningProcess, startProcess } from "../processes.ts";
import { startDynip } from "./dynip-server.ts";
import type { Bar, Bench, MeasuredRow, Row } from "./measure.ts";
import { run } from "./processes.ts";
import { median, percentile } from "./statistics.ts";

/** As test/flood.ts names them, and in words. */
const KINDS = {
  junk: "junk",
  plain: "plain pings",
  forged: "forged pings, one name",
  "forged-names": "forged pings, random names",
  replay: "one ping replayed",
} as const;
type Kind = keyof typeof KINDS;

const SENDERS = 2;
const CLIENTS = 24;
/** The client's schedule for one exchange, of which there are two. */
const GIVE_UP_MS = 39_500;
const LONGEST_MS = 2 * GIVE_UP_MS + CLIENTS * 250 + 5000;
const FLOOD = join(import.meta.dir, "..", "flood.ts");

export async function flood(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const isBusy of [false, true]) {
    const waits: Partial<Record<Kind, readonly number[]>> = {};
    for (const kind of Object.keys(KINDS) as Kind[]) {
      const load = `${KINDS[kind]}${isBusy ? ", machine busy" : ""}`;
      bench.progress(load);
      const outcome = await underFlood(bench, kind, isBusy);
      waits[kind] = outcome.waits;
      rows.push(...rowsOf(load, outcome, kind === "junk" || kind === "plain", isBusy));
    }
    rows.push(ratio(waits.forged!, waits["forged-names"]!, isBusy));
  }
  return rows;
}

interface Outcome {
  /** Milliseconds, one for each client; the whole schedule for one that gave up. */
  readonly waits: readonly number[];
  readonly acknowledged: number;
  /** Clients that sent the two datagrams that it takes, and no more. */
  readonly atFirst: number;
}

async function underFlood(bench: Bench, kind: Kind, isBusy: boolean): Promise<Outcome> {
  const program = await bench.programs.path("clients");
  await using server = await startDynip(bench.clientLogs, "signed", 0);
  await using load = new AsyncDisposableStack();
  const start = (...args: string[]): RunningProcess =>
    load.use(
      startProcess([process.execPath, ...args], {
        env: cleanEnvironment(),
        deadline: LONGEST_MS + 10_000,
      }),
    );
  for (let sender = 0; sender < SENDERS; sender++) {
    start(FLOOD, kind, String(server.port), String(LONGEST_MS / 1000));
  }
  if (isBusy) for (const _core of cpus()) start("-e", "for (;;);");
  await Bun.sleep(1000); // the senders have started
  const { stdout } = await run([program, String(server.port), String(CLIENTS)]);
  const clients: { milliseconds: number | null; sent: number }[] = JSON.parse(stdout);
  return {
    waits: clients.map(({ milliseconds }) => milliseconds ?? GIVE_UP_MS),
    acknowledged: clients.filter(({ milliseconds }) => milliseconds !== null).length,
    atFirst: clients.filter(({ milliseconds, sent }) => milliseconds !== null && sent === 2).length,
  };
}

/** @param hasBar whether the flood must not be felt; on a busy machine clients are slow themselves */
function rowsOf(
  load: string,
  { waits, acknowledged, atFirst }: Outcome,
  hasBar: boolean,
  isBusy: boolean,
): Row[] {
  const row = (
    what: string,
    unit: "ms" | "clients",
    sample: number,
    bar: Bar | false,
  ): MeasuredRow => ({
    what: `flood of ${load}: ${what}`,
    dynip: { name: "dynip", unit, samples: [sample] },
    result: { unit, samples: [sample] },
    ...(bar && { bar }),
  });
  const whole: Bar = { at: "least", value: CLIENTS };
  return [
    row(`acknowledged of ${CLIENTS} clients`, "clients", acknowledged, hasBar && whole),
    row("at their first datagrams", "clients", atFirst, hasBar && !isBusy && whole),
    row("median wait", "ms", median(waits), hasBar && { at: "most", value: 20 }),
    row("90th percentile", "ms", percentile(waits, 90), hasBar && { at: "most", value: 100 }),
  ];
}

function ratio(oneName: readonly number[], randomNames: readonly number[], isBusy: boolean): Row {
  const sides = [randomNames, oneName].map((waits) => percentile(waits, 90)) as [number, number];
  return {
    what: `90th percentile under random names beside one name${isBusy ? ", machine busy" : ""}`,
    dynip: { name: "random names", unit: "ms", samples: [sides[0]] },
    reference: { name: "one name", unit: "ms", samples: [sides[1]] },
    result: { unit: "times", samples: [sides[0] / sides[1]] },
    bar: { at: "most", value: 2 },
  };
}
