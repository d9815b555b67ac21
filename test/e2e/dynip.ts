/**
 * Runs the compiled binary: the one that `DYNIP_BINARY` names, by default `dist/dynip`. Every run has a
 * deadline, and every process ends with its test.
 */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";

import {
  cleanEnvironment,
  type RunningProcess,
  type RunResult,
  startProcess,
} from "../processes.ts";
import { freePort, temporaryFolder } from "../temporary.ts";
import { PATIENCE, WAIT_MS, within } from "../waiting.ts";
import { SECRET } from "./wire.ts";

const DIST = resolve(import.meta.dir, "..", "..", "dist");

export const BINARY = resolve(
  process.env["DYNIP_BINARY"] ?? `${DIST}/dynip${process.platform === "win32" ? ".exe" : ""}`,
);
if (!existsSync(BINARY)) throw new Error(`there is no ${BINARY}; "bun run build" makes it`);

/** Windows ends a process at a signal, without running its handlers. */
export const HAS_SIGNALS = process.platform !== "win32";

/** Less than the 39.5 s for which a ping waits that is given no time. */
const DEADLINE_MS = 2 * WAIT_MS;
const SERVER_DEADLINE_MS = 60_000 * PATIENCE;

export interface RunOptions {
  cwd?: string;
  /** On top of {@link cleanEnvironment}. */
  env?: Record<string, string | undefined>;
  /** A hosts file that it sees in place of this machine's, by a mount namespace: see hosts-file.ts. */
  hosts?: string;
  /** A command that runs the rest of its arguments, such as one of network.ts. */
  within?: readonly string[];
}

/**
 * Runs `dynip` with these arguments to its end.
 * @throws Error when it does not end within `deadline` milliseconds
 */
export async function dynip(
  args: string[],
  options: RunOptions = {},
  deadline: number = DEADLINE_MS,
): Promise<RunResult> {
  await using run = start(args, options, deadline + WAIT_MS);
  return await within(deadline, `the end of dynip ${args.join(" ")}`, run.result());
}

export interface Server extends Omit<RunningProcess, "said"> {
  readonly port: number;
  /** Resolves when stderr has `text`; rejects when it does not within {@link WAIT_MS}. */
  said(text: string): Promise<void>;
}

/** Starts `dynip serve` and waits until it listens. */
export async function serve(args: string[], options: RunOptions = {}): Promise<Server> {
  const server = start(["serve", ...args], options, SERVER_DEADLINE_MS);
  try {
    const [, port] = await server.said(/listening on UDP port (\d+).*\n/, WAIT_MS);
    return {
      ...server,
      port: Number(port),
      stop: (signal) => within(DEADLINE_MS, "the server's end", server.stop(signal)),
      async said(text) {
        await server.said(text, WAIT_MS);
      },
    };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Lines for the sections of a configuration, and its secret. */
export interface SetupOptions {
  server?: string;
  client?: string;
  secret?: string | undefined;
}

/** Makes a folder with a configuration for a server and clients on this machine, on a free port. */
export async function newSetup({ server = "", client = "", secret }: SetupOptions = {}) {
  const folder = await temporaryFolder();
  const port = await freePort();
  const config = folder.file("dynip.toml");
  await writeFile(
    config,
    `${secret === undefined ? "" : `secret = "${secret}"\n`}[server]
server_port = ${port}
${server}
[client]
server_hostname = "127.0.0.1"
server_port = ${port}
${client}
`,
    { mode: secret === undefined ? 0o644 : 0o600 },
  );
  const logPath = folder.file("dynip.json");
  return {
    ...folder,
    port,
    config,
    logPath,
    /** Reads the client log as other programs do, as JSON. */
    readLog: (): Promise<Record<string, HostRecord>> => Bun.file(logPath).json(),
    /** Whether the log has a host; the first snapshot may not be written yet. */
    isInLog: async (name: string): Promise<boolean> =>
      existsSync(logPath) && name in (await Bun.file(logPath).json()),
  };
}

/** The same with a secret and a client `nas`. */
export const newSignedSetup = (sections: SetupOptions = {}) =>
  newSetup({ secret: SECRET, client: 'client_name = "nas"', ...sections });

/** The hint of a signed ping that nothing answered. */
export const hintOfSilence = (port: number): string =>
  'hint: see the server\'s log, with systemd "journalctl -u dynip": "wrong MAC" means another secret or an ' +
  "older key; no line about this ping means that a firewall, a security group or a wrong port stops UDP " +
  `port ${port}. DynIP 0.1e acknowledges nothing\n`;

export interface SightingRecord {
  address: string;
  since: string;
  last_seen: string;
}
export type HostRecord = Partial<Record<"ipv4" | "ipv6", SightingRecord>>;

function start(
  args: string[],
  { cwd, env, hosts, within = [] }: RunOptions,
  deadline: number,
): RunningProcess {
  const command = [...within, BINARY, ...args];
  if (hosts !== undefined) {
    const script = 'mount --bind "$0" /etc/hosts && exec "$@"';
    command.unshift("unshare", "-m", "sh", "-c", script, hosts);
  }
  return startProcess(command, {
    ...(cwd !== undefined && { cwd }),
    env: { ...cleanEnvironment(), ...env },
    deadline,
  });
}
