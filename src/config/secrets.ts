/**
 * Finds a secret or a key: in the environment, in a file that the environment names, or in the
 * configuration. If a place is set but unreadable, that is an error, and the next place is not tried.
 * No message quotes a secret or a key.
 */
import { cannot, EXIT, reasonOf, type UserError } from "../system/errors.ts";
import type { Log } from "../system/log.ts";
import { decodeKey } from "../protocol/message.ts";
import type { Config } from "./config.ts";

export type SecretName = "secret" | "key";

/** What a client signs with, 32 bytes each; undefined for none. */
export type Keys = Readonly<Record<SecretName, Uint8Array | undefined>>;

/**
 * The secret or key to use: `$DYNIP_SECRET` (`$DYNIP_KEY`), otherwise the content of the file that
 * `$DYNIP_SECRET_FILE` (`$DYNIP_KEY_FILE`) names, otherwise the configuration's.
 * @returns 32 bytes; undefined if there is none
 * @throws UserError (exit code 3) if it cannot be read, or is not 32 bytes in base64url
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

/**
 * What a client signs with: the key of its own name, or the secret that every key is derived from. What
 * the environment has overrides the file: a secret there overrides a key in the file, too.
 * @throws UserError (exit code 3) as {@link findSecret}
 */
export async function findKeys(
  { client, secret: configured }: Config,
  where: { env: Readonly<Record<string, string | undefined>>; log: Log },
): Promise<Keys> {
  const key = await findSecret("key", undefined, where);
  const secret = await findSecret("secret", undefined, where);
  return key || secret ? { key, secret } : { key: client.key, secret: configured };
}

/** Warns if every user of this machine can read a file that holds a secret. */
export async function warnIfReadable(path: string, log: Log): Promise<void> {
  if (process.platform === "win32") return; // Windows ignores mode bits
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
