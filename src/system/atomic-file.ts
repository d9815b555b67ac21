/**
 * Replaces a file whole or not at all: after a crash at any time there is the old file or the new one,
 * and never a part of either.
 */
import type { BigIntStats, Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";

import { errorCode } from "./errors.ts";
import { type Files, realFiles } from "./files.ts";

/** Who may use the new file, and how it is replaced. */
export interface Access {
  /** Where the new content is written first, in the same folder; by default {@link temporaryPath}. */
  readonly temporary?: string;
  /** Its permission bits, whatever the umask. */
  readonly mode: number;
  /**
   * If given, the new file has owner, group and permission bits of the file that it replaces, and `mode`
   * is for a file that there was not. Called with the reason when the system does not let this process
   * keep the owner or the group; without its group the file has no permissions for one.
   */
  readonly onOwnerLost?: (error: unknown) => void;
  /**
   * If given, called when the new file is synced, with what it is. What it throws leaves the old file
   * in place.
   */
  readonly beforeRename?: (written: BigIntStats) => Promise<void>;
}

/** What renaming depends on; this machine unless a test says otherwise. */
export interface Renaming {
  platform: NodeJS.Platform;
  sleep: (milliseconds: number) => Promise<unknown>;
}

/**
 * Writes `chunks` to a temporary file in the same folder, syncs it, renames it over `path` and syncs
 * the folder. Each chunk is written by another thread before the next is made, so the event loop never
 * waits longer than a chunk takes to make.
 * @param path the file to replace or create; a symbolic link would be replaced itself
 * @param chunks its new content
 * @throws the operating system's error; the file is unchanged then, and the temporary one removed if
 *   the system allows it
 */
export async function replaceFile(
  path: string,
  chunks: Iterable<string | Uint8Array>,
  access: Access,
  files: Files = realFiles,
  renaming: Renaming = { platform: process.platform, sleep: setTimeout },
): Promise<void> {
  const { temporary = temporaryPath(path) } = access;
  // A killed process may have left one, and another user may have put a link there. "x" follows no link.
  await files.rm(temporary, { force: true });
  const file = await files.open(temporary, "wx", 0o600);
  try {
    try {
      for (const chunk of chunks) await file.writeFile(chunk);
      await giveAccess(file, path, access, files);
      await file.sync();
      await access.beforeRename?.(await file.stat({ bigint: true }));
    } finally {
      await file.close();
    }
    await renameOver(temporary, path, files, renaming);
  } catch (error) {
    // The first error is the one to report; the next try removes the file, too.
    await files.rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path), files);
}

/** What is at the path is not a file that can be replaced or read; the message says what it is. */
export class NotAFileError extends Error {}

/**
 * Follows symbolic links to the regular file that {@link replaceFile} can replace.
 * @returns its path, and its permission bits if it exists
 * @throws NotAFileError when there is something else; the operating system's error
 */
export async function findFile(
  path: string,
  files: Files = realFiles,
): Promise<{ target: string; mode?: number }> {
  let target: string;
  try {
    target = await files.realpath(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    const link = await files.lstat(path).catch(() => undefined);
    if (link) throw new NotAFileError("it is a symbolic link to nothing");
    return { target: path };
  }
  const stats = await files.lstat(target);
  if (stats.isDirectory()) throw new NotAFileError("it is a folder");
  if (!stats.isFile()) throw new NotAFileError("it is not a regular file");
  return { target, mode: stats.mode & 0o777 };
}

/** The log of three million hosts. */
const MAX_BYTES = 512 * 1024 * 1024;

/**
 * Reads a regular file; undefined when there is none.
 * @throws NotAFileError when there is something else, such as a device that never ends, or a file of
 *   more than half a gigabyte; the operating system's error
 */
export async function readWhole(path: string, files: Files): Promise<Buffer | undefined> {
  try {
    const stats = await files.stat(path);
    if (stats.isDirectory()) throw new NotAFileError("it is a folder");
    if (!stats.isFile()) throw new NotAFileError("it is not a regular file");
    if (stats.size > MAX_BYTES) {
      const megabytes = Math.round(stats.size / 1024 / 1024);
      throw new NotAFileError(`it has ${megabytes} MB, more than a client log can have`);
    }
    return await files.readFile(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Where {@link replaceFile} writes the new content of `path`. */
export function temporaryPath(path: string): string {
  return `${path}.tmp`;
}

/**
 * Gives the new file the access that it is to have. What the old one has is read now, so that a chmod
 * while the server runs is kept.
 */
async function giveAccess(
  file: FileHandle,
  path: string,
  { mode, onOwnerLost }: Access,
  files: Files,
): Promise<void> {
  const old = onOwnerLost && (await lstatIfAny(path, files));
  if (!old?.isFile()) return await file.chmod(mode);
  const isOwnerKept = await chownIfAllowed(file, old.uid, old.gid, onOwnerLost);
  // Another group must not get what the owner allowed the lost one.
  const isGroupKept = isOwnerKept || (await chownIfAllowed(file, process.geteuid!(), old.gid));
  await file.chmod(old.mode & (isGroupKept ? 0o777 : 0o707));
}

async function lstatIfAny(path: string, files: Files): Promise<Stats | undefined> {
  try {
    return await files.lstat(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function chownIfAllowed(
  file: FileHandle,
  uid: number,
  gid: number,
  onRefused?: (error: unknown) => void,
): Promise<boolean> {
  if (process.platform === "win32") return true; // it has neither
  try {
    await file.chown(uid, gid);
    return true;
  } catch (error) {
    if (!NOT_ALLOWED.includes(errorCode(error))) throw error;
    onRefused?.(error);
    return false;
  }
}

/** EINVAL: the user is not in this user namespace. The rest: the file system has no owners. */
const NOT_ALLOWED: readonly unknown[] = [
  "EPERM",
  "EACCES",
  "EINVAL",
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
];

/**
 * Renames over `path`. Windows refuses that while another program has the file open, as a virus
 * scanner has for a moment; there it is tried again for 1.3 seconds.
 */
async function renameOver(
  temporary: string,
  path: string,
  files: Files,
  { platform, sleep }: Renaming,
): Promise<void> {
  for (let wait = 5; ; wait *= 2) {
    try {
      return await files.rename(temporary, path);
    } catch (error) {
      const isBusy = ["EPERM", "EACCES", "EBUSY"].includes(errorCode(error) ?? "");
      if (platform !== "win32" || !isBusy || wait > 640) throw error;
      await sleep(wait);
    }
  }
}

/** Makes a rename or a new file in `folder` durable. Windows cannot sync a folder; NTFS logs its changes. */
export async function syncFolder(folder: string, files: Files): Promise<void> {
  if (process.platform === "win32") return;
  let handle: FileHandle | undefined;
  try {
    handle = await files.open(folder, "r");
    await handle.sync();
  } finally {
    await handle?.close();
  }
}
