/** The processes of a bench: each has a deadline, and none outlives its scope. */

/** A process that goes on until it is told to end. */
export interface RunningProcess {
  readonly pid: number;
  /** How long it took from its start until it was ready, in milliseconds. */
  readonly startedIn: number;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when its stderr matches; rejects when it ends before that. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves when it has ended; rejects when its exit code is not 0. */
  ended(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a process and waits until its stderr says that it is ready.
 * @param env on top of this process's environment less what steers dynip or Bun
 */
export async function startProcess(
  command: readonly string[],
  ready: RegExp,
  env: Record<string, string> = {},
): Promise<RunningProcess> {
  const start = performance.now();
  const child = Bun.spawn([...command], {
    env: { ...environment(), ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    timeout: DEADLINE_MS,
    killSignal: "SIGKILL",
  });
  let stderr = "";
  let heard = Promise.withResolvers<void>();
  let isOver = false;
  const reading = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      stderr += chunk;
      heard.resolve();
      heard = Promise.withResolvers();
    }
    isOver = true;
    heard.resolve();
  })();
  const failure = (exitCode: number) =>
    new Error(`${command.join(" ")} ended with ${exitCode}: ${stderr}`);
  const said = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(stderr);
      if (match) return match;
      if (isOver) throw failure(await child.exited);
      await heard.promise;
    }
  };
  await said(ready);
  return {
    pid: child.pid,
    startedIn: performance.now() - start,
    kill: (signal) => child.kill(signal),
    said,
    async ended() {
      const exitCode = await child.exited;
      await reading;
      if (exitCode !== 0) throw failure(exitCode);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** A UDP server, dynip or one that it is compared with. */
export interface RunningServer extends RunningProcess {
  readonly port: number;
  /** Stops it with SIGTERM, and resolves to how many pings it says it has accepted. */
  stop(): Promise<number>;
}

/** Starts a server and waits until it says on stderr `listening on UDP port …`. */
export async function startServer(
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<RunningServer> {
  const listening = /listening on UDP port (\d+).*\n/;
  const server = await startProcess(command, listening, env);
  return {
    ...server,
    port: Number((await server.said(listening))[1]),
    async stop() {
      server.kill("SIGTERM");
      await server.ended();
      return Number((await server.said(/(\d+) pings? accepted/))[1]);
    },
  };
}

/**
 * Runs a program to its end.
 * @returns what it printed, and how long it took from start to exit, in milliseconds
 * @throws Error when its exit code is not 0
 */
export async function run(
  command: readonly string[],
): Promise<{ stdout: string; milliseconds: number }> {
  const start = performance.now();
  const child = Bun.spawn([...command], {
    env: environment(),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: DEADLINE_MS,
    killSignal: "SIGKILL",
  });
  const exitCode = await child.exited;
  const milliseconds = performance.now() - start;
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}: ${stderr}`);
  return { stdout, milliseconds };
}

/** No process of a bench takes nearly as long. */
const DEADLINE_MS = 180_000;

/** Without what would steer dynip, Bun, or the form of dynip's messages. */
function environment(): Record<string, string | undefined> {
  const steering = /^(DYNIP_|BUN_|JOURNAL_STREAM$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !steering.test(name)));
}
