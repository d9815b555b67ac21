/** Pings per second, beside a stand-in for DynIP 0.1e, which writes the whole log for each ping. */
import { join } from "node:path";

import { temporaryFolder } from "../temporary.ts";
import type { Bar, Bench, Row } from "./measure.ts";
import { startServer } from "./processes.ts";
import { dynipPlainRound, dynipSignedRound, plainRound } from "./rounds.ts";
import { ratios } from "./statistics.ts";

const ROUNDS = 3;
const COUNTS = [1, 1000, 10_000];
const BAR_AT = 1000;
const BAR: Bar = { at: "least", value: 100 };
const STAND_IN = join(import.meta.dir, "programs", "old.py");
const NAME = "a stand-in for DynIP 0.1e";

export async function old(bench: Bench): Promise<Row[]> {
  if (!Bun.which("python3")) return [{ what: "DynIP 0.1e's way", skipped: "there is no python3" }];
  const rows: Row[] = [];
  for (const hosts of COUNTS) {
    const samples = { old: [] as number[], plain: [] as number[], signed: [] as number[] };
    for (let round = 1; round <= ROUNDS; round++) {
      bench.progress(`round ${round} of ${ROUNDS}, ${hosts.toLocaleString("en")} hosts`);
      samples.old.push(await oldRound(bench, hosts));
      samples.plain.push(await dynipPlainRound(bench, hosts));
      if (hosts === BAR_AT) samples.signed.push((await dynipSignedRound(bench, hosts)).perSecond);
    }
    const row = (what: string, dynip: number[]): Row => ({
      what,
      dynip: { name: "dynip", unit: "/s", samples: dynip },
      reference: { name: NAME, unit: "/s", samples: samples.old },
      result: { unit: "times", samples: ratios(dynip, samples.old) },
      ...(hosts === BAR_AT ? { bar: BAR } : {}),
    });
    const known = `${hosts.toLocaleString("en")} host${hosts === 1 ? "" : "s"}`;
    rows.push(row(`plain pings, ${known}`, samples.plain));
    if (hosts === BAR_AT)
      rows.push(row(`signed pings, acknowledged, 256 in flight, ${known}`, samples.signed));
  }
  return rows;
}

async function oldRound(bench: Bench, hosts: number): Promise<number> {
  await using folder = await temporaryFolder();
  const command = ["python3", STAND_IN, folder.file("dynip.json"), String(hosts)];
  await using server = await startServer(command);
  return await plainRound(bench, server, hosts, 0);
}
