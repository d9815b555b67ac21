/**
 * All that `init` prints, for each operating system, is the text in `golden/`, where it can be read.
 * A change that is meant: `DYNIP_GOLDEN=write bun test test/schedule/golden.test.ts`, and read the difference.
 */
import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { crontabLine } from "../../src/schedule/cron.ts";
import { pingDaemon, serveDaemon } from "../../src/schedule/launchd.ts";
import { clientNextSteps, type Here, nextSteps } from "../../src/schedule/next-steps.ts";
import { pingUnits, serveUnit } from "../../src/schedule/systemd.ts";
import { windowsTask } from "../../src/schedule/windows-task.ts";

const GOLDEN = join(import.meta.dir, "golden");

const linux = { binary: "/usr/local/bin/dynip", config: "/home/ann/dynip.toml" };
const darwin = { binary: "/usr/local/bin/dynip", config: "/Users/ann/Ann's files/dynip.toml" };
const win32 = {
  binary: "C:\\Program Files\\dynip\\dynip.exe",
  config: "C:\\Users\\Zoë & Ann\\dynip.toml",
};

const texts: Record<string, string> = {
  ...bothNextSteps("linux", "", { starter: "systemd", ...linux }),
  ...bothNextSteps("linux", "-without-systemd", { starter: "cron", ...linux }),
  "linux/systemd-serve.service": serveUnit(linux.binary, linux.config),
  "linux/systemd-ping.sh": pingUnits(linux.binary, linux.config),
  "linux/cron.txt": `${crontabLine(linux.binary, linux.config)}\n`,

  ...bothNextSteps("darwin", "", { starter: "launchd", ...darwin }),
  "darwin/launchd-serve.plist": serveDaemon({ ...darwin, user: "ann" }),
  "darwin/launchd-serve-root.plist": serveDaemon({ ...darwin, user: undefined }),
  "darwin/launchd-ping.plist": pingDaemon({ ...darwin, user: "ann" }),
  "darwin/cron.txt": `${crontabLine(darwin.binary, darwin.config)}\n`,

  ...bothNextSteps("win32", "", { starter: "windows", ...win32 }),
  "win32/windows-task.xml": windowsTask(win32.binary, win32.config),
};

test.each(Object.keys(texts))("%s", async (name) => {
  const path = join(GOLDEN, name);
  if (process.env["DYNIP_GOLDEN"] === "write") await Bun.write(path, texts[name]!);
  expect(texts[name]!).toBe(await Bun.file(path).text());
});

test("there is no text in golden/ that nothing prints", async () => {
  const entries = await readdir(GOLDEN, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).length;
  expect(files).toBe(Object.keys(texts).length);
});

function bothNextSteps(system: string, suffix: string, here: Here): Record<string, string> {
  return {
    [`${system}/next-steps${suffix}.txt`]: nextSteps({ ...here, port: 28630 }),
    [`${system}/client-next-steps${suffix}.txt`]: clientNextSteps({ ...here, name: "nas" }),
  };
}
