/** A build uses only the Bun runtime that `bun.lock` pins, and fails with any other. */
import { expect, test } from "bun:test";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { EXPECTED } from "../../.github/release/executable.ts";
import { runtimePackage, verifiedRuntime } from "../../.github/release/runtime.ts";
import runtimes from "../../.github/release/runtimes.json";
import { tar } from "../../.github/release/tar.ts";
import {
  executableName,
  type Target,
  TARGETS,
  thisMachine,
} from "../../.github/release/targets.ts";
import lock from "../../bun.lock";
import { temporaryFolder } from "../temporary.ts";
import { copySource, DEADLINE_MS, runBuild } from "./building.ts";

const OWN = await thisMachine();
/** Another target. On Linux with glibc, this machine's runtime can pretend to be for it. */
const OTHER: Target = OWN === "linux-x64" || OWN === "linux-arm64" ? `${OWN}-musl` : "linux-x64";

/** A text in the runtime. Changing it does not break the runtime. */
const HELP = "Bun is a fast JavaScript runtime";

/** This machine's runtime with one byte changed. It still works. */
async function tamperedRuntime(): Promise<Buffer> {
  const bytes = await readFile(process.execPath);
  const index = bytes.indexOf(HELP);
  expect(index).toBeGreaterThan(0);
  bytes[index]! ^= 1;
  return bytes;
}

/** Writes musl's loader into an ELF executable for glibc, so that it looks like one for `OTHER`. */
function nameMuslLoader(bytes: Buffer): void {
  const loader = EXPECTED[OTHER].split(", ")[1]!;
  const size = bytes.readUInt16LE(54);
  for (let header = 64; header < 64 + 20 * size; header += size) {
    if (bytes.readUInt32LE(header) !== PT_INTERP) continue;
    bytes.write(`${loader}\0`, Number(bytes.readBigUInt64LE(header + 8)), "latin1");
    bytes.writeBigUInt64LE(BigInt(loader.length + 1), header + 32);
  }
}

const PT_INTERP = 3;

/** Puts a package with this runtime into a cache of `bun install`. */
async function keepInCache(
  cache: { file(name: string): string },
  target: Target,
  runtime: Uint8Array,
): Promise<void> {
  const name = runtimePackage(target);
  const file = cache.file(`${name}@${Bun.version}@@@1/bin/${executableName("bun", target)}`);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, runtime, { mode: 0o755 });
  await writeFile(
    cache.file(`${name}@${Bun.version}@@@1/package.json`),
    JSON.stringify({ name, version: Bun.version }),
  );
}

/**
 * An environment in which `bun install` has this cache and can reach no registry. It has no settings
 * of the user either, since the cache has other names for packages of another registry.
 */
function offline(cache: { path: string }): Record<string, string | undefined> {
  return {
    BUN_INSTALL_CACHE_DIR: cache.path,
    HTTPS_PROXY: "http://127.0.0.1:1",
    https_proxy: "http://127.0.0.1:1",
    HOME: cache.path,
    USERPROFILE: cache.path,
    XDG_CONFIG_HOME: cache.path,
    BUN_CONFIG_REGISTRY: undefined,
    NPM_CONFIG_REGISTRY: undefined,
    npm_config_registry: undefined,
  };
}

// macOS does not run a program that differs from what was signed.
test.skipIf(process.platform === "darwin")(
  "a build for this machine fails when the Bun that runs it was tampered with",
  async () => {
    await using folder = await temporaryFolder();
    await copySource(folder.path);
    const bun = folder.file(process.platform === "win32" ? "bun.exe" : "bun");
    await writeFile(bun, await tamperedRuntime(), { mode: 0o755 });
    const { stderr, exitCode } = await runBuild(folder.file("build.ts"), [], { bun });
    expect({ stderr, exitCode }).toEqual({
      stderr: expect.stringContaining(`not the ${runtimePackage(OWN)} that bun.lock pins`),
      exitCode: 1,
    });
    expect(await readdir(folder.file("dist"))).toEqual([".gitignore"]);
  },
  DEADLINE_MS,
);

test(
  "a build for another system fails when the runtime in the package manager's cache was tampered with",
  async () => {
    await using folder = await temporaryFolder();
    await using cache = await temporaryFolder();
    await copySource(folder.path);
    const bytes = await tamperedRuntime();
    if (OTHER.endsWith("-musl")) nameMuslLoader(bytes);
    await keepInCache(cache, OTHER, bytes);
    // Where Bun.build keeps the runtime that it downloads for a target.
    const ofBunBuild = runtimePackage(OTHER).replace("@oven/", "");
    await writeFile(cache.file(`${ofBunBuild}-v${Bun.version}`), bytes, { mode: 0o755 });
    const { stderr, exitCode } = await runBuild(folder.file("build.ts"), [OTHER], {
      env: offline(cache),
    });
    expect({ stderr, exitCode }).toEqual({
      stderr: expect.stringContaining(`not the ${runtimePackage(OTHER)} that bun.lock pins`),
      exitCode: 1,
    });
    expect(await readdir(folder.file("dist"))).toEqual([".gitignore"]);
  },
  DEADLINE_MS,
);

test(
  "a runtime that is in the cache as bun.lock pins it needs no registry",
  async () => {
    await using folder = await temporaryFolder();
    await using cache = await temporaryFolder();
    await keepInCache(cache, OWN, await readFile(process.execPath));
    const runtime = await verifiedRuntime(OWN, OTHER, folder.path, {
      ...process.env,
      ...offline(cache),
    });
    expect(runtime).toStartWith(folder.path);
    const bytes = await readFile(runtime);
    expect(bytes.equals(await readFile(process.execPath))).toBe(true);
  },
  DEADLINE_MS,
);

test("a download that is not what bun.lock pins is refused", async () => {
  await using folder = await temporaryFolder();
  await using cache = await temporaryFolder();
  const name = runtimePackage(OTHER);
  const text = (value: string) => new TextEncoder().encode(value);
  const archive = tar(
    [
      {
        name: "package/package.json",
        bytes: text(JSON.stringify({ name, version: Bun.version })),
        isExecutable: false,
      },
      { name: "package/bin/bun", bytes: text("another runtime"), isExecutable: true },
    ],
    0,
  );
  const asked: string[] = [];
  using registry = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      asked.push(new URL(request.url).pathname);
      return new Response(Bun.gzipSync(archive));
    },
  });
  const install = verifiedRuntime(OTHER, OWN, folder.path, {
    ...process.env,
    BUN_CONFIG_REGISTRY: registry.url.href,
    BUN_INSTALL_CACHE_DIR: cache.path,
  });
  await expect(install).rejects.toThrow(`Cannot install ${name}: `);
  expect(asked).toEqual([`/${name}/-/${name.replace("@oven/", "")}-${Bun.version}.tgz`]);
});

test("runtimes.json has the runtime of every target, for the packages in bun.lock", () => {
  const packages = TARGETS.map((target) => lock.packages[runtimePackage(target)]?.[3] ?? target);
  expect(Object.keys(runtimes)).toEqual([...TARGETS]);
  expect(Object.values(runtimes).map((runtime) => runtime.package)).toEqual(packages);
});
