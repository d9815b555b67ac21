/**
 * The longest time that the server's event loop stands still while snapshots are written and pings
 * arrive, and the number of pings lost.
 */
import { statSync } from "node:fs";
import { join } from "node:path";

import { startDynip } from "./dynip-server.ts";
import type { Bench, Row } from "./measure.ts";
import { run, type RunningServer, startServer } from "./processes.ts";
import { format } from "./table.ts";

const HOSTS = 100_000;
const PINGS_PER_SECOND = 10_000;
const SECONDS = 30;
const TIMER = join(import.meta.dir, "programs", "longest-gap.ts");

export async function stall(bench: Bench): Promise<Row[]> {
  const what = "longest stall, 100,000 hosts, 10,000 pings/s";
  if (process.platform !== "linux") {
    return [{ what, skipped: "the pings come from a second address of loopback, as on Linux" }];
  }
  const env = { BUN_OPTIONS: `--preload=${TIMER}` };
  await using server = await startDynip(bench.clientLogs, "plain", HOSTS, env);
  await using idle = await startServer([await bench.programs.path("timer")], env);
  bench.progress(`${SECONDS} s of pings`);
  const snapshots = countReplacements(server.logPath);
  for (const process of [server, idle]) process.kill("SIGUSR2");
  const load = [server.port, HOSTS, PINGS_PER_SECOND, PINGS_PER_SECOND * SECONDS];
  const { stdout } = await run([await bench.programs.path("paced"), ...load.map(String)]);
  for (const process of [server, idle]) process.kill("SIGUSR2");
  const longest = await longestGap(server);
  const ofIdle = await longestGap(idle);
  const written = snapshots.stop();
  const lost = Number(stdout) - (await server.stop());
  return [
    {
      what,
      dynip: { name: "dynip", unit: "ms", samples: [longest] },
      result: { unit: "ms", samples: [longest] },
      bar: { at: "most", value: 25 },
      notes: [
        `${written} snapshots were written in ${SECONDS} seconds.`,
        `The timer ticks every 10 ms; in a process that does nothing its longest gap was ${format(ofIdle, "ms")}.`,
      ],
    },
    {
      what: "lost of these pings",
      dynip: { name: "dynip", unit: "datagrams", samples: [lost] },
      result: { unit: "datagrams", samples: [lost] },
      bar: { at: "most", value: 0 },
    },
  ];
}

async function longestGap(process: RunningServer): Promise<number> {
  return Number((await process.said(/longest gap (\S+) ms\n/))[1]);
}

/** Counts how often the file at a path is replaced. */
function countReplacements(path: string): { stop(): number } {
  let count = 0;
  let inode = statSync(path).ino;
  const timer = setInterval(() => {
    const now = statSync(path).ino;
    if (now !== inode) count++;
    inode = now;
  }, 10);
  return {
    stop() {
      clearInterval(timer);
      return count;
    },
  };
}
