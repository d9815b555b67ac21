/**
 * Replaces a file whole or not at all: a reader, or a machine that loses power, finds the old file
 * or the new one and never a part of either.
 */
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Writes `chunks` to a temporary file in the same folder, syncs it, renames it over `path` and
 * syncs the folder. Each chunk is written off the main thread before the next is asked for, so a
 * producer of small chunks never holds up the event loop.
 * @param path the file to replace or create; not a symbolic link, which would be replaced itself
 * @param chunks its new content
 * @param mode its permission bits, whatever the umask
 * @throws the operating system's error; the file is then as it was and the temporary one is gone
 */
export async function replaceFile(
  path: string,
  chunks: Iterable<string>,
  mode: number,
): Promise<void> {
  const temporary = temporaryPath(path);
  // A temporary file that a killed process left, or a link somebody put there, is not written to.
  await rm(temporary, { force: true });
  const file = await open(temporary, "wx", 0o600);
  try {
    try {
      for (const chunk of chunks) await file.writeFile(chunk);
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Where {@link replaceFile} prepares the new content of `path`. */
export function temporaryPath(path: string): string {
  return `${path}.tmp`;
}

/** Makes a rename in `folder` durable. Windows has no such call, and needs none on NTFS. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, "r");
    await handle.sync();
  } finally {
    await handle?.close();
  }
}
