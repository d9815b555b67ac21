/**
 * Builds the executables, and the other files of a release:
 *
 *     bun build.ts                        dist/dynip for this machine, and its manual page
 *     bun build.ts --all                  the executable and the archive of every target, and SHA256SUMS
 *     bun build.ts TARGET…                the same for these targets, such as linux-arm64
 *     bun build.ts --all --signed FOLDER  uses the executables in FOLDER instead of compiling them
 *     bun build.ts --all --repository OWNER/NAME
 *         adds install.sh, install.ps1, dynip.rb and dynip.json, which name the repository on GitHub
 *
 * The build checks the Bun runtime and the format of every executable and the signature of those for
 * macOS, and starts the executable for this machine. It fails when one of them is wrong. Its parts are
 * in `.github/release/`.
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
import { canPackage, packageName } from "./.github/release/deb.ts";
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

const { targets, signed, repository } = readArguments();
// Bun.build writes paths relative to the current folder into the executable.
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
  await pack(DIST, {
    targets,
    source,
    repository,
    progress: (file, target) => show(file, progress(targets.indexOf(target) + 1), []),
  });
  if (targets.some(packageName) && !canPackage()) {
    console.log("dist/*.deb  NOT MADE: there is no dpkg-deb");
  }
  console.log(`dist/SHA256SUMS  of dynip ${version}, ${source.commit ?? "unknown commit"}`);
}

/** Compiles `src/` into an executable. */
async function compile(outfile: string, target: Target): Promise<void> {
  const runtime = await verifiedRuntime(target, own, join(dirname(outfile), "runtime"));
  await Bun.build({
    entrypoints: [join(import.meta.dir, "src", "cli.ts")],
    compile: {
      outfile,
      // Otherwise the executable obeys a bunfig.toml and a .env in the current folder.
      autoloadBunfig: false,
      autoloadDotenv: false,
      // A short process such as a ping starts faster without the JIT. `dynip serve` resets it to 1.
      jitPolicy: 10,
      // Without a path, Bun.build uses a runtime from its cache or a download, unverified.
      target: `bun-${target}`,
      executablePath: runtime,
    },
    format: "esm", // with bytecode, an executable of another format fails at start
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

/** Builds one executable in `dist/`, and checks it. */
async function build(file: string, target: Target, progress: string): Promise<void> {
  const start = performance.now();
  const known: string[] = [];
  // In its own folder, since Bun.build writes a source map beside it. The executable has the map, too.
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

/**
 * Describes the code signature of an executable for macOS, which does not start one without.
 * @throws Error when the signature is not valid
 */
function signature(bytes: Uint8Array, target: Target): string {
  const problem = signatureProblem(bytes);
  if (!problem) return "signature valid";
  // Bun leaves the runtime's signature in it, which does not match the executable.
  if (target === "darwin-x64" && !signed && process.platform !== "darwin") {
    return `NOT SIGNED, run "codesign --force --sign -" on macOS to make it start (${problem})`;
  }
  throw new Error(`The executable for ${target} cannot start on macOS: ${problem}`);
}

/** Prints a line about a file in `dist/`. */
async function show(file: string, progress: string, known: readonly string[]): Promise<void> {
  const { size } = await stat(join(DIST, file));
  console.log([`${progress}dist/${file}`, `${(size / 1e6).toFixed(1)} MB`, ...known].join("  "));
}

function readArguments(): {
  targets: readonly Target[];
  signed: string | undefined;
  repository: string | undefined;
} {
  try {
    const { values, positionals } = parseArgs({
      options: {
        all: { type: "boolean" },
        signed: { type: "string" },
        repository: { type: "string" },
      },
      allowPositionals: true,
    });
    const unknown = positionals.find((target) => !isTarget(target));
    if (unknown !== undefined) throw new Error(`Unknown target "${unknown}"`);
    const { repository } = values;
    // The scripts for shells have it between quotes.
    if (repository !== undefined && !/^[\w.-]+\/[\w.-]+$/.test(repository)) {
      throw new Error(`The repository is "${repository}", must be OWNER/NAME`);
    }
    const targets = values.all ? TARGETS : positionals.filter(isTarget);
    return { targets, signed: values.signed && resolve(values.signed), repository };
  } catch (error) {
    console.error(
      `${(error as Error).message}\nhint: the targets are ${TARGETS.join(", ")}, or --all for every one`,
    );
    process.exit(1);
  }
}
