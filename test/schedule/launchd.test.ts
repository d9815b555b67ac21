import { describe, expect, test } from "bun:test";

import { launchdPing, launchdServe } from "../../src/schedule/launchd.ts";
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
