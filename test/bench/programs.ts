/** Compiles the programs of test/bench/programs with the options that dynip is compiled with. */
import { join } from "node:path";

const FOLDER = join(import.meta.dir, "programs");

export type ProgramName =
  | "bare-echo"
  | "bare-server"
  | "clients"
  | "flood"
  | "nothing"
  | "one-datagram"
  | "paced"
  | "paced-requests"
  | "paced-signed"
  | "parse"
  | "signed-driver"
  | "sink"
  | "timer";

export class Programs {
  readonly #folder: string;
  readonly #compiled = new Map<ProgramName, Promise<string>>();

  /** @param folder where the executables go */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The path of a program's executable, which is compiled at the first call. */
  path(name: ProgramName): Promise<string> {
    let path = this.#compiled.get(name);
    if (path === undefined) this.#compiled.set(name, (path = compile(name, this.#folder)));
    return path;
  }
}

/** Has the same options as build.ts. */
async function compile(name: ProgramName, folder: string): Promise<string> {
  const outfile = join(folder, process.platform === "win32" ? `${name}.exe` : name);
  await Bun.build({
    entrypoints: [join(FOLDER, `${name}.ts`)],
    compile: { outfile, autoloadBunfig: false, autoloadDotenv: false },
    format: "esm",
    bytecode: true,
    splitting: true,
    minify: true,
    sourcemap: "linked",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return outfile;
}
