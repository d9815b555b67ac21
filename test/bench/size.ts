/** The size of the executable, beside one that does nothing. */
import { stat } from "node:fs/promises";

import { BINARY } from "../e2e/dynip.ts";
import type { Bench, Row } from "./measure.ts";

export async function size(bench: Bench): Promise<Row[]> {
  const megabytes = async (path: string) => (await stat(path)).size / 1e6;
  const dynip = await megabytes(BINARY);
  const empty = await megabytes(await bench.programs.path("nothing"));
  const runtime = await megabytes(process.execPath);
  return [
    {
      what: "size of the executable",
      dynip: { name: "dynip", unit: "MB", samples: [dynip] },
      reference: { name: "empty compiled program", unit: "MB", samples: [empty] },
      result: { unit: "MB", samples: [dynip - empty] },
      bar: { at: "most", value: 1 },
      notes: [`The Bun that compiled both has ${runtime.toFixed(1)} MB itself.`],
    },
  ];
}
