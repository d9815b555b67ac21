/** What `bun run demo` shows: the compiled binary at work. */
import { join } from "node:path";

import { outputOf } from "../processes.ts";

/**
 * Runs the demo. Its folder and its port, which differ each time, become those of somebody who
 * follows the README: `/home/ann` and 28630; so only times and counters differ. What it says of itself
 * is left out.
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
