/**
 * `bun run bench [MEASURE…] [--json FILE]`: measures dynip and, in the same run, other programs that
 * do the same work. Runs all measures unless some are named. A missed bar is reported, but does not
 * fail the run, since the figures depend on the machine.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { HAS_SIGNALS } from "../e2e/dynip.ts";
import { temporaryFolder } from "../temporary.ts";
import { bind } from "./bind.ts";
import { ClientLogs } from "./client-logs.ts";
import { disk } from "./disk.ts";
import { flood } from "./flood.ts";
import { find } from "./find.ts";
import { http } from "./http.ts";
import { hosts } from "./hosts.ts";
import { describeMachine, isBusy, isInMemory, machineText } from "./machine.ts";
import type { Measure, Row } from "./measure.ts";
import { memory } from "./memory.ts";
import { old } from "./old.ts";
import { picture } from "./picture.ts";
import { ping } from "./ping.ts";
import { plain } from "./plain.ts";
import { Programs } from "./programs.ts";
import { signed } from "./signed.ts";
import { size } from "./size.ts";
import { stall } from "./stall.ts";
import { start } from "./start.ts";
import { table } from "./table.ts";

const MEASURES: Readonly<Record<string, Measure>> = {
  plain: withSignals(plain),
  hosts: withSignals(hosts),
  signed: withSignals(signed),
  bind: withSignals(bind),
  old: withSignals(old),
  ping,
  start,
  find: withSignals(find),
  http: withSignals(http),
  memory,
  stall,
  flood,
  disk,
  size,
};

/** The picture in .github/BENCHMARKS.md, drawn only after a whole run, so that all its figures are of one day. */
const PICTURE = join(import.meta.dir, "..", "..", ".github", "bench.svg");

const { wanted, json } = readArguments();
const machine = await describeMachine();
if (isInMemory(machine)) console.error(`warning: ${tmpdir()} is in memory: nothing is synced`);
if (isBusy(machine)) console.error("warning: this machine is busy with something else");
const measured: { measure: string; rows: Row[] }[] = [];
{
  await using folder = await temporaryFolder();
  const programs = new Programs(folder.path);
  const clientLogs = new ClientLogs(folder.path);
  for (const measure of wanted) {
    const began = performance.now();
    const progress = (text: string) => console.error(`${measure}: ${text}`);
    let rows: Row[];
    try {
      rows = await MEASURES[measure]!({ programs, clientLogs, progress });
    } catch (error) {
      // One failure does not throw away minutes of other measures.
      console.error(error);
      rows = [{ what: measure, skipped: `it failed: ${(error as Error).message.split("\n")[0]}` }];
      process.exitCode = 1;
    }
    measured.push({ measure, rows });
    progress(`done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }
}
const rows = measured.flatMap(({ rows }) => rows);
console.log(`\n${table(rows)}\n\n${machineText(machine)}`);
if (wanted.length === Object.keys(MEASURES).length) {
  await Bun.write(PICTURE, picture(rows, machineText(machine)));
}
if (json !== undefined) {
  await Bun.write(json, `${JSON.stringify({ machine, measures: measured }, undefined, 2)}\n`);
}

function readArguments(): { wanted: string[]; json: string | undefined } {
  const all = Object.keys(MEASURES);
  try {
    const { values, positionals } = parseArgs({
      options: { json: { type: "string" } },
      allowPositionals: true,
    });
    const unknown = positionals.find((name) => !all.includes(name));
    if (unknown !== undefined) throw new Error(`there is no measure "${unknown}"`);
    const wanted =
      positionals.length === 0 ? all : all.filter((name) => positionals.includes(name));
    return { wanted, json: values.json };
  } catch (error) {
    console.error(`error: ${(error as Error).message}; the measures are ${all.join(", ")}`);
    process.exit(1);
  }
}

/** Skips a measure that needs what servers print when they are stopped. */
function withSignals(measure: Measure): Measure {
  if (HAS_SIGNALS) return measure;
  const skipped = "Windows ends a server before it has said what it accepted";
  return async () => [{ what: measure.name, skipped }];
}
