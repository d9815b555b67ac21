/**
 * The peak memory of a process, from Linux (`VmHWM`, proc_pid_status(5)). The figure of wait4(2) will
 * not do: it includes the memory of the parent before exec.
 */
import { readFileSync } from "node:fs";

/** The peak memory of a running process so far, in bytes. */
export function peakMemory(pid: number): number {
  const peak = readPeak(pid);
  if (peak === undefined) throw new Error(`process ${pid} is over`);
  return peak;
}

/**
 * The peak memory of a short process, in bytes. It is read in a loop until the process ends. The last
 * reading may miss the peak, so that the process is run several times.
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

/** Undefined when the process has ended. */
function readPeak(pid: number): number | undefined {
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}
