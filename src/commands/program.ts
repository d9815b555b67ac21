/** Where dynip's own executable must be, so that a service can start it, and the way there. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname, win32 } from "node:path";

import { findFile, replaceFile } from "../system/atomic-file.ts";
import { cannot, errorCode, EXIT, reasonOf } from "../system/errors.ts";
import { runCommand } from "../system/run-command.ts";

/** What the usual place depends on; the process's own unless a test says otherwise. */
export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  platform: NodeJS.Platform;
}

/** The usual place of dynip's executable. */
export function usualPlace({ env, platform }: Surroundings): string {
  return platform === "win32"
    ? win32.join(env["ProgramFiles"] ?? "C:\\Program Files", "dynip", "dynip.exe")
    : "/usr/local/bin/dynip";
}

/**
 * The path from which a service starts dynip: the executable's own if it lies among the system's
 * programs, where users cannot write and no service's sandbox hides it; else the usual place.
 */
export function serviceProgram(binary: string, surroundings: Surroundings): string {
  const isOfSystem =
    surroundings.platform !== "win32" &&
    /^\/(?:usr|opt|nix\/store|gnu\/store)\//.test(binary) &&
    !/["'\\]/.test(binary); // systemd starts no such path
  return isOfSystem ? binary : usualPlace(surroundings);
}

/** What {@link copyProgram} did. */
export type Copied =
  | { kind: "same" }
  | { kind: "new" }
  /** `version` is the old one's, as `dynip --version` says it. */
  | { kind: "replaced"; version: string };

/**
 * Copies an executable whole or not at all. Programs that run from the old one go on.
 * @throws UserError (exit code 10) if it cannot be written, or if there is another program
 */
export async function copyProgram(from: string, to: string): Promise<Copied> {
  try {
    const old = await stat(to).catch((error) => {
      if (errorCode(error) !== "ENOENT") throw error;
    });
    if (old && (await isSame(from, to, old.size))) return { kind: "same" };
    const version = old && (await versionOf(to));
    if (old && version === undefined) {
      throw cannot("copy dynip to", to, "another program is there, or a broken dynip", {
        exitCode: EXIT.install,
        hint: "remove it first",
      });
    }
    await mkdir(dirname(to), { recursive: true });
    await replaceFile(to, chunksOf(from), { mode: 0o755 });
    return version === undefined ? { kind: "new" } : { kind: "replaced", version };
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw cannot("copy dynip to", to, reasonOf(error), {
      exitCode: EXIT.install,
      hint:
        process.platform === "win32"
          ? 'is it running? try again when no ping runs, in a prompt opened with "Run as administrator"'
          : undefined,
      cause: error,
    });
  }
}

async function isSame(one: string, other: string, size: number): Promise<boolean> {
  const { mode } = await stat(other);
  const isExecutable = process.platform === "win32" || (mode & 0o777) === 0o755;
  const { target } = await findFile(other);
  if (!isExecutable || target !== other || (await stat(one)).size !== size) return false;
  return digestOf(one) === digestOf(other);
}

function digestOf(path: string): string {
  const hash = createHash("sha256");
  for (const chunk of chunksOf(path)) hash.update(chunk);
  return hash.digest("hex");
}

/** A file's bytes, a megabyte at a time: small machines have little memory. */
function* chunksOf(path: string): Generator<Uint8Array> {
  const file = openSync(path, "r");
  try {
    for (;;) {
      const chunk = new Uint8Array(1 << 20);
      const length = readSync(file, chunk);
      if (length === 0) return;
      yield chunk.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}

/** Such as `0.2.0 (c6a8c1f, linux-x64)`; undefined if it is not dynip, or does not run. */
async function versionOf(path: string): Promise<string | undefined> {
  const { exitCode, stdout } = await runCommand([path, "--version"]);
  return exitCode === 0 ? /^dynip (\S.*)$/m.exec(stdout.trim())?.[1] : undefined;
}
