/**
 * Builds the executables: `bun build.ts` makes `dist/dynip` for this machine, `--all` every
 * system's `dist/dynip-<system>-<machine>`. An artefact that this machine can run is run, and a
 * build that does not work fails.
 */
import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { version } from "./package.json";

const TARGETS = [
  "linux-x64",
  "linux-arm64",
  "linux-x64-musl",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
  "windows-x64",
  "windows-arm64",
] as const;
type Target = (typeof TARGETS)[number];

const DIST = join(import.meta.dir, "dist");

const unknown = process.argv.slice(2).filter((argument) => argument !== "--all");
if (unknown.length > 0) {
  console.error(`Unknown argument "${unknown[0]}"; the only one is --all`);
  process.exit(1);
}
if (process.argv.includes("--all")) {
  for (const [index, target] of TARGETS.entries()) {
    await build(`dynip-${target}`, target, `[${index + 1}/${TARGETS.length}] `);
  }
} else {
  await build("dynip", undefined, "");
}

/** Builds one executable in `dist/`; without a target, for the machine that this runs on. */
async function build(name: string, target: Target | undefined, progress: string): Promise<void> {
  const start = performance.now();
  const isWindows = target ? target.startsWith("windows") : process.platform === "win32";
  const file = isWindows ? `${name}.exe` : name;
  await mkdir(DIST, { recursive: true });
  // In a folder of its own: the source map, which is in the executable as well, lands beside it.
  const folder = await mkdtemp(join(DIST, "build-"));
  try {
    const outfile = join(folder, file);
    await Bun.build({
      entrypoints: [join(import.meta.dir, "src", "cli.ts")],
      compile: {
        outfile,
        // Else the executable would run what a bunfig.toml in the current folder says.
        autoloadBunfig: false,
        autoloadDotenv: false,
        ...(target ? { target: `bun-${target}` } : {}),
      },
      format: "esm", // bytecode of any other format dies at start
      bytecode: true,
      splitting: true,
      minify: true,
      sourcemap: "linked",
      define: { "process.env.NODE_ENV": '"production"' },
    });
    if (!target || (await isThisMachine(target))) await tryOut(outfile, folder);
    await rename(outfile, join(DIST, file));
  } finally {
    await rm(folder, { recursive: true });
  }
  const { size } = await stat(join(DIST, file));
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${progress}dist/${file}  ${(size / 1e6).toFixed(1)} MB  ${seconds} s`);
}

/** Runs every subcommand, each of which is a chunk of its own, and has one of them do its work. */
async function tryOut(executable: string, folder: string): Promise<void> {
  const config = join(folder, "dynip.toml");
  await expectOutput([executable, "--version"], `dynip ${version}\n`);
  await expectOutput([executable, "serve", "--help"], "dynip serve");
  await expectOutput([executable, "ping", "--help"], "dynip ping");
  await expectOutput([executable, "init", config], config);
}

async function expectOutput(command: string[], expected: string): Promise<void> {
  const run = Bun.spawn(command, { cwd: tmpdir(), stdin: "ignore", stderr: "inherit" });
  const [output, exitCode] = await Promise.all([run.stdout.text(), run.exited]);
  if (exitCode !== 0 || !output.includes(expected)) {
    throw new Error(`${command.join(" ")} ended with ${exitCode} and printed: ${output}`);
  }
}

async function isThisMachine(target: Target): Promise<boolean> {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const isMusl = system === "linux" && (await Bun.file("/etc/alpine-release").exists());
  return target === `${system}-${process.arch}${isMusl ? "-musl" : ""}`;
}
