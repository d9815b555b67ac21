/**
 * For how long the server's event loop stands still, at most, while it writes one snapshot after the
 * other and pings go on; and whether any of them is lost.
 */
import { statSync } from "node:fs";
import { join } from "node:path";

import { startDynip } from "./dynip-server.ts";
import type { Bench, Row } from "./measure.ts";
import { run } from "./processes.ts";

const HOSTS = 100_000;
const PINGS_PER_SECOND = 10_000;
const SECONDS = 30;
const TIMER = join(import.meta.dir, "programs", "longest-gap.ts");

export async function stall(bench: Bench): Promise<Row[]> {
  const what = "longest stall, 100,000 hosts, 10,000 pings/s";
  if (process.platform !== "linux") {
    return [{ what, skipped: "the pings come from a second address of loopback, as on Linux" }];
  }
  await using server = await startDynip(bench.clientLogs, "plain", HOSTS, {
    BUN_OPTIONS: `--preload=${TIMER}`,
  });
  bench.progress(`${SECONDS} s of pings`);
  const snapshots = countReplacements(server.logPath);
  server.kill("SIGUSR2");
  const load = [server.port, HOSTS, PINGS_PER_SECOND, PINGS_PER_SECOND * SECONDS];
  const { stdout } = await run([await bench.programs.path("paced"), ...load.map(String)]);
  server.kill("SIGUSR2");
  const longest = Number((await server.said(/longest gap (\S+) ms\n/))[1]);
  const written = snapshots.stop();
  const lost = Number(stdout) - (await server.stop());
  return [
    {
      what,
      dynip: { name: "dynip", unit: "ms", samples: [longest] },
      result: { unit: "ms", samples: [longest] },
      bar: { at: "most", value: 25 },
      notes: [
        `${written} snapshots were written in ${SECONDS} seconds; the timer ticks every 10 ms.`,
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

/** Counts how often another file takes the path. */
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
