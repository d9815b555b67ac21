/**
 * Python, for tests that another program can read what dynip writes, and speaks its protocol: the second
 * implementation in test/second/.
 */
import { join } from "node:path";

/** Python 3 with its standard library; undefined where there is none. */
export const PYTHON = ["python3", "python"].find((name) => {
  if (!Bun.which(name)) return false;
  const check = ["-c", "import sys, plistlib, xml.etree; sys.exit(sys.version_info < (3, 6))"];
  return Bun.spawnSync([name, ...check], { timeout: 10_000 }).exitCode === 0;
});

/** For the name of a test that is skipped. */
export const WITHOUT_PYTHON = PYTHON ? "" : " (skipped: there is no Python 3)";

/** Runs Python code with `input` as its standard input, and returns what it sets `value` to. */
export async function parseWithPython(code: string, input: string | Uint8Array): Promise<unknown> {
  const program = `import json, sys\n${code}\njson.dump(value, sys.stdout)`;
  const run = Bun.spawnSync([PYTHON!, "-c", program], {
    stdin: typeof input === "string" ? new TextEncoder().encode(input) : input,
    timeout: 10_000,
  });
  if (run.exitCode !== 0) throw new Error(run.stderr.toString());
  return JSON.parse(run.stdout.toString());
}

/** Starts the second implementation of the protocol; it ends within 20 seconds. */
export function startSecondImplementation(...args: string[]) {
  return Bun.spawn([PYTHON!, join(import.meta.dir, "second", "dynip1.py"), ...args], {
    stdin: "pipe",
    stdout: "pipe",
    timeout: 20_000,
  });
}
