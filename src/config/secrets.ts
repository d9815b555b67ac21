/**
 * Where a secret or a key comes from: the environment, a file that it names, or the configuration.
 * What is set and cannot be read is an error, never passed over for the next; and no message of any
 * kind quotes it.
 */
import { cannot, EXIT, reasonOf, type UserError } from "../system/errors.ts";
import type { Log } from "../system/log.ts";
import { decodeKey } from "../protocol/message.ts";

export type SecretName = "secret" | "key";

/**
 * The secret or key that holds: `$DYNIP_SECRET` (`$DYNIP_KEY`), else the file that
 * `$DYNIP_SECRET_FILE` (`$DYNIP_KEY_FILE`) names, else the configuration's.
 * @returns 32 bytes, or undefined where there is none
 * @throws UserError (exit code 3) when what is set cannot be read, or is not 32 bytes in base64url
 */
export async function findSecret(
  name: SecretName,
  configured: Uint8Array | undefined,
  { env, log }: { env: Readonly<Record<string, string | undefined>>; log: Log },
): Promise<Uint8Array | undefined> {
  const variable = `DYNIP_${name.toUpperCase()}`;
  const file = env[`${variable}_FILE`];
  const value = env[variable];
  if (value !== undefined) {
    if (file !== undefined) throw cannotRead(`${variable} and ${variable}_FILE are both set`);
    return decode(value, variable);
  }
  if (file === undefined) return configured;
  let text: string;
  try {
    text = await Bun.file(file).text();
  } catch (error) {
    throw cannotRead(`"${file}", which ${variable}_FILE names: ${reasonOf(error)}`, error);
  }
  await warnIfReadable(file, log);
  return decode(text, `"${file}", which ${variable}_FILE names,`);
}

/** Warns when others on this machine can read a file that holds a secret. */
export async function warnIfReadable(path: string, log: Log): Promise<void> {
  if (process.platform === "win32") return; // mode bits say nothing there
  const { mode } = await Bun.file(path).stat();
  if ((mode & 0o004) === 0) return;
  log.warn(
    `everybody on this machine can read "${path}", which holds a secret`,
    `chmod o= "${path}"`,
  );
}

function decode(text: string, where: string): Uint8Array {
  const key = decodeKey(text.trim());
  if (!key) throw cannotRead(`${where} is not 32 bytes in base64url (43 characters)`);
  return key;
}

function cannotRead(problem: string, cause?: unknown): UserError {
  return cannot("read the secret", undefined, problem, { exitCode: EXIT.config, cause });
}
