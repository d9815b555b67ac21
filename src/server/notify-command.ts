/**
 * Tells a notice by a command: a program and its arguments, without a shell. It gets what happened in
 * its environment and as JSON on its standard input, and has 60 seconds.
 *
 * On Linux and macOS it leads a process group of its own. 60 seconds after its start everything that is
 * left of the group is killed, the command itself or what it started and left behind. On Windows
 * `taskkill /T` ends the command and what it started.
 */
import { bodyOf, type Notice, variablesOf } from "./notices.ts";
import type { Told, Way } from "./notice-queue.ts";

export interface CommandParts {
  /** The environment of the server. */
  env: Readonly<Record<string, string | undefined>>;
  platform: NodeJS.Platform;
  /** How long a command may run, in milliseconds. */
  limit?: number;
  /** The words of an operating system's error. */
  reasonOf: (error: unknown) => string;
}

/** Makes the way. @param command a program and its arguments, at least the program */
export function commandWay(command: readonly string[], parts: CommandParts): Way {
  const env = allowed(parts.env);
  return {
    what: `command "${command[0]}"`,
    batch: 1,
    pauses: [],
    tell: ([notice], signal) => run(command, notice!, env, { limit: LIMIT_MS, ...parts }, signal),
  };
}

async function run(
  command: readonly string[],
  notice: Notice,
  env: Readonly<Record<string, string>>,
  { platform, limit, reasonOf }: Required<CommandParts>,
  signal: AbortSignal,
): Promise<Told> {
  let child: Child;
  try {
    child = start(command, notice, env, platform);
  } catch (error) {
    return { isTold: false, answer: `it cannot be started: ${reasonOf(error)}` };
  }
  let isLate = false;
  const end = (): void => killAll(child.pid, platform);
  const timer = setTimeout(() => {
    isLate = true;
    end();
    signal.removeEventListener("abort", end);
  }, limit);
  signal.addEventListener("abort", end);
  const output = new LastLine([child.stdout, child.stderr]);
  await child.exited;
  const line = await output.end();
  if (isLate || !hasMembers(child.pid, platform)) {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  } // Otherwise what it left behind has the rest of the time.
  const how =
    isLate && child.exitCode !== 0
      ? `it ran for more than ${limit / 1000} seconds and was ended`
      : child.signalCode === null
        ? `exit code ${child.exitCode}`
        : `it was ended by ${child.signalCode}`;
  return { isTold: child.exitCode === 0, answer: line === "" ? how : `${how}: ${line}` };
}

type Child = Bun.Subprocess<Uint8Array, "pipe", "pipe">;
interface Reader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/** @throws the operating system's error, such as ENOENT */
function start(
  command: readonly string[],
  notice: Notice,
  env: Readonly<Record<string, string>>,
  platform: NodeJS.Platform,
): Child {
  return Bun.spawn([...command], {
    env: { ...env, ...variablesOf(notice) },
    stdin: new TextEncoder().encode(`${JSON.stringify(bodyOf([notice]))}\n`),
    stdout: "pipe",
    stderr: "pipe",
    detached: platform !== "win32",
    windowsHide: true,
  });
}

/** The environment that a command gets, without the secrets of dynip and what steers Bun. */
function allowed(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const kept = Object.entries(env).filter(
    ([name]) => !/^(?:DYNIP_(?:SECRET|KEY)|BUN_)/i.test(name),
  );
  return Object.fromEntries(kept) as Record<string, string>;
}

/** Kills a command and what it has started. */
function killAll(pid: number, platform: NodeJS.Platform): void {
  try {
    if (platform === "win32") Bun.spawn(["taskkill", "/T", "/F", "/PID", String(pid)], QUIET);
    else process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing is left of it.
  }
}

/** Whether something is left of the process group of a command that has ended. */
function hasMembers(pid: number, platform: NodeJS.Platform): boolean {
  if (platform === "win32") return false;
  try {
    return process.kill(-pid, 0);
  } catch {
    return false;
  }
}

/**
 * Reads what a command writes and keeps the last line. It reads slowly, so that a flood takes no time
 * from the pings: the command waits.
 */
class LastLine {
  #tail = "";
  readonly #readers: readonly Reader[];
  readonly #ended: Promise<unknown>;

  constructor(streams: readonly ReadableStream<Uint8Array>[]) {
    this.#readers = streams.map((stream) => stream.getReader());
    this.#ended = Promise.all(this.#readers.map((reader) => this.#read(reader)));
  }

  /** The last line. What still holds the streams when the command has ended is not waited for. */
  async end(): Promise<string> {
    await Promise.race([this.#ended, Bun.sleep(LAST_WORDS_MS)]);
    for (const reader of this.#readers) reader.cancel().catch(() => {});
    return (
      this.#tail
        .trimEnd()
        .split(/[\r\n]/)
        .pop() ?? ""
    )
      .trim()
      .slice(0, MAX_LINE_LENGTH);
  }

  async #read(reader: Reader): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        const text = decoder.decode(value!.subarray(-MAX_TAIL_BYTES), { stream: true });
        this.#tail = (this.#tail + text).slice(-MAX_TAIL_BYTES);
        await Bun.sleep(PAUSE_MS);
      }
    } catch {
      // The stream is broken, or was cancelled.
    }
  }
}

const LIMIT_MS = 60_000;
/** How long what a command wrote last is waited for when it has ended. */
const LAST_WORDS_MS = 200;
/** The pause between two reads of at most 64 KiB. */
const PAUSE_MS = 10;
const MAX_TAIL_BYTES = 4096;
const MAX_LINE_LENGTH = 200;
const QUIET = { stdin: "ignore", stdout: "ignore", stderr: "ignore", windowsHide: true } as const;
