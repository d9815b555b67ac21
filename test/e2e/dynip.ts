/**
 * Runs the compiled binary: the one that `DYNIP_BINARY` names, else `dist/dynip`. Every run has a
 * deadline, and no process outlives its test.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";

import { freePort, temporaryFolder } from "../temporary.ts";

const DIST = resolve(import.meta.dir, "..", "..", "dist");

export const BINARY = resolve(
  process.env["DYNIP_BINARY"] ?? `${DIST}/dynip${process.platform === "win32" ? ".exe" : ""}`,
);
if (!existsSync(BINARY)) throw new Error(`there is no ${BINARY}; "bun run build" makes it`);

/** Windows ends a process that is sent a signal without running its handlers. */
export const HAS_SIGNALS = process.platform !== "win32";

/** A slow machine, as an emulated one is, gets so many times the time. */
export const PATIENCE = Number(process.env["DYNIP_TEST_PATIENCE"] ?? 1);
const DEADLINE_MS = 10_000 * PATIENCE;
const SERVER_DEADLINE_MS = 60_000 * PATIENCE;
const SAID_MS = 5000 * PATIENCE;

export interface RunOptions {
  cwd?: string;
  /** On top of this process's environment less what steers dynip. */
  env?: Record<string, string | undefined>;
}

export interface RunResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs `dynip` with these arguments to its end. */
export async function dynip(
  args: string[],
  options: RunOptions = {},
  deadline: number = DEADLINE_MS,
): Promise<RunResult> {
  const child = spawn(args, options, deadline);
  const [exitCode, stdout, stderr] = await Promise.all([
    child.exited,
    child.stdout.text(),
    child.stderr.text(),
  ]);
  return { exitCode, stdout, stderr };
}

export interface Server {
  readonly port: number;
  readonly pid: number;
  /** What it has said on stderr so far. */
  stderr(): string;
  /** Sends a signal and resolves to the result of the whole run. */
  stop(signal?: NodeJS.Signals): Promise<RunResult>;
  /** Resolves when stderr has `text`; rejects when it does not within {@link SAID_MS}. */
  said(text: string): Promise<void>;
  /** Closes our end of its stderr: whatever it says from now on is an error to it. */
  hangUp(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts `dynip serve` and waits until it listens. */
export async function serve(args: string[], options: RunOptions = {}): Promise<Server> {
  const child = spawn(["serve", ...args], options, SERVER_DEADLINE_MS);
  let stderr = "";
  const reader = child.stderr.getReader();
  const reading = (async () => {
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      stderr += decoder.decode(value, { stream: true });
    }
  })();
  const stdout = child.stdout.text();
  const result = async (): Promise<RunResult> => {
    const exitCode = await within(DEADLINE_MS, "the server's end", child.exited);
    await reading;
    return { exitCode, stdout: await stdout, stderr };
  };
  const server: Omit<Server, "port"> = {
    pid: child.pid,
    stderr: () => stderr,
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return result();
    },
    hangUp: () => reader.cancel(),
    async said(text) {
      const deadline = Date.now() + SAID_MS;
      while (!stderr.includes(text)) {
        if (Date.now() > deadline) {
          throw new Error(`not said within ${SAID_MS} ms: ${text}\n${stderr}`);
        }
        await Bun.sleep(2);
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
  const started = await Promise.race([
    server.said("listening on").then(() => true),
    child.exited.then(() => false),
  ]).catch(async (error) => {
    await server[Symbol.asyncDispose]();
    throw error;
  });
  if (!started) {
    const { exitCode } = await result();
    throw new Error(`dynip serve ended with ${exitCode}: ${stderr}`);
  }
  return Object.assign(server, { port: Number(/UDP port (\d+)/.exec(stderr)![1]) });
}

/** A folder with a configuration for a server and clients of this machine, on a free port. */
export async function newSetup(sections: { server?: string; client?: string } = {}) {
  const folder = await temporaryFolder();
  const port = await freePort();
  const config = folder.file("dynip.toml");
  await Bun.write(
    config,
    `[server]
server_port = ${port}
${sections.server ?? ""}
[client]
server_hostname = "127.0.0.1"
server_port = ${port}
${sections.client ?? ""}
`,
  );
  const logPath = folder.file("dynip.json");
  return {
    ...folder,
    port,
    config,
    logPath,
    /** The client log as its readers see it: plain JSON. */
    readLog: (): Promise<Record<string, HostRecord>> => Bun.file(logPath).json(),
  };
}

export interface SightingRecord {
  address: string;
  since: string;
  last_seen: string;
}
export type HostRecord = Partial<Record<"ipv4" | "ipv6", SightingRecord>>;

function spawn(args: string[], { cwd, env }: RunOptions, timeout: number) {
  return Bun.spawn([BINARY, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...cleanEnvironment(), ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout,
    killSignal: "SIGKILL",
  });
}

/** Without what would steer dynip, Bun, or the colours of its output. */
function cleanEnvironment(): Record<string, string | undefined> {
  const steering = /^(DYNIP_|BUN_|JOURNAL_STREAM$|NO_COLOR$|FORCE_COLOR$|CI$|TEST$|TERM$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !steering.test(name)));
}

async function within<T>(milliseconds: number, what: string, promise: Promise<T>): Promise<T> {
  return await Promise.race([
    promise,
    Bun.sleep(milliseconds).then(() => {
      throw new Error(`not within ${milliseconds} ms: ${what}`);
    }),
  ]);
}
