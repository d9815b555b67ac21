import { describe, expect, test } from "bun:test";

import { launchdPing, launchdServe } from "../../src/schedule/launchd.ts";
import type { State } from "../../src/schedule/scheduler.ts";
import { HARD_NAMES } from "./hard-names.ts";
import { parseWithPython, PYTHON, WITHOUT_PYTHON } from "../python.ts";

const parsePlist = (text: string) =>
  parseWithPython("import plistlib; value = plistlib.loads(sys.stdin.buffer.read())", text);

describe.skipIf(!PYTHON)(`the property lists, read by plistlib${WITHOUT_PYTHON}`, () => {
  test.each(HARD_NAMES)("with the paths %j", async (name) => {
    const start = { binary: `/opt/${name}`, config: `/Users/ann/${name}`, user: "ann" };
    expect(await parsePlist(launchdServe.print(start))).toEqual({
      Label: "dynip",
      ProgramArguments: [start.binary, "serve", start.config],
      UserName: "ann",
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ProcessType: "Interactive",
      StandardErrorPath: "/Library/Logs/dynip.log",
    });
    expect(await parsePlist(launchdPing.print({ ...start, user: undefined }))).toEqual({
      Label: "dynip-ping",
      ProgramArguments: [start.binary, "ping", start.config],
      RunAtLoad: true,
      StartInterval: 300,
      ProcessType: "Background",
      StandardErrorPath: "/Library/Logs/dynip-ping.log",
    });
  });
});

test.skipIf(process.platform !== "darwin")("plutil finds nothing wrong (macOS)", () => {
  const start = { binary: "/opt/dynip", config: "/Users/ann/Ann's & Zoë's.toml", user: "ann" };
  for (const text of [launchdServe.print(start), launchdPing.print(start)]) {
    const run = Bun.spawnSync(["plutil", "-lint", "-"], {
      stdin: new TextEncoder().encode(text),
      timeout: 5000,
    });
    expect(run.stdout.toString()).toContain("OK");
  }
});

describe("what launchctl print says", () => {
  const { state } = launchdPing.service({ binary: "/dynip", config: "/dynip.toml" }).check;
  const print = (lines: string) => `system/dynip-ping = {\n\tactive count = 1\n${lines}\n}\n`;
  test.each<[string, string, State]>([
    [
      "it runs",
      "\tstate = running\n\truns = 1\n\tpid = 345\n\tlast exit code = (never exited)",
      { kind: "running", pid: 345 },
    ],
    [
      "it has not run",
      "\tstate = not running\n\truns = 0\n\tlast exit code = (never exited)",
      { kind: "busy" },
    ],
    [
      "it has ended",
      "\tstate = not running\n\truns = 2\n\tlast exit code = 6",
      { kind: "ended", exitCode: 6, run: "2" },
    ],
  ])("%s", (_, lines, expected) => {
    expect(state!.read(print(lines))).toEqual(expected);
  });
});

test.each([
  ["/Users/ann/Documents/dynip.toml", true],
  ["/Users/ann/Desktop/x/dynip.toml", true],
  ["/Users/ann/Downloads/dynip.toml", true],
  ["/Users/ann/dynip.toml", false],
  ["/Users/Documents/dynip.toml", false],
  ["/etc/dynip/dynip.toml", false],
])("whether a daemon cannot read %s: %p", (config, isHidden) => {
  const problems = launchdServe.problems!({ binary: "/usr/local/bin/dynip", config });
  expect(problems.map(({ isWarning }) => isWarning)).toEqual(isHidden ? [true] : []);
});
