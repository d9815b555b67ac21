/** Starts, stops and times the programs of a bench. */
import {
  cleanEnvironment,
  expectSuccess,
  type RunningProcess,
  startProcess,
} from "../processes.ts";

/** A program that runs until it is stopped. */
export interface RunningProgram extends RunningProcess {
  /** The time from its start until it was ready, in milliseconds. */
  readonly startedIn: number;
}

/**
 * Starts a program and waits until its stderr says that it is ready.
 * @param env on top of {@link cleanEnvironment}
 */
export async function startProgram(
  command: readonly string[],
  ready: RegExp,
  env: Record<string, string> = {},
): Promise<RunningProgram> {
  const start = performance.now();
  const program = startProcess(command, {
    env: { ...cleanEnvironment(), ...env },
    deadline: DEADLINE_MS,
  });
  await program.said(ready);
  return { ...program, startedIn: performance.now() - start };
}

/** A UDP server: dynip, or one that it is compared with. */
export interface RunningServer extends Omit<RunningProgram, "stop"> {
  readonly port: number;
  /** Stops it with SIGTERM, and resolves to the number of pings it says it has accepted. */
  stop(): Promise<number>;
}

/** Starts a server and waits until it says on stderr `listening on UDP port …`. */
export async function startServer(
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<RunningServer> {
  const listening = /listening on UDP port (\d+).*\n/;
  const server = await startProgram(command, listening, env);
  return {
    ...server,
    port: Number(listening.exec(server.stderr())![1]),
    async stop() {
      const { stderr } = expectSuccess(command, await server.stop());
      return Number(/(\d+) pings? accepted/.exec(stderr)![1]);
    },
  };
}

/**
 * Runs a program to its end.
 * @returns what it printed, and the time from start to exit, in milliseconds
 * @throws Error when its exit code is not 0
 */
export async function run(
  command: readonly string[],
): Promise<{ stdout: string; milliseconds: number }> {
  const start = performance.now();
  const program = startProcess(command, { env: cleanEnvironment(), deadline: DEADLINE_MS });
  await program.exited;
  const milliseconds = performance.now() - start;
  const { stdout } = expectSuccess(command, await program.result());
  return { stdout, milliseconds };
}

/** Far longer than any program of a bench takes. */
const DEADLINE_MS = 180_000;
