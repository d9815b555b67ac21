/**
 * A release that the test itself makes and serves on loopback, and runs of its `install.sh`: as an ordinary
 * user with a home of its own, and as root with a `/usr/local` of its own.
 */
import { chown, mkdir, mkdtemp, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { type Archive, installers } from "../../.github/release/installers.ts";
import { tar } from "../../.github/release/tar.ts";
import { type Target, thisMachine } from "../../.github/release/targets.ts";
import { version } from "../../package.json";
import { cleanEnvironment, type RunningProcess, startProcess } from "../processes.ts";
import { temporaryFolder } from "../temporary.ts";

/** The target that `install.sh` is to find on this machine. */
export const TARGET = process.platform === "win32" ? "linux-x64" : await thisMachine();

/** What the small program in the archives answers to `--version`, as dynip does. */
export const SAID = `dynip ${version} (test, ${TARGET})`;
const PROGRAM = `#!/bin/sh\necho "${SAID}"\n`;

/** How a run of `install.sh` differs from one by `sh` as an ordinary user. */
export interface Run {
  /** The command that runs the script, as a path and arguments. */
  shell?: readonly string[];
  /** Tools that it does not find. */
  without?: readonly string[];
  /** Programs that it finds in place of tools, each as the text of a script. */
  fakes?: Readonly<Record<string, string>>;
  /** Finds busybox in place of the tools, as on Alpine. */
  hasBusybox?: boolean;
  /** Changes in its environment. */
  env?: Readonly<Record<string, string | undefined>>;
  /** It runs as root, and this folder is its `/usr/local`. */
  local?: string;
  /** The size of a file system at the home, as mount(8) writes it. The run prints what is left in there. */
  disk?: string;
}

export interface Lab extends AsyncDisposable {
  readonly path: string;
  /** The home of the ordinary user. There is nothing in it. */
  readonly home: string;
  /** The script, as it is in the release. */
  readonly script: string;
  /** The URL of the release. */
  readonly base: string;
  /** What the server sends, by file name. A function answers itself. */
  readonly files: Record<string, Uint8Array<ArrayBuffer> | (() => Response)>;
  /** The file names that were asked for. */
  readonly requests: string[];
  start(run?: Run): Promise<RunningProcess>;
  /** The paths of all that is in the home. */
  inHome(): Promise<string[]>;
}

/**
 * Makes a release and serves it.
 * @param options the executable in its archives, and the targets that it has archives for
 */
export async function newLab({
  program = PROGRAM,
  targets = [TARGET],
}: { program?: string | Uint8Array; targets?: readonly Target[] } = {}): Promise<Lab> {
  const folder = await temporaryFolder();
  const home = folder.file("home");
  await mkdir(home);
  for (const path of [folder.path, home]) await giveToUser(path);
  const files: Lab["files"] = {};
  const requests: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch({ url }) {
      const name = new URL(url).pathname.slice("/v1/".length);
      requests.push(name);
      const file = files[name];
      if (file === undefined) return new Response("Not Found", { status: 404 });
      return typeof file === "function" ? file() : new Response(file);
    },
  });
  const base = `http://127.0.0.1:${server.port}/v1`;
  const archives = targets.map((target) => archiveOf(target, Buffer.from(program as string)));
  for (const { archive, bytes } of archives) files[archive.file] = bytes;
  const release = { version, base, homepage: base, archives: archives.map((one) => one.archive) };
  const script = (await installers(release))["install.sh"]!;
  files["install.sh"] = Buffer.from(script);
  await writeFile(folder.file("install.sh"), script);
  return {
    path: folder.path,
    home,
    script,
    base,
    files,
    requests,
    async start(run = {}) {
      const PATH = await toolsFor(folder.path, run);
      const shell = run.shell ?? [Bun.which("sh")!, folder.file("install.sh")];
      return startProcess([...wrapping(run, home), ...shell], {
        cwd: folder.path,
        env: { ...cleanEnvironment(), HOME: home, PATH, ...run.env },
      });
    },
    inHome: async () => (await readdir(home, { recursive: true })).sort(),
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The user and group that root becomes to be an ordinary user. */
const NOBODY = 65534;
const IS_ROOT = process.getuid?.() === 0;

/** Gives a file or folder to the ordinary user, whom root becomes. */
export async function giveToUser(path: string): Promise<void> {
  if (IS_ROOT) await chown(path, NOBODY, NOBODY);
}

function archiveOf(
  target: Target,
  program: Buffer,
): { archive: Archive; bytes: Uint8Array<ArrayBuffer> } {
  const entry = { name: `dynip-${target}/dynip`, bytes: program, isExecutable: true };
  const bytes = gzipSync(tar([entry], 0), { level: 1 });
  const sum = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  const space = bytes.length + program.length;
  return { archive: { target, file: `dynip-${target}.tar.gz`, sum, space }, bytes };
}

/** The programs that `install.sh` calls, and those that busybox has of them. */
const BUSYBOX = "cat chmod df gzip id mkdir mktemp mv rm rmdir sed sha256sum tar uname wget".split(
  " ",
);
const TOOLS = [...BUSYBOX, "curl", "getconf", "ldd", "openssl", "shasum"];

/** Makes a folder with the tools of a run. Returns its path. */
async function toolsFor(
  folder: string,
  { without = [], fakes = {}, hasBusybox = false }: Run,
): Promise<string> {
  const tools = await mkdtemp(join(folder, "tools-"));
  await giveToUser(tools);
  for (const tool of hasBusybox ? BUSYBOX : TOOLS) {
    const path = Bun.which(hasBusybox ? "busybox" : tool);
    if (without.includes(tool) || tool in fakes || path === null) continue;
    await symlink(path, join(tools, tool));
  }
  for (const [name, text] of Object.entries(fakes)) {
    await writeFile(join(tools, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return tools;
}

/** The command that runs the rest of its arguments as an ordinary user. */
export const AS_USER: readonly string[] = IS_ROOT
  ? [Bun.which("setpriv")!, `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"]
  : [];

/** The command that runs the rest of its arguments as the user of a run, in its surroundings. */
function wrapping({ local, disk }: Run, home: string): string[] {
  const asUser = local === undefined ? [...AS_USER] : [];
  if (local === undefined && disk === undefined) return asUser;
  const sh = Bun.which("sh")!;
  const inside = local === undefined ? ON_DISK : WITH_LOCAL;
  const where = local ?? home;
  const unshare = [Bun.which("unshare")!, "--mount", sh, "-c", inside, sh];
  return [...unshare, process.env["PATH"]!, where, disk ?? "", ...asUser];
}

const WITH_LOCAL = `(PATH=$1; mount --bind "$2" /usr/local) || exit 99
shift 3
exec "$@"`;

const ON_DISK = `path=$1 home=$2
(PATH=$path; mount -t tmpfs -o "size=$3,mode=777" tmpfs "$home") || exit 99
shift 3
"$@"
code=$?
PATH=$path find "$home" -mindepth 1
exit $code`;
