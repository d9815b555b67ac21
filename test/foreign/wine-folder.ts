/**
 * A folder with a Debian that has Wine 10, newer than that of Debian 12, and with Bun for Windows. It
 * is made once, by debootstrap from its default mirror, and kept until it is removed by hand.
 */
import { copyFile, mkdir, rename, rm, statfs, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

import { runProcess } from "../processes.ts";
import { giveUp, PROJECT } from "./suite.ts";

const RELEASE = "trixie";
const NEEDED_GB = 3;
const TEMPORARY = "prefix/drive_c/users/root/AppData/Local/Temp";

/** Paths inside Wine, see {@link inWine}. */
export const WINE_PROJECT = "Z:\\project";
export const WINE_BUN = "Z:\\bun\\node_modules\\@oven\\bun-windows-x64\\bin\\bun.exe";

/** Makes the folder if need be, and returns its path. Ends this process when that fails. */
export async function wineFolder(): Promise<string> {
  const cache = process.env["DYNIP_WINE_CACHE"] ?? join(homedir(), ".cache", "dynip");
  const folder = join(cache, RELEASE);
  // The folder gets this name when it is complete.
  if (!(await Bun.file(join(folder, "etc/debian_version")).exists())) {
    await makeFolder(cache, folder);
  }
  await installBun(folder);
  // Removes what killed tests have left. No tmpfs here: Bun in Wine cannot remove a folder "a.b" on one.
  await rm(join(folder, TEMPORARY), { recursive: true, force: true });
  await mkdir(join(folder, TEMPORARY), { recursive: true });
  const { stdout: size } = await runProcess(["du", "-sm", folder], { deadline: 60_000 });
  console.log(`Wine is in ${folder}, ${Number.parseInt(size)} MB`);
  return folder;
}

/**
 * The command that runs `command` in the folder. The project is at `/project` (`Z:\project` in Wine),
 * read-only. Mounts and processes are in namespaces of their own and end with the command.
 */
export function inWine(folder: string, project: string, command: string[]): string[] {
  const namespaces = ["--mount", "--pid", "--fork", "--kill-child"];
  return ["unshare", ...namespaces, "sh", "-ec", ENTER, "sh", folder, project, ...command];
}

const ENTER = `root=$1 project=$2
shift 2
mount --make-rprivate /
mount --bind "$project" "$root/project"
mount -o remount,bind,ro "$root/project"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
exec chroot "$root" env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8 XDG_RUNTIME_DIR=/tmp \\
  WINEPREFIX=/prefix WINEDEBUG=-all NO_COLOR=1 \\
  DYNIP_BINARY="$DYNIP_BINARY" DYNIP_TEST_PATIENCE="$DYNIP_TEST_PATIENCE" \\
  sh -c 'cd /project && exec "$@"' sh "$@"`;

async function makeFolder(cache: string, folder: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const { bavail, bsize } = await statfs(cache);
  if (bavail * bsize < NEEDED_GB * 1e9) {
    giveUp(`${cache} has less than ${NEEDED_GB} GB`, "DYNIP_WINE_CACHE names another folder");
  }
  console.log(`Making ${folder} with Debian ${RELEASE} and Wine: about 2 GB, a few minutes`);
  const unfinished = `${folder}.new`;
  await rm(unfinished, { recursive: true, force: true });
  const packages = "--include=wine,wine64";
  await must(["debootstrap", "--variant=minbase", packages, RELEASE, unfinished]);
  await rm(join(unfinished, "var/cache/apt"), { recursive: true });
  // Without it Wine does not resolve localhost.
  await writeFile(join(unfinished, "etc/hosts"), "127.0.0.1 localhost\n::1 localhost\n");
  await mkdir(join(unfinished, "project"));
  // Killed before it has written its registry, Wine has no network interfaces, among other things.
  const prepare = "WINEDLLOVERRIDES=mscoree,mshtml= wineboot --init && wineserver --wait";
  await must(inWine(unfinished, PROJECT, ["sh", "-c", prepare]));
  await rename(unfinished, folder);
}

/** Installs Bun for Windows with the version and checksum of bun.lock. */
async function installBun(folder: string): Promise<void> {
  const cwd = join(folder, "bun");
  await mkdir(cwd, { recursive: true });
  for (const file of ["package.json", "bun.lock"]) {
    await copyFile(join(PROJECT, file), join(cwd, file));
  }
  const install = ["install", "--frozen-lockfile", "--ignore-scripts", "--silent"];
  await must([process.execPath, ...install, "--os=win32", "--cpu=x64"], cwd);
}

const COMMAND_MINUTES = 15;

/** Runs a command, shows its stderr, and ends this process when it fails. */
async function must(command: string[], cwd: string = PROJECT): Promise<void> {
  const run = Bun.spawn(command, {
    cwd,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
    timeout: COMMAND_MINUTES * 60_000,
    killSignal: "SIGKILL",
  });
  if ((await run.exited) !== 0) giveUp(`failed: ${command.join(" ")}`, "what it said is above");
}
