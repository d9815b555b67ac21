/** The time of `dynip ping` from start to exit, and its peak memory. */
import { copyFile } from "node:fs/promises";

import { BINARY, newSetup, newSignedSetup, serve } from "../e2e/dynip.ts";
import { receiver, temporaryFolder } from "../temporary.ts";
import { alternate } from "./alternate.ts";
import type { Bench, Row } from "./measure.ts";
import { missingBind, scriptHead, startNamed, update } from "./named.ts";
import { peakMemoryOfRun } from "./peak-memory.ts";
import { run } from "./processes.ts";
import { ratios } from "./statistics.ts";

const WHAT = "dynip ping, plain, start to exit";
const NAME = "host-000000";
const MEMORY_ROUNDS = 5;

export async function ping(bench: Bench): Promise<Row[]> {
  await using server = await receiver();
  await using setup = await newSetup({ client: `client_name = "${NAME}"` });
  const config = await Bun.file(setup.config).text();
  await Bun.write(setup.config, config.replaceAll(`${setup.port}`, `${server.port}`));
  const dynip = timed([BINARY, "ping", setup.config]);
  return [
    await besideOneDatagram(bench, dynip, server.port),
    await signedBesidePlain(bench, dynip),
    await besideNsupdate(bench, dynip),
    await memoryOfPing(bench, setup.config),
  ];
}

async function besideOneDatagram(
  bench: Bench,
  dynip: () => Promise<number>,
  port: number,
): Promise<Row> {
  const bare = timed([await bench.programs.path("one-datagram"), `${port}`, NAME]);
  const samples = await alternate(bench, { bare, dynip });
  return {
    what: WHAT,
    dynip: { name: "dynip", unit: "ms", samples: samples.dynip },
    reference: {
      name: "compiled program that sends a datagram",
      unit: "ms",
      samples: samples.bare,
    },
    result: { unit: "times", samples: ratios(samples.dynip, samples.bare) },
    bar: { at: "most", value: 1.5 },
  };
}

/** Acknowledged by a server on this machine, which writes each ping to its disk, beside a plain ping. */
async function signedBesidePlain(bench: Bench, plain: () => Promise<number>): Promise<Row> {
  await using setup = await newSignedSetup({ server: 'server_ip = "127.0.0.1"' });
  await using _server = await serve([setup.config]);
  const signed = timed([BINARY, "ping", setup.config]);
  const samples = await alternate(bench, { plain, signed });
  return {
    what: "dynip ping, signed, start to exit",
    dynip: { name: "dynip", unit: "ms", samples: samples.signed },
    reference: { name: "dynip ping, plain", unit: "ms", samples: samples.plain },
    result: { unit: "times", samples: ratios(samples.signed, samples.plain) },
    bar: { at: "most", value: 1.25 },
  };
}

/** Of copies of both executables: what the page cache holds of an older file would decide otherwise. */
async function memoryOfPing(bench: Bench, config: string): Promise<Row> {
  const what = "memory of dynip ping";
  if (process.platform !== "linux") return { what, skipped: "only Linux says how much it was" };
  await using folder = await temporaryFolder();
  await copyFile(await bench.programs.path("nothing"), folder.file("nothing"));
  await copyFile(BINARY, folder.file("dynip"));
  const samples = { nothing: [] as number[], ping: [] as number[] };
  for (let round = 1; round <= MEMORY_ROUNDS; round++) {
    bench.progress(`memory, round ${round} of ${MEMORY_ROUNDS}`);
    samples.nothing.push((await peakMemoryOfRun([folder.file("nothing")])) / 1e6);
    samples.ping.push((await peakMemoryOfRun([folder.file("dynip"), "ping", config])) / 1e6);
  }
  return {
    what,
    dynip: { name: "dynip", unit: "MB", samples: samples.ping },
    reference: { name: "empty compiled program", unit: "MB", samples: samples.nothing },
    result: { unit: "times", samples: ratios(samples.ping, samples.nothing) },
    bar: { at: "most", value: 1.4 },
  };
}

async function besideNsupdate(bench: Bench, dynip: () => Promise<number>): Promise<Row> {
  const missing = missingBind();
  if (missing) return { what: WHAT, skipped: missing };
  await using named = await startNamed();
  const script = named.file("one-update");
  await Bun.write(script, scriptHead(named.port) + update(NAME, "192.0.2.1"));
  const nsupdate = timed(named.nsupdate(script));
  const samples = await alternate(bench, { nsupdate, dynip });
  return {
    what: WHAT,
    dynip: { name: "dynip", unit: "ms", samples: samples.dynip },
    reference: { name: "nsupdate, one update", unit: "ms", samples: samples.nsupdate },
    result: { unit: "times", samples: ratios(samples.dynip, samples.nsupdate) },
    bar: { at: "most", value: 0.5 },
  };
}

/** Runs a command and resolves to its time, in milliseconds. */
function timed(command: readonly string[]): () => Promise<number> {
  return async () => (await run(command)).milliseconds;
}
