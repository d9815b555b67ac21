/**
 * Replaces a file whole or not at all: a reader, or a machine that loses power, finds the old file
 * or the new one and never a part of either.
 */
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";

import { errorCode } from "./errors.ts";
import { type Files, realFiles } from "./files.ts";

/** What renaming depends on; this machine unless a test says otherwise. */
export interface Renaming {
  platform: NodeJS.Platform;
  sleep: (milliseconds: number) => Promise<unknown>;
}

/**
 * Writes `chunks` to a temporary file in the same folder, syncs it, renames it over `path` and
 * syncs the folder. Each chunk is written off the main thread before the next is asked for, so a
 * producer of small chunks never holds up the event loop.
 * @param path the file to replace or create; not a symbolic link, which would be replaced itself
 * @param chunks its new content
 * @param mode its permission bits, whatever the umask
 * @throws the operating system's error; the file is then as it was, and the temporary one is gone
 *   unless the system refuses that, too
 */
export async function replaceFile(
  path: string,
  chunks: Iterable<string>,
  mode: number,
  files: Files = realFiles,
  renaming: Renaming = { platform: process.platform, sleep: setTimeout },
): Promise<void> {
  const temporary = temporaryPath(path);
  // A temporary file that a killed process left, or a link somebody put there, is not written to.
  await files.rm(temporary, { force: true });
  const file = await files.open(temporary, "wx", 0o600);
  try {
    try {
      for (const chunk of chunks) await file.writeFile(chunk);
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await renameOver(temporary, path, files, renaming);
  } catch (error) {
    // The next try removes it; why this one failed is what is to be told.
    await files.rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path), files);
}

/** What stands at a path cannot be replaced; the message says what it is. */
export class NotAFileError extends Error {}

/**
 * The regular file that `path` names, behind symbolic links, for {@link replaceFile}.
 * @returns its path, and its permission bits unless it is still to be made
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

/** A million hosts have a log of half that size. */
const MAX_BYTES = 512 * 1024 * 1024;

/**
 * The bytes of a regular file; undefined where there is none.
 * @throws NotAFileError when there is something else, which may never end, or more than half a
 *   gigabyte; the operating system's error
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

/** Where {@link replaceFile} prepares the new content of `path`. */
export function temporaryPath(path: string): string {
  return `${path}.tmp`;
}

/**
 * Renames over `path`. Windows refuses that while another program has the file open, as a virus
 * scanner does for a moment; there it is tried again for about a second.
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

/** Makes a rename or a new file in `folder` durable. Windows has no such call, and needs none on NTFS. */
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
