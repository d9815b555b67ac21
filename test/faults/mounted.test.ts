/** A log that is mounted as a single file, as containers do: it cannot be replaced. */
import { expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";

import { BINARY, newSignedSetup } from "../e2e/dynip.ts";
import { runProcess } from "../processes.ts";
import { WAIT_MS } from "../waiting.ts";
import { whyNoNamespace } from "./namespace.ts";

const why = whyNoNamespace();
if (why !== undefined) console.log(`skipped: a log that is mounted as a single file: ${why}`);

test.skipIf(why !== undefined)(
  "is refused at the start with exit code 2, the way out, and nothing changed",
  async () => {
    await using setup = await newSignedSetup();
    await writeFile(setup.logPath, "{}");
    const script = 'mount --bind "$1" "$1" && exec "$2" serve "$3"';
    const command = ["unshare", "-m", "sh", "-c", script, "sh"];
    const { exitCode, stderr } = await runProcess(
      [...command, setup.logPath, BINARY, setup.config],
      { deadline: WAIT_MS }, // a server that starts goes on
    );
    expect(exitCode).toBe(2);
    expect(stderr).toBe(
      `error: Cannot open client log "${setup.logPath}": it is a mount point, so that it cannot be replaced\n` +
        "hint: mount its folder instead of the single file\n",
    );
    expect((await readdir(setup.path)).sort()).toEqual(["dynip.json", "dynip.toml"]);
    expect(await readFile(setup.logPath, "utf8")).toBe("{}");
  },
);
