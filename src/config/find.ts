/** Where the configuration is found, and read from. */
import { isUtf8 } from "node:buffer";
import { dirname, join, resolve } from "node:path";

import { cannotRead, type Config, parseConfig } from "./config.ts";
import { cannot, errorCode, EXIT, reasonOf } from "../system/errors.ts";

/** A configuration and where it was found. */
export interface LoadedConfig {
  /** The file's absolute path. */
  path: string;
  config: Config;
}

/** What finding a configuration depends on; the process's own unless a test says otherwise. */
export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  platform: NodeJS.Platform;
}

/**
 * Finds, reads and checks the configuration that {@link findConfig} finds.
 * @throws UserError (exit code 3) when none is found, or the one found cannot be read
 */
export async function loadConfig(
  given: string | undefined,
  surroundings: Surroundings = process,
): Promise<LoadedConfig> {
  const path = await findConfig(given, surroundings);
  const text = await readText(path);
  if (text === undefined) {
    const whence = given === undefined ? ", which DYNIP_CONFIG names" : "";
    throw cannotRead(path, `there is no such file${whence}`, {
      hint: `dynip init "${path}" writes one to start from`,
    });
  }
  return { path: resolve(path), config: parseConfig(text, path) };
}

/**
 * The configuration's path: the one given, else `$DYNIP_CONFIG`, else the first that exists of
 * `./dynip.toml` and the system's (`/etc/dynip/dynip.toml`, on Windows
 * `%ProgramData%\dynip\dynip.toml`). A path that was named is never passed over for another.
 * @returns the path as it was named, whether or not there is such a file
 * @throws UserError (exit code 3) when none is named, and none is found
 */
export async function findConfig(
  given: string | undefined,
  { env, platform }: Surroundings = process,
): Promise<string> {
  const named = given ?? (env["DYNIP_CONFIG"] || undefined);
  if (named !== undefined) return named;
  const places = ["dynip.toml", systemConfigPath({ env, platform })];
  for (const place of places) if (await exists(place)) return place;
  const list = places.map((place) => `"${place}"`).join(" or ");
  const problem = `no path given, DYNIP_CONFIG is not set, and there is no ${list}`;
  throw cannot("find a configuration", undefined, problem, {
    exitCode: EXIT.config,
    hint: "dynip init writes one to start from",
  });
}

/**
 * Where the client log is: relative to the configuration's folder, wherever dynip was started. The
 * folder of a credential of systemd's is read-only and goes away: there it is `StateDirectory`.
 */
export function clientLogPath(
  { path, config }: LoadedConfig,
  { env }: Pick<Surroundings, "env"> = process,
): string {
  const { CREDENTIALS_DIRECTORY: credentials, STATE_DIRECTORY: state } = env;
  const isCredential = credentials !== undefined && resolve(credentials) === dirname(path);
  return resolve((isCredential && state) || dirname(path), config.server.client_log_path);
}

/** Where a system's one configuration is. */
export function systemConfigPath({ env, platform }: Surroundings = process): string {
  return platform === "win32"
    ? join(env["ProgramData"] ?? "C:\\ProgramData", "dynip", "dynip.toml")
    : "/etc/dynip/dynip.toml";
}

/** Whether there is something at a path; what cannot be looked at is read, and then says why. */
async function exists(path: string): Promise<boolean> {
  try {
    await Bun.file(path).stat();
    return true;
  } catch (error) {
    return errorCode(error) !== "ENOENT";
  }
}

/**
 * A file's text, or undefined where there is no such file. A byte order mark, as Windows editors
 * write one, is passed over.
 */
async function readText(path: string): Promise<string | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await Bun.file(path).bytes();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw cannotRead(path, reasonOf(error), { cause: error });
  }
  const text = isUtf8(bytes) ? new TextDecoder().decode(bytes) : undefined;
  // UTF-16, as some Windows programs write it, may be UTF-8 with NULs.
  if (text === undefined || text.includes("\0")) {
    throw cannotRead(path, "it is not UTF-8 text", { hint: "save it as UTF-8 and try again" });
  }
  return text;
}
