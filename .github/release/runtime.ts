/**
 * The Bun runtime of each target, which `Bun.build` copies into the executable.
 *
 * `bun.lock` has the SHA-512 of each runtime's package. Bun compares it when it downloads a package,
 * but not when it takes the package from its cache. Therefore `runtimes.json` has the SHA-256 of the
 * executable in each package, and every build compares that.
 * Run `bun .github/release/update-runtimes.ts` after an update of Bun.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import lock from "../../bun.lock";
import runtimes from "./runtimes.json";
import { executableName, type Target } from "./targets.ts";
import { run } from "./try-out.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The path of a target's runtime, after its SHA-256 was compared with `runtimes.json`. For this
 * machine's target it is the Bun that runs this, for another one the executable of its package.
 * @param own the target of this machine
 * @param folder where another target's package is installed; created if missing
 * @param env the environment of `bun install`, which can set its cache and its registry
 * @throws Error when the runtime is not the one that `bun.lock` pins, or its package cannot be installed
 */
export async function verifiedRuntime(
  target: Target,
  own: Target,
  folder: string,
  env: Environment = process.env,
): Promise<string> {
  const { package: integrity, executable } = runtimes[target];
  const name = runtimePackage(target);
  if (integrity !== lockedIntegrity(target)) {
    throw new Error(
      `Cannot verify ${name}: runtimes.json is of another version than bun.lock\n` +
        `hint: run "bun .github/release/update-runtimes.ts"`,
    );
  }
  const isOwn = target === own;
  const path = isOwn ? process.execPath : await installRuntime(target, folder, env);
  if ((await sha256(path)) !== executable) {
    throw new Error(
      `Cannot build for ${target}: ${isOwn ? path : "the package in Bun's cache"} ` +
        `is not the ${name} that bun.lock pins\n` +
        `hint: run "bun pm cache rm", remove node_modules and run "bun install"`,
    );
  }
  return path;
}

/** The npm package that has a target's runtime. */
export function runtimePackage(target: Target): string {
  return `@oven/bun-${target.replace("arm64", "aarch64")}`;
}

/**
 * The SHA-512 of a target's package as `bun.lock` has it: `sha512-` and base64.
 * @throws Error when `bun.lock` does not have the package
 */
export function lockedIntegrity(target: Target): string {
  return lockedPackage(target)[3];
}

/**
 * Installs a target's package, and no other, in the version of `bun.lock`: from Bun's cache, or from
 * the registry. Bun compares a download with `bun.lock`; what it takes from the cache is not compared.
 * @param folder where it is installed; created if missing
 * @param env the environment of `bun install`
 * @returns the path of the runtime
 * @throws Error with the messages of `bun install` when that fails
 */
export async function installRuntime(
  target: Target,
  folder: string,
  env: Environment,
): Promise<string> {
  const name = runtimePackage(target);
  const row = lockedPackage(target);
  const dependencies = { [name]: row[0].slice(name.length + 1) };
  await mkdir(folder, { recursive: true });
  await Bun.write(join(folder, "package.json"), JSON.stringify({ dependencies }));
  await Bun.write(
    join(folder, "bun.lock"),
    JSON.stringify({ ...lock, workspaces: { "": { dependencies } }, packages: { [name]: row } }),
  );
  const any = ["--os=*", "--cpu=*", "--libc=*"]; // else Bun skips packages for other systems
  // A copy: a link to the cache could change between the comparison and the build.
  const options = ["--frozen-lockfile", "--ignore-scripts", "--backend=copyfile", ...any];
  try {
    await run([process.execPath, "install", ...options], { cwd: folder, env });
  } catch (error) {
    throw new Error(`Cannot install ${name}: ${(error as Error).message}`, { cause: error });
  }
  return join(folder, "node_modules", name, "bin", executableName("bun", target));
}

/** The SHA-256 of a file, in hexadecimal. */
export async function sha256(path: string): Promise<string> {
  return new Bun.CryptoHasher("sha256").update(await Bun.file(path).bytes()).digest("hex");
}

function lockedPackage(target: Target) {
  const row = lock.packages[runtimePackage(target)];
  if (row?.length !== 4) throw new Error(`bun.lock does not have ${runtimePackage(target)}`);
  return row;
}
