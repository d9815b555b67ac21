/** Starts and runs programs for tests and labs. Each has a deadline, and ends with its scope. */
import { within } from "./waiting.ts";

export interface ProcessOptions {
  cwd?: string;
  /** The whole environment; by default that of this process. */
  env?: Record<string, string | undefined>;
  /** Its standard input; by default empty. */
  input?: string | Uint8Array;
  /** Milliseconds after which it is killed. */
  deadline?: number;
}

/** The exit code and output of a program that has ended. */
export interface RunResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface RunningProcess {
  readonly pid: number;
  /** Resolves to the exit code; 128 and the signal's number where a signal ended it. */
  readonly exited: Promise<number>;
  isRunning(): boolean;
  /** What it has written to stderr so far. */
  stderr(): string;
  /**
   * Waits until stderr matches. Rejects when stderr ends without a match.
   * @param milliseconds rejects after this time as well
   */
  said(pattern: string | RegExp, milliseconds?: number): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
  /** Sends a signal, by default SIGTERM, and resolves to the result of the whole run. */
  stop(signal?: NodeJS.Signals): Promise<RunResult>;
  /** Closes our end of its stderr, so that its next write there fails. */
  hangUp(): Promise<void>;
  /** Resolves when it has ended, whatever its exit code. */
  result(): Promise<RunResult>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Runs a program to its end, whatever its exit code. */
export async function runProcess(
  command: readonly string[],
  options: ProcessOptions = {},
): Promise<RunResult> {
  return await startProcess(command, options).result();
}

/**
 * Runs a program to its end.
 * @returns what it printed
 * @throws Error when its exit code is not 0
 */
export async function outputOf(
  command: readonly string[],
  options: ProcessOptions = {},
): Promise<string> {
  return expectSuccess(command, await runProcess(command, options)).stdout;
}

/** @throws Error when the exit code is not 0, with what was said on stderr */
export function expectSuccess(command: readonly string[], result: RunResult): RunResult {
  if (result.exitCode !== 0) throw failure(command, result.exitCode, result.stderr);
  return result;
}

/** Starts a program. */
export function startProcess(
  command: readonly string[],
  { input, deadline = 20_000, ...options }: ProcessOptions = {},
): RunningProcess {
  const child = Bun.spawn([...command], {
    ...options,
    stdin: input === undefined ? "ignore" : Buffer.from(input as string),
    stdout: "pipe",
    stderr: "pipe",
    timeout: deadline,
    killSignal: "SIGKILL",
  });
  const stdout = child.stdout.text();
  const stderr = new Listener(child.stderr);
  const result = async (): Promise<RunResult> => {
    const exitCode = await child.exited;
    await stderr.ended;
    return { exitCode, stdout: await stdout, stderr: stderr.text };
  };
  return {
    pid: child.pid,
    exited: child.exited,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    stderr: () => stderr.text,
    async said(pattern, milliseconds) {
      const saying = stderr.match(
        new RegExp(pattern instanceof RegExp ? pattern : RegExp.escape(pattern)),
      );
      const match = await (milliseconds === undefined
        ? saying
        : within(milliseconds, `${pattern}`, saying).catch((error: Error) => {
            throw new Error(`${error.message}\n${stderr.text}`);
          }));
      if (!match) throw failure(command, await child.exited, stderr.text);
      return match;
    },
    kill: (signal) => child.kill(signal),
    hangUp: () => stderr.hangUp(),
    result,
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return result();
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/**
 * The environment of this process without the variables that change what dynip and Bun do or how
 * their output looks.
 */
export function cleanEnvironment(): Record<string, string | undefined> {
  const steering = /^(DYNIP_|BUN_|JOURNAL_STREAM$|NO_COLOR$|FORCE_COLOR$|CI$|TEST$|TERM$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !steering.test(name)));
}

/** Collects the text of a stream. */
class Listener {
  text = "";
  /** Resolves when the stream has ended. */
  readonly ended: Promise<void>;
  readonly hangUp: () => Promise<void>;
  #heard = Promise.withResolvers<void>();
  #isOver = false;

  constructor(stream: ReadableStream<Uint8Array>) {
    const reader = stream.getReader();
    this.ended = this.#listen(() => reader.read());
    this.hangUp = () => reader.cancel();
  }

  /** Waits until the text matches. Resolves to undefined if the stream ends without a match. */
  async match(pattern: RegExp): Promise<RegExpExecArray | undefined> {
    for (;;) {
      const match = pattern.exec(this.text);
      if (match || this.#isOver) return match ?? undefined;
      await this.#heard.promise;
    }
  }

  async #listen(
    read: () => Promise<{ done: boolean; value?: Uint8Array | undefined }>,
  ): Promise<void> {
    const decoder = new TextDecoder();
    while (!this.#isOver) {
      const { done, value } = await read();
      if (value) this.text += decoder.decode(value, { stream: true });
      this.#isOver = done;
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    }
  }
}

function failure(command: readonly string[], exitCode: number, stderr: string): Error {
  return new Error(`${command.join(" ")} ended with ${exitCode}: ${stderr}`);
}
