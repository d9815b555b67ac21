/** The output of `bun run demo`, for the picture. */
import { join } from "node:path";

import { outputOf } from "../processes.ts";

/**
 * Runs the demo and returns its output, without the line about the demo itself. Its temporary folder,
 * port and addresses become those of an installation on the internet, so that only times and counters
 * differ between runs.
 * @throws Error when the demo fails, or leaves out that the address changes
 */
export async function demoOutput(): Promise<string> {
  const output = await outputOf([process.execPath, join(import.meta.dir, "..", "demo.ts")], {
    env: { ...process.env, NO_COLOR: "1" },
    deadline: 60_000,
  });
  const folder = /^That was all\. (.*) is removed;/m.exec(output)?.[1];
  const port = /\bport (\d+)/.exec(output)?.[1];
  if (!folder || !port || !output.includes("nas moved")) throw new Error(`no story: ${output}`);
  return output
    .slice(0, output.indexOf("That was all."))
    .replaceAll(`${folder}/server`, "/home/ann")
    .replaceAll(`port ${port}`, "port 28630")
    .replaceAll("localhost", "vps.example.com")
    .replaceAll("127.0.0.1", "198.51.100.1")
    .replaceAll("127.0.0.2", "203.0.113.7")
    .replaceAll("127.0.0.3", "203.0.113.52")
    .trim();
}
