/**
 * The time from the server's start until it listens: with 100,000 and with 1,000,000 hosts in its log
 * beside `JSON.parse` of the same file, and with names that are made to collide beside ordinary ones.
 * And the peak memory with a million hosts.
 */
import { alternate } from "./alternate.ts";
import type { Kind } from "./client-logs.ts";
import { startDynip } from "./dynip-server.ts";
import type { Bench, Row } from "./measure.ts";
import { peakMemory } from "./peak-memory.ts";
import { run } from "./processes.ts";
import { ratios } from "./statistics.ts";

const HOSTS = 100_000;
const MANY_HOSTS = 1_000_000;
const ROUNDS_WITH_MANY = 3;
const COLLIDING_HOSTS = 30_000;

export async function start(bench: Bench): Promise<Row[]> {
  return [await withHosts(bench), await withCollidingHosts(bench), ...(await withManyHosts(bench))];
}

async function withHosts(bench: Bench): Promise<Row> {
  const parse = await bench.programs.path("parse");
  const log = await bench.clientLogs.path("plain", HOSTS);
  const { parsed, dynip } = await alternate(bench, {
    parsed: async () => Number((await run([parse, log])).stdout),
    async dynip() {
      await using server = await startDynip(bench.clientLogs, "plain", HOSTS);
      return server.startedIn;
    },
  });
  return {
    what: "dynip serve, start to listening, 100,000 hosts",
    dynip: { name: "dynip", unit: "ms", samples: dynip },
    reference: { name: "JSON.parse of the same file", unit: "ms", samples: parsed },
    result: { unit: "times", samples: ratios(dynip, parsed) },
    bar: { at: "most", value: 6 },
  };
}

/** Half of them collide in xxHash32, half in the engine's hash of keys. */
async function withCollidingHosts(bench: Bench): Promise<Row> {
  const startedIn = async (kind: Kind) => {
    await using server = await startDynip(bench.clientLogs, kind, COLLIDING_HOSTS);
    return server.startedIn;
  };
  const { ordinary, colliding } = await alternate(bench, {
    ordinary: () => startedIn("plain"),
    colliding: () => startedIn("colliding"),
  });
  return {
    what: "dynip serve, start to listening, 30,000 names that collide",
    dynip: { name: "dynip", unit: "ms", samples: colliding },
    reference: { name: "30,000 ordinary names", unit: "ms", samples: ordinary },
    result: { unit: "times", samples: ratios(colliding, ordinary) },
    bar: { at: "most", value: 10 },
  };
}

/** Signed hosts: their log is a quarter longer than that of plain ones. */
async function withManyHosts(bench: Bench): Promise<Row[]> {
  const parse = await bench.programs.path("parse");
  const log = await bench.clientLogs.path("signed", MANY_HOSTS);
  const parsed: number[] = [];
  const dynip: number[] = [];
  const peaks: number[] = [];
  for (let round = 1; round <= ROUNDS_WITH_MANY; round++) {
    bench.progress(`a million hosts, round ${round} of ${ROUNDS_WITH_MANY}`);
    parsed.push(Number((await run([parse, log])).stdout));
    await using server = await startDynip(bench.clientLogs, "signed", MANY_HOSTS);
    dynip.push(server.startedIn);
    if (process.platform === "linux") peaks.push(peakMemory(server.pid) / 1e6);
  }
  const memory = "memory of dynip serve at its start, 1,000,000 hosts";
  return [
    {
      what: "dynip serve, start to listening, 1,000,000 hosts",
      dynip: { name: "dynip", unit: "ms", samples: dynip },
      reference: { name: "JSON.parse of the same file", unit: "ms", samples: parsed },
      result: { unit: "ms", samples: dynip },
      bar: { at: "most", value: 5000 },
    },
    peaks.length === 0
      ? { what: memory, skipped: "only Linux tells a process's peak memory" }
      : {
          what: memory,
          dynip: { name: "dynip", unit: "MB", samples: peaks },
          result: { unit: "MB", samples: peaks },
          bar: { at: "most", value: 1400 },
        },
  ];
}
