/** The output of `bun run demo`, for the picture. */
import { join } from "node:path";

import { outputOf } from "../processes.ts";

/**
 * Runs the demo and returns its output, without the lines about the demo itself. Its temporary folder
 * and port become `/home/ann` and 28630, so that only times and counters differ between runs.
 */
export async function demoOutput(): Promise<string> {
  const output = await outputOf([process.execPath, join(import.meta.dir, "..", "demo.ts")], {
    env: { ...process.env, NO_COLOR: "1" },
    deadline: 60_000,
  });
  const folder = /^That was all\. (.*) is removed;/m.exec(output)?.[1];
  const port = /\bport (\d+)/.exec(output)?.[1];
  if (!folder || !port) throw new Error(`the demo failed: ${output}`);
  return output
    .slice(0, output.indexOf("That was all."))
    .replace(/^ {2}\(for this demo .*\)\n/m, "")
    .replaceAll(folder, "/home/ann")
    .replaceAll(`port ${port}`, "port 28630");
}
