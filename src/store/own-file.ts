/**
 * Files that dynip alone makes, such as its journal. What stands in the place of one may have been put
 * there by somebody else who can write to the folder, so no link is followed and nothing is opened
 * that is not a plain file of ours.
 */
import { type BigIntStats, constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

import { NotAFileError } from "../system/atomic-file.ts";
import { errorCode } from "../system/errors.ts";
import type { Files } from "../system/files.ts";

/** An open file, and what it was when it was opened. */
export interface OwnFile {
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
}

/**
 * How to open: `create` makes a new file, which must not be there yet; `append` makes one if there is
 * none, and writes behind its end.
 */
export type OpenMode = "read" | "write" | "create" | "append";

/**
 * Opens one of our files.
 * @throws NotAFileError when it is a symbolic link, no regular file, has a second name (a hard link),
 *   or belongs to neither this process's user nor the owner of its folder; the operating system's
 *   error, such as ENOENT
 */
export async function openOwn(path: string, mode: OpenMode, files: Files): Promise<OwnFile> {
  const handle = await files.open(path, FLAGS[mode], 0o600).catch((error: unknown) => {
    if (errorCode(error) === "ELOOP") throw new NotAFileError(LINK);
    throw error;
  });
  try {
    const stats = await handle.stat({ bigint: true });
    await check(path, stats, files);
    return { handle, stats };
  } catch (error) {
    await handle.close().catch(() => {}); // the first error is the one to tell
    throw error;
  }
}

/**
 * Reads one of our files whole; undefined where there is none.
 * @throws as {@link openOwn}; NotAFileError when it has more than half a gigabyte
 */
export async function readOwn(
  path: string,
  files: Files,
): Promise<{ bytes: Buffer; stats: BigIntStats } | undefined> {
  let file: OwnFile;
  try {
    file = await openOwn(path, "read", files);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  const { handle, stats } = file;
  try {
    if (stats.size > MAX_BYTES) {
      throw new NotAFileError(`it has ${stats.size / 1_000_000n} MB, too much to be read`);
    }
    return { bytes: await handle.readFile(), stats };
  } finally {
    await handle.close();
  }
}

/** What tells a file from any other on this machine, as long as it is open. */
export function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

const MAX_BYTES = 512n * 1024n * 1024n;

const LINK = "it is a symbolic link";

// Windows has neither. Without O_NONBLOCK, opening a FIFO waits for somebody at its other end.
const SAFELY = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY | SAFELY,
  write: constants.O_RDWR | SAFELY,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | SAFELY,
  append: constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | SAFELY,
};

async function check(path: string, stats: BigIntStats, files: Files): Promise<void> {
  if (stats.isDirectory()) throw new NotAFileError("it is a folder");
  if (!stats.isFile()) throw new NotAFileError("it is not a regular file");
  if (stats.nlink > 1n) throw new NotAFileError("it has a second name (a hard link)");
  const uid = BigInt(process.geteuid?.() ?? 0);
  if (process.geteuid === undefined || stats.uid === uid) return;
  // Some file systems, such as CIFS, give every file the owner of the mount.
  const folder = await files.stat(dirname(path), { bigint: true });
  if (stats.uid !== folder.uid) {
    throw new NotAFileError(`it belongs to another user (uid ${stats.uid})`);
  }
}
