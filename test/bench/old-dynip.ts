/** dynip 0.2.0, for what is compared with it: built from the history of this repository. */
import { symlink } from "node:fs/promises";
import { join } from "node:path";

import { temporaryFolder } from "../temporary.ts";

const ROOT = join(import.meta.dir, "..", "..");
/** The last commit of version 0.2.0. */
const COMMIT = "99b4c8f";

/** Why it cannot be built here; undefined where it can. */
export function whyNoOldDynip(): string | undefined {
  if (Bun.which("git") === null || Bun.which("tar") === null) return "needs git and tar";
  const { success } = Bun.spawnSync(["git", "cat-file", "-e", COMMIT], { cwd: ROOT });
  return success ? undefined : `needs the history of the repository, for dynip 0.2.0`;
}

/** Builds it in a folder of its own. */
export async function buildOldDynip(): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await temporaryFolder();
  try {
    const source = folder.file("source.tar");
    run(["git", "archive", "--output", source, COMMIT], ROOT);
    run(["tar", "--extract", "--file", source], folder.path);
    await symlink(join(ROOT, "node_modules"), folder.file("node_modules"));
    run([process.execPath, "build.ts"], folder.path);
    return { ...folder, path: folder.file(join("dist", "dynip")) };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

function run(command: string[], cwd: string): void {
  const { success, stderr } = Bun.spawnSync(command, { cwd });
  if (!success) throw new Error(`${command.join(" ")}: ${stderr.toString().trim()}`);
}
