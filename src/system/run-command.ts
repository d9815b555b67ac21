/** Runs a program of the system, such as systemctl, to its end. */
import { errorCode, reasonOf } from "./errors.ts";

export interface Outcome {
  /** 127, as a shell's, if there is no such program. */
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** A ping that hangs is ended by its scheduler after 4 minutes. */
const TIMEOUT_MS = 5 * 60_000;

/**
 * Runs a program without a shell, in English, as far as it has that.
 * @param command the program, which is looked for in PATH, and its arguments
 * @param input what it reads on its standard input
 */
export async function runCommand(command: readonly string[], input = ""): Promise<Outcome> {
  try {
    const child = Bun.spawn([...command], {
      stdin: new TextEncoder().encode(input),
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, LC_ALL: "C" },
      timeout: TIMEOUT_MS,
    });
    const [exitCode, stdout, stderr] = await Promise.all([
      child.exited,
      child.stdout.text(),
      child.stderr.text(),
    ]);
    return { exitCode, stdout, stderr };
  } catch (error) {
    const reason = errorCode(error) === "ENOENT" ? "there is no such program" : reasonOf(error);
    return { exitCode: 127, stdout: "", stderr: reason };
  }
}
