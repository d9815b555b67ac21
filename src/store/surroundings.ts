/** What around a client log makes it impossible to replace, or unsafe to keep. */
import type { Files } from "../system/files.ts";

/**
 * Whether something is mounted at exactly this path, as containers mount a single file: the system
 * refuses to rename another file over it. Linux tells; elsewhere the answer is no.
 * @param path absolute, without symbolic links
 */
export async function isMountPoint(path: string, files: Files): Promise<boolean> {
  const mounts = await files.readFile("/proc/self/mountinfo", "utf8").catch(() => "");
  return mounts.split("\n").some((line) => mountPoint(line) === path);
}

/**
 * Whether a process of another user can replace files in this folder, though this process is root.
 * The mode of a folder says nothing on Windows, where the answer is no.
 */
export async function canOthersReplace(folder: string, files: Files): Promise<boolean> {
  if (process.geteuid?.() !== 0) return false;
  const { uid, gid, mode } = await files.stat(folder);
  return uid !== 0 || (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0);
}

/** The fifth field of a line of mountinfo, see proc(5). */
function mountPoint(line: string): string | undefined {
  const escaped = line.split(" ", 5)[4];
  return escaped?.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
