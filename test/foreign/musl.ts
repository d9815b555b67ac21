/**
 * `bun run check:musl`: the executable for Linux with musl, on a Linux with glibc. Debian has musl,
 * and no libstdc++ for it. That of GCC is compiled to be linked anywhere (`libstdc++_pic.a`): the few
 * functions that the executable needs of it are linked to musl here. Alpine's is another build of it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { artefact, giveUp, requirePackages, runSuite, writeWrapper } from "./suite.ts";

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
    leftOut: [
      {
        name: "what it says to do next can be done",
        count: 1,
        why: "it names the executable, and not the script that starts it here",
      },
    ],
    skipsBecause: "their names say why",
    report: { path: report, there: report },
    testSeconds: 20,
    minutes: 10,
  });
} finally {
  await rm(folder, { recursive: true });
}
process.exit(isGood ? 0 : 1);

/** Makes a `libstdc++.so.6` with what the executable needs of it. */
async function makeLibrary(folder: string): Promise<void> {
  const pic = await gccFile("libstdc++_pic.a");
  if (!pic) requirePackages([["/libstdc++_pic.a", "libstdc++-12-pic (or -13, -14: as gcc is)"]]);
  const source = join(folder, "compatibility.c");
  await Bun.write(source, COMPATIBILITY);
  const symbols = await missingSymbols();
  const link = Bun.spawnSync([
    ...["musl-gcc", "-shared", "-fPIC", "-Wl,-soname,libstdc++.so.6"],
    ...["-o", join(folder, "libstdc++.so.6")],
    ...symbols.map((symbol) => `-Wl,-u,${symbol}`),
    ...[source, pic!, join(dirname(pic!), "libgcc_eh.a")],
  ]);
  if (link.exitCode !== 0) giveUp(`musl-gcc: ${link.stderr}`, "is it that of Debian?");
}

/** The symbols that musl's loader does not find while there is no libstdc++. */
async function missingSymbols(): Promise<string[]> {
  const run = Bun.spawn([LOADER, binary, "--version"], { stderr: "pipe", timeout: 10_000 });
  const text = await run.stderr.text();
  return [...text.matchAll(/: (\S+): symbol not found$/gm)].map(([, symbol]) => symbol!);
}

/** The path of a file of GCC's own, which says just the name when there is none. */
async function gccFile(name: string): Promise<string | undefined> {
  const run = Bun.spawn(["gcc", `-print-file-name=${name}`], { timeout: 10_000 });
  const path = (await run.stdout.text()).trim();
  return path === name ? undefined : path;
}
