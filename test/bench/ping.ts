/** The time of `dynip ping` from start to exit. */
import { BINARY, newSetup } from "../e2e/dynip.ts";
import { receiver } from "../temporary.ts";
import { alternate } from "./alternate.ts";
import type { Bench, Row } from "./measure.ts";
import { missingBind, scriptHead, startNamed, update } from "./named.ts";
import { run } from "./processes.ts";
import { ratios } from "./statistics.ts";

const WHAT = "dynip ping, plain, start to exit";
const NAME = "host-000000";

export async function ping(bench: Bench): Promise<Row[]> {
  await using server = await receiver();
  await using setup = await newSetup({ client: `client_name = "${NAME}"` });
  const config = await Bun.file(setup.config).text();
  await Bun.write(setup.config, config.replaceAll(`${setup.port}`, `${server.port}`));
  const dynip = timed([BINARY, "ping", setup.config]);
  return [await besideOneDatagram(bench, dynip, server.port), await besideNsupdate(bench, dynip)];
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
