/** Starts an executable to check that it works: a wrongly compiled one fails at start. */
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/**
 * Starts every subcommand, since each is compiled as a chunk of its own, and runs `init` to its end.
 * @param version the output that `--version` must have after the name
 * @throws Error when a command fails or has another output
 */
export async function tryOut(executable: string, version: string): Promise<void> {
  const config = join(dirname(executable), "dynip.toml");
  await expectOutput([executable, "--version"], `dynip ${version}\n`);
  await expectOutput([executable, "serve", "--help"], "dynip serve");
  await expectOutput([executable, "ping", "--help"], "dynip ping");
  await expectOutput([executable, "init", config], config);
}

/**
 * Runs a command to its end. Resolves to its standard output.
 * @param options the current folder, by default that of temporary files, and the environment
 * @throws Error with the command's output when it fails
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
