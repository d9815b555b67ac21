/**
 * A machine with systemd or cron for tests: a Debian in a folder, booted by systemd-nspawn in namespaces
 * of its own, with nothing but loopback. What a test changes is in memory, and gone at the end.
 */
import { readFile } from "node:fs/promises";

import { BINARY } from "../e2e/dynip.ts";

/** The folder with Debian that `bun run check:systemd` made; undefined in other runs. */
export const FOLDER = process.env["DYNIP_SYSTEMD_FOLDER"];

export interface Result {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface Machine {
  /** Runs a program there, as root. */
  run(command: readonly string[]): Promise<Result>;
  /** Runs a script of sh there, as root, and expects it to succeed; what it writes to stdout. */
  sh(script: string): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Where the machine has the executable. A service cannot start it from there. */
export const DYNIP = "/home/ann/dynip";

/**
 * A machine that systemd has booted, with a user ann, whose home is hers alone.
 * @param files of this machine that it has, too, each with its path there
 */
export function bootedMachine(files: Readonly<Record<string, string>> = {}): Promise<Machine> {
  // "degraded" is enough: what else Debian starts may fail in a container.
  const booted = "systemctl is-system-running 2>&1 | grep -E 'running|degraded'";
  return machineWhen([...bindings(files), "--boot"], booted);
}

/** The same machine with cron, and without systemd. */
export function machineWithCron(files: Readonly<Record<string, string>> = {}): Promise<Machine> {
  const cron = ["--as-pid2", "sh", "-c", "cron; exec sleep infinity"];
  return machineWhen([...bindings(files), ...cron], "pidof cron");
}

function bindings(files: Readonly<Record<string, string>>): string[] {
  return Object.entries(files).map(([file, there]) => `--bind-ro=${file}:${there}`);
}

/**
 * Starts a machine, and makes ann's home.
 * @param ready a command of sh that succeeds when the machine is ready
 */
async function machineWhen(boot: readonly string[], ready: string): Promise<Machine> {
  const machine = await start(boot);
  try {
    await machine.sh(`until ${ready}; do sleep 0.05; done
useradd --create-home ann && chmod 700 /home/ann && cp /dynip.bound ${DYNIP}`);
    return machine;
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
}

async function start(boot: readonly string[]): Promise<Machine> {
  const nspawn = Bun.spawn(
    [
      ...["systemd-nspawn", "--quiet", `--directory=${FOLDER!}`, "--volatile=overlay"],
      ...["--register=no", "--keep-unit", "--private-network", "--link-journal=no"],
      ...["--machine=dynip-test", `--bind-ro=${BINARY}:/dynip.bound`, "--console=pipe", ...boot],
    ],
    { stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  );
  const stderr = nspawn.stderr.text();
  const leader = await leaderOf(nspawn.pid).catch(async (error) => {
    nspawn.kill("SIGKILL");
    throw new Error(`systemd-nspawn did not start: ${await stderr}`, { cause: error });
  });
  const run = async (command: readonly string[]): Promise<Result> => {
    const child = Bun.spawn(
      ["nsenter", `--target=${leader}`, "--all", ...ENVIRONMENT, ...command],
      {
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        timeout: 120_000,
      },
    );
    const [exitCode, stdout, text] = await Promise.all([
      child.exited,
      child.stdout.text(),
      child.stderr.text(),
    ]);
    return { exitCode, stdout, stderr: text };
  };
  return {
    run,
    async sh(script) {
      const result = await run(["sh", "-c", script]);
      if (result.exitCode === 0) return result.stdout;
      throw new Error(`${script}: ${result.exitCode}\n${result.stdout}${result.stderr}`);
    },
    async [Symbol.asyncDispose]() {
      process.kill(leader, "SIGKILL"); // the first process of the machine, and so all of them
      await nspawn.exited;
    },
  };
}

const ENVIRONMENT = [
  ...["env", "-i", "HOME=/root", "LC_ALL=C.UTF-8"],
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
];

/** The process id of a machine's first process, once it has the machine's root. */
async function leaderOf(nspawn: number): Promise<number> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await Bun.sleep(20)) {
    const children = await readFile(`/proc/${nspawn}/task/${nspawn}/children`, "utf8");
    for (const child of children.trim().split(" ")) {
      if (await isFirst(child)) return Number(child);
    }
  }
  throw new Error("no first process within 30 seconds");
}

/** systemd-nspawn has other children, too, which are gone after a moment. */
async function isFirst(pid: string): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const isNumberOne = /^NSpid:\t\d+\t1$/m.test(status);
  // Until it runs the machine's own program, its root may be another.
  if (!isNumberOne || status.startsWith("Name:\tsystemd-nspawn")) return false;
  const command = ["nsenter", `--target=${pid}`, "--all", "test", "-f", "/dynip.bound"];
  return (await Bun.spawn(command, { stdout: "ignore", stderr: "ignore" }).exited) === 0;
}
