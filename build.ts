/**
 * Builds the executables, and what a release publishes:
 *
 *     bun build.ts                        dist/dynip for this machine, and its manual page
 *     bun build.ts --all                  every target's executable and archive, and their sums
 *     bun build.ts TARGET…                the same for these targets, such as linux-arm64
 *     bun build.ts --all --signed FOLDER  takes the executables that FOLDER has from there
 *
 * An executable that this machine can run is run, the others are looked at, and a build that does
 * not work fails. The parts are in `.github/release/`.
 */
import { existsSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { signatureProblem } from "./.github/release/code-signature.ts";
import { describeExecutable, expectTarget } from "./.github/release/executable.ts";
import { manualPage } from "./.github/release/man.ts";
import { empty, pack } from "./.github/release/release.ts";
import { verifiedRuntime } from "./.github/release/runtime.ts";
import { buildName, sourceOf } from "./.github/release/source.ts";
import {
  executableName,
  isTarget,
  type Target,
  TARGETS,
  thisMachine,
} from "./.github/release/targets.ts";
import { run, tryOut } from "./.github/release/try-out.ts";
import { version } from "./package.json";

const DIST = join(import.meta.dir, "dist");

const { targets, signed } = readArguments();
// What Bun.build makes depends on the current folder, which all its paths are relative to.
process.chdir(import.meta.dir);
const source = await sourceOf(import.meta.dir);
const own = await thisMachine();
await mkdir(DIST, { recursive: true });
if (targets.length === 0) {
  await build(executableName("dynip", own), own, "");
  await writeFile(join(DIST, "dynip.1"), await manualPage(source.time));
} else {
  await empty(DIST);
  const progress = (index: number): string => `[${index}/${targets.length}] `;
  for (const [index, target] of targets.entries()) {
    await build(executableName(`dynip-${target}`, target), target, progress(index + 1));
  }
  let packed = 0;
  await pack(DIST, targets, source, (file) => show(file, progress(++packed), []));
  console.log(`dist/SHA256SUMS  of dynip ${version}, ${source.commit ?? "unknown commit"}`);
}

/** Compiles `src/`: the one call that makes an executable. */
async function compile(outfile: string, target: Target): Promise<void> {
  const runtime = await verifiedRuntime(target, own, join(dirname(outfile), "runtime"));
  await Bun.build({
    entrypoints: [join(import.meta.dir, "src", "cli.ts")],
    compile: {
      outfile,
      // Else the executable would run what a bunfig.toml in the current folder says.
      autoloadBunfig: false,
      autoloadDotenv: false,
      // A ping is over before compiled code pays; a server changes this for itself.
      jitPolicy: 10,
      // Without the path Bun.build downloads a runtime, and does not compare it with bun.lock.
      target: `bun-${target}`,
      executablePath: runtime,
    },
    format: "esm", // bytecode of any other format dies at start
    bytecode: true,
    splitting: true,
    minify: true,
    sourcemap: "linked",
    define: {
      "process.env.NODE_ENV": '"production"',
      BUILD: JSON.stringify(buildName(source, target)),
    },
  });
}

/** Makes one executable in `dist/`, and finds out whether it is what it should be. */
async function build(file: string, target: Target, progress: string): Promise<void> {
  const start = performance.now();
  const known: string[] = [];
  // In a folder of its own: the source map, which is in the executable as well, lands beside it.
  const folder = await mkdtemp(join(DIST, "build-"));
  try {
    const outfile = join(folder, file);
    if (signed && existsSync(join(signed, file))) {
      await copyFile(join(signed, file), outfile);
      await chmod(outfile, 0o755);
    } else {
      await compile(outfile, target);
      if (target.startsWith("darwin-") && process.platform === "darwin") {
        await run(["codesign", "--force", "--sign", "-", outfile]);
      }
    }
    const bytes = await readFile(outfile);
    expectTarget(bytes, target);
    known.push(describeExecutable(bytes));
    if (target.startsWith("darwin-")) known.push(signature(bytes, target));
    if (target === own) {
      await tryOut(outfile, `${version} (${buildName(source, own)})`);
      known.push("started");
    }
    await rename(outfile, join(DIST, file));
  } finally {
    await rm(folder, { recursive: true });
  }
  known.push(`${((performance.now() - start) / 1000).toFixed(1)} s`);
  await show(file, progress, known);
}

/** What there is to say of a macOS executable's signature, which macOS demands. */
function signature(bytes: Uint8Array, target: Target): string {
  const problem = signatureProblem(bytes);
  if (!problem) return "signature valid";
  // Bun keeps the signature of its own executable there, which does not fit any more.
  if (target === "darwin-x64" && !signed && process.platform !== "darwin") {
    return `NOT SIGNED, does not start before "codesign --force --sign -" on macOS (${problem})`;
  }
  throw new Error(`The executable for ${target} would not start: ${problem}`);
}

/** Shows that a file of `dist/` is there, with what is known of it. */
async function show(file: string, progress: string, known: readonly string[]): Promise<void> {
  const { size } = await stat(join(DIST, file));
  console.log([`${progress}dist/${file}`, `${(size / 1e6).toFixed(1)} MB`, ...known].join("  "));
}

function readArguments(): { targets: readonly Target[]; signed: string | undefined } {
  try {
    const { values, positionals } = parseArgs({
      options: { all: { type: "boolean" }, signed: { type: "string" } },
      allowPositionals: true,
    });
    const unknown = positionals.find((target) => !isTarget(target));
    if (unknown !== undefined) throw new Error(`There is no target "${unknown}"`);
    const targets = values.all ? TARGETS : positionals.filter(isTarget);
    return { targets, signed: values.signed && resolve(values.signed) };
  } catch (error) {
    console.error(
      `${(error as Error).message}\nhint: the targets are ${TARGETS.join(", ")}; --all`,
    );
    process.exit(1);
  }
}
