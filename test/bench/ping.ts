/** How long `dynip ping` takes, plain, from its start to its exit. */
import { BINARY, newSetup } from "../e2e/dynip.ts";
import { receiver } from "../temporary.ts";
import { alternate } from "./alternate.ts";
import type { Bench, Row } from "./measure.ts";
import { run } from "./processes.ts";
import { ratios } from "./statistics.ts";

export async function ping(bench: Bench): Promise<Row[]> {
  await using server = await receiver();
  await using setup = await newSetup({ client: 'client_name = "host-000000"' });
  const config = await Bun.file(setup.config).text();
  await Bun.write(setup.config, config.replaceAll(`${setup.port}`, `${server.port}`));
  const oneDatagram = await bench.programs.path("one-datagram");
  const { bare, dynip } = await alternate(bench, {
    bare: async () => (await run([oneDatagram, `${server.port}`, "host-000000"])).milliseconds,
    dynip: async () => (await run([BINARY, "ping", setup.config])).milliseconds,
  });
  return [
    {
      what: "dynip ping, plain, start to exit",
      dynip: { name: "dynip", unit: "ms", samples: dynip },
      reference: { name: "compiled program that sends a datagram", unit: "ms", samples: bare },
      result: { unit: "times", samples: ratios(dynip, bare) },
      bar: { at: "most", value: 1.5 },
    },
  ];
}
