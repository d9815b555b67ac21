/** Finds the configuration file and reads it. */
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

/** The environment and the platform. They are the process's own unless a test passes others. */
export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  platform: NodeJS.Platform;
}

/**
 * Finds, reads and checks the configuration that {@link findConfig} finds.
 * @throws UserError (exit code 3) if there is no configuration, or it cannot be read
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
      hint: `check the path; on the server, dynip init "${path}" writes a new one`,
    });
  }
  return { path: resolve(path), config: parseConfig(text, path) };
}

/**
 * Finds the configuration's path: the one given, otherwise `$DYNIP_CONFIG`, otherwise the first that
 * exists of `./dynip.toml` and the system's (`/etc/dynip/dynip.toml`, on Windows
 * `%ProgramData%\dynip\dynip.toml`).
 * @returns the path as given or as in `$DYNIP_CONFIG`, even if there is no such file
 * @throws UserError (exit code 3) if neither names a path, and no file exists
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
    hint: "on the server, dynip init writes one, and dynip init --name NAME one for each client",
  });
}

/** The absolute path of the client log, see {@link serverPath}. */
export function clientLogPath(
  loaded: LoadedConfig,
  surroundings: Pick<Surroundings, "env"> = process,
): string {
  return serverPath(loaded, loaded.config.server.client_log_path, surroundings);
}

/**
 * The absolute path of a file that the server keeps.
 * @param written in the configuration: relative to its folder. If the configuration is a systemd
 *   credential, that folder is read-only and temporary, and the path is relative to `StateDirectory`
 *   (systemd.exec(5))
 */
export function serverPath(
  { path }: LoadedConfig,
  written: string,
  { env }: Pick<Surroundings, "env"> = process,
): string {
  const { CREDENTIALS_DIRECTORY: credentials, STATE_DIRECTORY: state } = env;
  const isCredential = credentials !== undefined && resolve(credentials) === dirname(path);
  return resolve((isCredential && state) || dirname(path), written);
}

/** The path of the system-wide configuration. */
export function systemConfigPath({ env, platform }: Surroundings = process): string {
  return platform === "win32"
    ? join(env["ProgramData"] ?? "C:\\ProgramData", "dynip", "dynip.toml")
    : "/etc/dynip/dynip.toml";
}

/** Whether a path exists. True also if that cannot be told: reading the file then says why. */
async function exists(path: string): Promise<boolean> {
  try {
    await Bun.file(path).stat();
    return true;
  } catch (error) {
    return errorCode(error) !== "ENOENT";
  }
}

/**
 * A file's bytes, in a tenth of the time that `Bun.file` takes, which starts threads.
 * @returns undefined for what cannot be mapped: what is empty or no regular file, and all on Windows
 */
function mapped(path: string): Uint8Array | undefined {
  try {
    return Bun.mmap(path, { shared: false });
  } catch {
    return undefined;
  }
}

/**
 * Reads a file's text, without the byte order mark that Windows editors write.
 * @returns undefined if there is no such file
 */
async function readText(path: string): Promise<string | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = mapped(path) ?? (await Bun.file(path).bytes());
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw cannotRead(path, reasonOf(error), { cause: error });
  }
  const text = isUtf8(bytes) ? new TextDecoder().decode(bytes) : undefined;
  // UTF-16, which some Windows programs write, may be valid UTF-8 with NULs.
  if (text === undefined || text.includes("\0")) {
    throw cannotRead(path, "it is not UTF-8 text", { hint: "save it as UTF-8 and try again" });
  }
  return text;
}
