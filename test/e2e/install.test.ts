/**
 * `dynip init --install` and `--uninstall` where they refuse: nothing here may change the machine that the
 * tests run on. What they do is in test/systemd/ and test/commands/.
 */
import { describe, expect, test } from "bun:test";

import { BINARY, dynip, newSetup } from "./dynip.ts";

const ID = process.getuid?.();
const SETPRIV = ID === 0 ? Bun.which("setpriv") : null;
const CAN_BE_USER = ID !== undefined && (ID !== 0 || SETPRIV !== null);
/** Makes a command one of a user who is not root. */
const AS_USER = SETPRIV ? [SETPRIV, "--reuid=65534", "--regid=65534", "--clear-groups"] : [];

describe.each(["install", "uninstall"])("--%s", (action) => {
  test.each(["server", "constructor", "systemd-ping"])("refuses %j", async (subcommand) => {
    expect(await dynip(["init", `--${action}`, subcommand])).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: `error: Wrong usage: --${action} is "${subcommand}", must be serve or ping\n`,
    });
  });

  test.each([
    [["--force"]],
    [["--name", "nas"]],
    [["--print", "cron"]],
    [[action === "install" ? "--uninstall" : "--install", "ping"]],
  ])("refuses %j beside it", async (options) => {
    const { exitCode, stderr } = await dynip(["init", `--${action}`, "server", ...options]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: Wrong usage: --\w+ goes with no other option\n/);
  });

  test.skipIf(!CAN_BE_USER).each(["ping"])(
    `needs root for %s, and says so in one line${CAN_BE_USER ? "" : " (skipped: no setpriv)"}`,
    async (subcommand) => {
      const run = Bun.spawn([...AS_USER, BINARY, "init", `--${action}`, subcommand], {
        cwd: "/",
        env: { PATH: process.env["PATH"] },
        stdout: "pipe",
        stderr: "pipe",
        timeout: 10_000,
      });
      expect(await run.stderr.text()).toBe(
        `error: Cannot ${action} "ping": it needs root; run sudo ${BINARY} init --${action} ping\n`,
      );
      expect(await run.exited).toBe(10);
    },
  );
});

test("--uninstall takes no configuration", async () => {
  await using setup = await newSetup();
  const { exitCode, stderr } = await dynip(["init", "--uninstall", "ping", setup.config]);
  expect(exitCode).toBe(1);
  expect(stderr).toBe(
    `error: Wrong usage: --uninstall takes no configuration, and got "${setup.config}"\n`,
  );
});

test("the help has both", async () => {
  const { stdout } = await dynip(["init", "--help"]);
  expect(stdout).toContain("--install=<serve|ping>");
  expect(stdout).toContain("--uninstall=<serve|ping>");
  expect(stdout).toContain("10  the service cannot be installed, started or removed");
});
