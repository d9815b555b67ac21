/**
 * The most memory that a process has had at once, as Linux keeps it (`VmHWM`, proc_pid_status(5)).
 * Not what wait4(2) says: that counts the memory of the process that started it, too.
 */
import { readFileSync } from "node:fs";

/** Of a process that runs, in bytes. */
export function peakMemory(pid: number): number {
  const peak = readPeak(pid);
  if (peak === undefined) throw new Error(`process ${pid} is over`);
  return peak;
}

/**
 * Of a process that is soon over, in bytes: it is asked again and again until then. It may have had
 * its peak when it was not asked, so that it is run several times.
 */
export async function peakMemoryOfRun(command: readonly string[]): Promise<number> {
  let peak = 0;
  for (let time = 0; time < RUNS; time++) peak = Math.max(peak, await pollRun(command));
  return peak;
}

const RUNS = 10;

async function pollRun(command: readonly string[]): Promise<number> {
  const child = Bun.spawn([...command], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    timeout: DEADLINE_MS,
    killSignal: "SIGKILL",
  });
  const deadline = performance.now() + DEADLINE_MS;
  let peak = 0;
  for (let now: number | undefined = 0; now !== undefined && performance.now() < deadline;) {
    peak = now;
    now = readPeak(child.pid);
  }
  const exitCode = await child.exited;
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}`);
  return peak;
}

const DEADLINE_MS = 10_000;

/** Undefined when the process is over, and has no memory any more. */
function readPeak(pid: number): number | undefined {
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}
