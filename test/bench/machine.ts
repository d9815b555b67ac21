/** Describes the machine that figures were taken on. */
import { statfs } from "node:fs/promises";
import { cpus, loadavg, release, tmpdir, totalmem, type } from "node:os";

import { version } from "../../package.json";
import { runProcess } from "../processes.ts";

export interface Machine {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly memory: string;
  readonly system: string;
  /** Of the folder that the client logs lie in. */
  readonly fileSystem: string;
  /** The load average of the last minute; about 0 on an idle machine. */
  readonly load: number;
  /** Of dynip and of the programs that it is compared with. */
  readonly versions: Readonly<Record<string, string>>;
}

export async function describeMachine(): Promise<Machine> {
  return {
    date: new Date().toISOString(),
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: [await distribution(), type(), release()].filter(Boolean).join(", "),
    fileSystem: await fileSystem(tmpdir()),
    load: loadavg()[0]!,
    versions: {
      dynip: version,
      Bun: Bun.version,
      BIND: /BIND ([\d.]+)/.exec(await said("named", "-V"))?.[1] ?? "none",
      Python: /Python (\S+)/.exec(await said("python3", "--version"))?.[1] ?? "none",
    },
  };
}

/** Whether the file system is in memory, where a sync costs nothing. */
export function isInMemory({ fileSystem }: Pick<Machine, "fileSystem">): boolean {
  return fileSystem === "tmpfs" || fileSystem === "ramfs";
}

/** Whether other programs use the machine, which makes figures worse. */
export function isBusy({ load }: Pick<Machine, "load">): boolean {
  return load > 0.5;
}

/** The description as lines of the report. */
export function machineText({ versions, ...machine }: Machine): string {
  const programs = Object.entries(versions).map(([name, number]) => `${name} ${number}`);
  return `${machine.processor}, ${machine.cores} cores, ${machine.memory}; ${machine.system}
${programs.join(", ")}; ${machine.fileSystem}
${machine.date}, load before ${machine.load.toFixed(1)}`;
}

async function distribution(): Promise<string> {
  const release = Bun.file("/etc/os-release");
  if (!(await release.exists())) return "";
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(await release.text())?.[1] ?? "";
}

async function fileSystem(folder: string): Promise<string> {
  const { type: magic } = await statfs(folder);
  return FILE_SYSTEMS[magic] ?? `file system 0x${magic.toString(16)}`;
}

/** As statfs(2) numbers them. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0x01021994: "tmpfs",
  0x858458f6: "ramfs",
  0xef53: "ext4",
  0x58465342: "xfs",
  0x9123683e: "btrfs",
  0x2fc12fc1: "zfs",
  0x794c7630: "overlayfs",
};

async function said(program: string, argument: string): Promise<string> {
  if (!Bun.which(program, { PATH: PATH_WITH_SBIN })) return "";
  const env = { ...process.env, PATH: PATH_WITH_SBIN };
  return (await runProcess([program, argument], { env, deadline: 5000 })).stdout;
}

/** With the folders of servers such as named, which a user's PATH may lack. */
export const PATH_WITH_SBIN = `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin`;
