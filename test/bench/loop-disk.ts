/**
 * A disk that tells what is written to it: ext4 on a loop device, mounted for the time of a measure.
 * Linux, and root, alone.
 */
import { readFileSync } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { basename } from "node:path";

import { temporaryFolder } from "../temporary.ts";
import { PATH_WITH_SBIN } from "./machine.ts";

/** What a device has been told to do. */
export interface Traffic {
  /** Bytes written. */
  readonly device: number;
  readonly flushes: number;
}

export interface LoopDisk {
  /** Where it is mounted. */
  readonly folder: string;
  /** What was written since it was mounted. */
  traffic(): Traffic;
  /** Has the file system commit what it keeps in memory, as it does by itself every 5 seconds. */
  commit(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Why there can be none here; undefined where there can. */
export function whyNoLoopDisk(): string | undefined {
  if (process.platform !== "linux") return "needs a loop device, as Linux has";
  if (process.getuid!() !== 0) return "needs root, for a loop device";
  const missing = PROGRAMS.find((program) => !Bun.which(program, { PATH: PATH_WITH_SBIN }));
  if (missing !== undefined) return `there is no ${missing}`;
  const found = Bun.spawnSync(["losetup", "--find"], { env: ENVIRONMENT });
  return found.success ? undefined : `no loop device is free: ${found.stderr.toString().trim()}`;
}

/**
 * Makes a disk and mounts it.
 * @param image the file that the device is backed by; undefined for one of its own
 */
export async function mountLoopDisk(image?: string): Promise<LoopDisk> {
  const stack = new AsyncDisposableStack();
  try {
    const own = stack.use(await temporaryFolder());
    const backing = image ?? own.file("image");
    if (image === undefined) await makeSparse(backing, BYTES);
    const device = run("losetup", "--find", "--show", backing);
    stack.defer(() => void run("losetup", "--detach", device));
    // Tables that are initialised later would be counted as traffic.
    run(
      "mkfs.ext4",
      "-q",
      "-F",
      "-b",
      "4096",
      "-E",
      "lazy_itable_init=0,lazy_journal_init=0",
      device,
    );
    const folder = own.file("disk");
    await mkdir(folder);
    run("mount", device, folder);
    stack.defer(() => void run("umount", folder));
    const count = (): Traffic => {
      const text = readFileSync(`/sys/block/${basename(device)}/stat`, "utf8");
      const fields = text.trim().split(/\s+/).map(Number);
      return { device: fields[SECTORS_WRITTEN]! * 512, flushes: fields[FLUSHES]! };
    };
    const before = count();
    const moved = stack.move();
    return {
      folder,
      traffic() {
        const now = count();
        return { device: now.device - before.device, flushes: now.flushes - before.flushes };
      },
      commit: () => void run("sync", "--file-system", folder),
      [Symbol.asyncDispose]: () => moved.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

const BYTES = 512 * 1024 * 1024;

/** Fields of a device's statistics, counted from 0: Documentation/block/stat.rst of the kernel. */
const SECTORS_WRITTEN = 6;
const FLUSHES = 15;

const PROGRAMS = ["losetup", "mkfs.ext4", "mount", "umount", "sync"];
const ENVIRONMENT = { ...process.env, PATH: PATH_WITH_SBIN };

/** What a program printed. */
function run(...command: [string, ...string[]]): string {
  const { success, stdout, stderr } = Bun.spawnSync(command, { env: ENVIRONMENT });
  if (!success) throw new Error(`${command.join(" ")}: ${stderr.toString().trim()}`);
  return stdout.toString().trim();
}

async function makeSparse(path: string, bytes: number): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.truncate(bytes);
  } finally {
    await file.close();
  }
}
