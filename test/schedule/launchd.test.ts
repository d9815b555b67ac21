import { describe, expect, test } from "bun:test";

import { pingDaemon, serveDaemon } from "../../src/schedule/launchd.ts";
import { HARD_NAMES } from "./hard-names.ts";
import { parseWithPython, PYTHON, WITHOUT_PYTHON } from "../python.ts";

const parsePlist = (text: string) =>
  parseWithPython("import plistlib; value = plistlib.loads(sys.stdin.buffer.read())", text);

describe.skipIf(!PYTHON)(`the property lists, read by plistlib${WITHOUT_PYTHON}`, () => {
  test.each(HARD_NAMES)("with the paths %j", async (name) => {
    const daemon = { binary: `/opt/${name}`, config: `/Users/ann/${name}`, user: "ann" };
    expect(await parsePlist(serveDaemon(daemon))).toEqual({
      Label: "dynip",
      ProgramArguments: [daemon.binary, "serve", daemon.config],
      UserName: "ann",
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ProcessType: "Interactive",
      StandardErrorPath: "/Library/Logs/dynip.log",
    });
    expect(await parsePlist(pingDaemon({ ...daemon, user: undefined }))).toEqual({
      Label: "dynip-ping",
      ProgramArguments: [daemon.binary, "ping", daemon.config],
      RunAtLoad: true,
      StartInterval: 300,
      ProcessType: "Background",
      StandardErrorPath: "/Library/Logs/dynip-ping.log",
    });
  });
});

test.skipIf(process.platform !== "darwin")("plutil finds nothing wrong (macOS)", () => {
  const daemon = { binary: "/opt/dynip", config: "/Users/ann/Ann's & Zoë's.toml", user: "ann" };
  for (const text of [serveDaemon(daemon), pingDaemon(daemon)]) {
    const run = Bun.spawnSync(["plutil", "-lint", "-"], {
      stdin: new TextEncoder().encode(text),
      timeout: 5000,
    });
    expect(run.stdout.toString()).toContain("OK");
  }
});
