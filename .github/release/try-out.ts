/** Starts an executable, to see that it works: what is compiled wrongly dies at its start. */
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/**
 * Runs every subcommand, each of which is a chunk of its own, and has one of them do its work.
 * @param version what it must say of itself
 * @throws Error when one of them does not do what it should
 */
export async function tryOut(executable: string, version: string): Promise<void> {
  const config = join(dirname(executable), "dynip.toml");
  await expectOutput([executable, "--version"], `dynip ${version}\n`);
  await expectOutput([executable, "serve", "--help"], "dynip serve");
  await expectOutput([executable, "ping", "--help"], "dynip ping");
  await expectOutput([executable, "init", config], config);
}

/**
 * Runs a command to its end; resolves to what it printed.
 * @throws Error with all that it said when it fails
 */
export async function run(
  command: string[],
  options: { cwd?: string; env?: Readonly<Record<string, string | undefined>> } = {},
): Promise<string> {
  const child = Bun.spawn(command, {
    cwd: tmpdir(),
    stdin: "ignore",
    stderr: "pipe",
    ...options,
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const exitCode = await child.exited;
  if (exitCode === 0) return output;
  throw new Error(`${command.join(" ")} ended with ${exitCode}: ${output}${errors}`);
}

async function expectOutput(command: string[], expected: string): Promise<void> {
  const output = await run(command);
  if (!output.includes(expected)) throw new Error(`${command.join(" ")} printed: ${output}`);
}
