/** What `bun run demo` shows: the compiled binary at work. */
import { join } from "node:path";

/**
 * Runs the demo. Its folder and its port, which differ each time, become those of somebody who
 * follows the README: `/home/ann` and 28630; so only times and counters differ. What it says of itself
 * is left out.
 */
export async function demoOutput(): Promise<string> {
  const demo = Bun.spawn([process.execPath, join(import.meta.dir, "..", "demo.ts")], {
    env: { ...process.env, NO_COLOR: "1" },
    stdout: "pipe",
    stderr: "inherit",
    timeout: 60_000,
  });
  const output = await demo.stdout.text();
  const folder = /^That was all\. (.*) is removed;/m.exec(output)?.[1];
  const port = /\bport (\d+)/.exec(output)?.[1];
  if ((await demo.exited) !== 0 || !folder || !port) throw new Error(`the demo failed: ${output}`);
  return output
    .slice(0, output.indexOf("That was all."))
    .replace(/^ {2}\(for this demo .*\)\n/m, "")
    .replaceAll(folder, "/home/ann")
    .replaceAll(`port ${port}`, "port 28630");
}
