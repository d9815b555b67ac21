/**
 * `bun run check:musl`: the executable for Linux with musl, on a Linux with glibc. Debian has musl,
 * and no libstdc++ for it. That of GCC is compiled to be linked anywhere (`libstdc++_pic.a`): the few
 * functions that the executable needs of it are linked to musl here. Alpine's is another build of it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import {
  artefact,
  NAMES_THE_EXECUTABLE,
  requirePackages,
  runSuite,
  writeWrapper,
} from "./suite.ts";

/** What GCC's library expects of glibc, and musl has not. */
const COMPATIBILITY = `
#include <sys/random.h>
int _dl_find_object(void *address, void *result) { return -1; }
char __libc_single_threaded = 0;
unsigned arc4random(void) { unsigned number; getrandom(&number, sizeof number, 0); return number; }
`;

const LOADER = "/lib/ld-musl-x86_64.so.1";
requirePackages([
  [LOADER, "musl"],
  ["musl-gcc", "musl-tools"],
  ["gcc", "gcc"],
]);
const pic = await gcc("-print-file-name=libstdc++_pic.a");
// It says just the name when there is none.
requirePackages([
  [pic.startsWith("/") ? pic : `/${pic}`, `libstdc++-${await gcc("-dumpversion")}-pic`],
]);
const binary = artefact("dynip-linux-x64-musl");
const folder = await mkdtemp(join(tmpdir(), "dynip-musl-"));
const report = join(folder, "report.xml");
let isGood: boolean;
try {
  await makeLibrary(folder);
  isGood = await runSuite({
    bun: [process.execPath],
    env: {
      ...process.env,
      DYNIP_BINARY: await writeWrapper(folder, `env LD_LIBRARY_PATH='${folder}' '${binary}'`),
    },
    leftOut: [...NAMES_THE_EXECUTABLE],
    skipsBecause: "their names say why",
    report: { path: report, there: report },
    testSeconds: 20,
    retries: 0,
    minutes: 10,
  });
} finally {
  await rm(folder, { recursive: true });
}
process.exit(isGood ? 0 : 1);

/** Makes a `libstdc++.so.6` with what the executable needs of it. */
async function makeLibrary(folder: string): Promise<void> {
  const source = join(folder, "compatibility.c");
  await Bun.write(source, COMPATIBILITY);
  const symbols = await missingSymbols();
  const command = [
    ...["musl-gcc", "-shared", "-fPIC", "-Wl,-soname,libstdc++.so.6"],
    ...["-o", join(folder, "libstdc++.so.6")],
    ...symbols.map((symbol) => `-Wl,-u,${symbol}`),
    ...[source, pic, join(dirname(pic), "libgcc_eh.a")],
  ];
  const link = Bun.spawnSync(command, { timeout: 60_000 });
  if (!link.success) throw new Error(`musl-gcc failed: ${link.stderr}`);
}

/** The symbols that musl's loader does not find while there is no libstdc++. */
async function missingSymbols(): Promise<string[]> {
  const run = Bun.spawn([LOADER, binary, "--version"], { stderr: "pipe", timeout: 10_000 });
  const text = await run.stderr.text();
  return [...text.matchAll(/: (\S+): symbol not found$/gm)].map(([, symbol]) => symbol!);
}

/** What GCC says of itself. */
async function gcc(question: string): Promise<string> {
  const run = Bun.spawn(["gcc", question], { timeout: 10_000 });
  return (await run.stdout.text()).trim();
}
