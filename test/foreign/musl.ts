/**
 * `bun run check:musl`: runs the end-to-end tests on the executable for Linux with musl, on Debian.
 * Debian has musl, but no libstdc++ for it. So the few functions that the executable needs are linked
 * from GCC's `libstdc++_pic.a`, which is position-independent. Alpine builds its own libstdc++.
 */
import { dirname, join } from "node:path";

import { outputOf, runProcess } from "../processes.ts";
import { artefact, NAMES_THE_EXECUTABLE, requirePackages, runWrapped } from "./suite.ts";

/** The functions of glibc that GCC's library uses and musl lacks. */
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
// GCC prints the bare name when there is no such file.
requirePackages([
  [pic.startsWith("/") ? pic : `/${pic}`, `libstdc++-${await gcc("-dumpversion")}-pic`],
]);
const binary = artefact("dynip-linux-x64-musl");
await runWrapped({
  async command(folder) {
    await makeLibrary(folder);
    return `env LD_LIBRARY_PATH='${folder}' '${binary}'`;
  },
  leftOut: [
    ...NAMES_THE_EXECUTABLE,
    {
      name: "takes the addresses that the script of NOTICES.md sends it",
      count: 1,
      why: "nsupdate inherits LD_LIBRARY_PATH, and needs all of libstdc++",
    },
  ],
  retries: 0,
  minutes: 10,
});

/** Makes a `libstdc++.so.6` with the functions that the executable needs. */
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
  await outputOf(command, { deadline: 60_000 });
}

/** The symbols that musl's loader reports as missing without libstdc++. */
async function missingSymbols(): Promise<string[]> {
  const { stderr } = await runProcess([LOADER, binary, "--version"]);
  return [...stderr.matchAll(/: (\S+): symbol not found$/gm)].map(([, symbol]) => symbol!);
}

/** The answer of GCC to an option such as `-dumpversion`. */
async function gcc(question: string): Promise<string> {
  return (await runProcess(["gcc", question])).stdout.trim();
}
