/** A configuration that `dynip init` writes. */
import { open, rm } from "node:fs/promises";

import { findFile, replaceFile } from "../system/atomic-file.ts";
import { cannot, errorCode, EXIT, reasonOf, type UserError } from "../system/errors.ts";

/** A configuration before it is written. */
export interface NewFile {
  text: string;
  /** What to do next, for the user. */
  next: string;
}

/**
 * Writes a configuration so that only its owner can read it: it holds a secret.
 * @param force whether to overwrite an existing file
 * @param ifThere what the user can do if the file exists
 * @throws UserError (exit code 3)
 */
export async function writeConfig(
  path: string,
  text: string,
  { force, ifThere }: { force: boolean; ifThere: string },
): Promise<void> {
  try {
    if (force) await replaceFile((await findFile(path)).target, [text], { mode: CONFIG_MODE });
    else await createFile(path, text);
  } catch (error) {
    switch (errorCode(error)) {
      case "EEXIST":
        throw cannotWrite(path, "it exists already", { hint: ifThere });
      case "ENOENT":
        throw cannotWrite(path, reasonOf(error), { hint: "make the folder first", cause: error });
      default:
        throw cannotWrite(path, reasonOf(error), { cause: error });
    }
  }
}

async function createFile(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", CONFIG_MODE);
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true }); // half a file would be in the way of another try
    throw error;
  } finally {
    await file.close();
  }
}

const CONFIG_MODE = 0o600;

/** An error about a configuration that cannot be written: exit code 3. */
export function cannotWrite(
  path: string,
  problem: string,
  options: { hint?: string; cause?: unknown } = {},
): UserError {
  return cannot("write config", path, problem, { exitCode: EXIT.config, ...options });
}
