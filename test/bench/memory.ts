/** The peak memory of the server. That of a ping is in ping.ts. */
import { startDynip } from "./dynip-server.ts";
import type { Bar, Bench, Row } from "./measure.ts";
import { peakMemory } from "./peak-memory.ts";
import { run, startServer } from "./processes.ts";
import { median, ratios } from "./statistics.ts";

const ROUNDS = 5;
const HOSTS = 1_000_000;
const BAR: Bar = { at: "most", value: 300 };

/** A rate at which no ping is lost, neither of new hosts nor of known ones. */
const PINGS_PER_SECOND = 50_000;

/** The time after which a process has done its start-up work. */
const SETTLE_MS = 1000;

export async function memory(bench: Bench): Promise<Row[]> {
  if (process.platform !== "linux") {
    return [{ what: "peak memory", skipped: "only Linux says how much it was" }];
  }
  const { row, idle } = await idleServer(bench);
  return [row, await perHost(bench, idle), await perHostLoaded(bench, idle)];
}

async function idleServer(bench: Bench): Promise<{ row: Row; idle: number }> {
  const samples = { timer: [] as number[], idle: [] as number[] };
  for (let round = 1; round <= ROUNDS; round++) {
    bench.progress(`idle, round ${round} of ${ROUNDS}`);
    await using timer = await startServer([await bench.programs.path("timer")]);
    await using server = await startDynip(bench.clientLogs, "plain", 0);
    await Bun.sleep(SETTLE_MS);
    samples.timer.push(peakMemory(timer.pid) / 1e6);
    samples.idle.push(peakMemory(server.pid) / 1e6);
  }
  return {
    idle: median(samples.idle),
    row: {
      what: "memory of the server, idle",
      dynip: { name: "dynip", unit: "MB", samples: samples.idle },
      reference: { name: "compiled program with a timer", unit: "MB", samples: samples.timer },
      result: { unit: "times", samples: ratios(samples.idle, samples.timer) },
      bar: { at: "most", value: 1.5 },
    },
  };
}

/** The memory per host of a server that a million hosts have pinged twice. */
async function perHost(bench: Bench, idle: number): Promise<Row> {
  bench.progress(`${HOSTS} hosts ping`);
  await using server = await startDynip(bench.clientLogs, "plain", 0);
  const load = [server.port, HOSTS, PINGS_PER_SECOND, 2 * HOSTS];
  await run([await bench.programs.path("paced"), ...load.map(String)]);
  await Bun.sleep(SETTLE_MS);
  const peak = peakMemory(server.pid) / 1e6;
  await server.stop();
  const known = await countHosts(server.logPath);
  return rowPerHost("memory per host, when 1,000,000 have pinged", { peak, idle, known }, BAR);
}

/** The memory per host of a server that has read a million hosts from its log. */
async function perHostLoaded(bench: Bench, idle: number): Promise<Row> {
  bench.progress(`${HOSTS} hosts in the log`);
  await using server = await startDynip(bench.clientLogs, "plain", HOSTS);
  await Bun.sleep(SETTLE_MS);
  const peak = peakMemory(server.pid) / 1e6;
  return rowPerHost("memory per host, when 1,000,000 are read at the start", {
    peak,
    idle,
    known: HOSTS,
  });
}

function rowPerHost(
  what: string,
  { peak, idle, known }: { peak: number; idle: number; known: number },
  bar?: Bar,
): Row {
  return {
    what,
    dynip: { name: "dynip", unit: "MB", samples: [peak] },
    reference: { name: "itself, idle", unit: "MB", samples: [idle] },
    result: { unit: "bytes", samples: [((peak - idle) * 1e6) / known] },
    ...(bar ? { bar } : {}),
    notes: [`${known.toLocaleString("en")} hosts.`],
  };
}

/** Counts lines: the log has one per host, and one for each brace. */
async function countHosts(logPath: string): Promise<number> {
  let newlines = 0;
  for await (const chunk of Bun.file(logPath).stream()) {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) newlines++;
  }
  return newlines - 2;
}
