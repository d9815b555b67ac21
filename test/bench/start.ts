/** How long the server takes from its start until it listens, with 100,000 hosts in its log. */
import { alternate } from "./alternate.ts";
import { startDynip } from "./dynip-server.ts";
import type { Bench, Row } from "./measure.ts";
import { run } from "./processes.ts";
import { ratios } from "./statistics.ts";

const HOSTS = 100_000;

export async function start(bench: Bench): Promise<Row[]> {
  const parse = await bench.programs.path("parse");
  const log = await bench.clientLogs.path("plain", HOSTS);
  const { parsed, dynip } = await alternate(bench, {
    parsed: async () => Number((await run([parse, log])).stdout),
    async dynip() {
      await using server = await startDynip(bench.clientLogs, "plain", HOSTS);
      return server.startedIn;
    },
  });
  return [
    {
      what: "dynip serve, start to listening, 100,000 hosts",
      dynip: { name: "dynip", unit: "ms", samples: dynip },
      reference: { name: "JSON.parse of the same file", unit: "ms", samples: parsed },
      result: { unit: "times", samples: ratios(dynip, parsed) },
      bar: { at: "most", value: 3 },
    },
  ];
}
