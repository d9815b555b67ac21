/**
 * Folders with a Debian that systemd can boot, for tests. Each is made once, by debootstrap from the mirror
 * that is its default, in `~/.cache/dynip` or where `DYNIP_SYSTEMD_CACHE` says; remove it to have the
 * space back.
 */
import { existsSync } from "node:fs";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

import { giveUp, PROJECT, requirePackages } from "../foreign/suite.ts";

const PACKAGES = "systemd,systemd-sysv,dbus,libnss-systemd,cron,adduser";

/** The path of the folder with a release, such as `bookworm`. Ends this process when it cannot be made. */
export async function debian(release: string): Promise<string> {
  requirePackages([
    ["debootstrap", "debootstrap"],
    ["systemd-nspawn", "systemd-container"],
    ["nsenter", "util-linux"],
  ]);
  if (process.getuid!() !== 0) giveUp("only root may boot a folder with Debian", "use sudo");
  const cache = process.env["DYNIP_SYSTEMD_CACHE"] ?? join(homedir(), ".cache", "dynip");
  const path = join(cache, `${release}-systemd`);
  // It has its name when it is complete.
  if (existsSync(path)) return path;
  console.log(`Making ${path} with Debian ${release} and systemd: 250 MB, a few minutes`);
  await mkdir(cache, { recursive: true });
  const unfinished = `${path}.new`;
  await rm(unfinished, { recursive: true, force: true });
  const debootstrap = Bun.spawn(
    ["debootstrap", "--variant=minbase", `--include=${PACKAGES}`, release, unfinished],
    { stdin: "ignore", stdout: "ignore", stderr: "inherit" },
  );
  if ((await debootstrap.exited) !== 0) giveUp("debootstrap failed", "what it said is above");
  await writeFile(join(unfinished, "etc/hosts"), "127.0.0.1 localhost\n::1 localhost\n");
  await writeFile(join(unfinished, "etc/hostname"), "attic-pi\n");
  await writeFile(join(unfinished, "etc/machine-id"), "6b1f7e0e6f2b4c6f8f9a4d7c2b3a1e05\n");
  // There is no network to wait for.
  const wait = "etc/systemd/system/systemd-networkd-wait-online.service";
  await symlink("/dev/null", join(unfinished, wait));
  await rename(unfinished, path);
  return path;
}

/**
 * Runs the tests of a folder on such a Debian. Ends this process when not all of them ran.
 * @param env more variables for the tests
 * @returns the exit code
 */
export async function runTests(
  tests: string,
  folder: string,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const run = Bun.spawn([process.execPath, "test", tests, "--timeout=180000"], {
    cwd: PROJECT,
    env: { ...process.env, ...env, DYNIP_SYSTEMD_FOLDER: folder },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
  });
  let summary = "";
  for await (const text of run.stderr.pipeThrough(new TextDecoderStream())) {
    summary += text;
    process.stderr.write(text);
  }
  // A test that ends the process would otherwise pass for all tests passed.
  const isWhole = /^ [1-9]\d* pass$/m.test(summary) && !/^ [1-9]\d* skip$/m.test(summary);
  const exitCode = await run.exited;
  if (exitCode === 0 && !isWhole) giveUp("the tests did not all run", "what they said is above");
  return exitCode;
}
