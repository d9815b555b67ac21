import { describe, expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";

import { cron } from "../../src/schedule/cron.ts";
import { HARD_NAMES } from "./hard-names.ts";
import { temporaryFolder } from "../temporary.ts";

describe.skipIf(process.platform === "win32")("the crontab line, run as cron runs it", () => {
  test.each(HARD_NAMES)("with the configuration %j", async (name) => {
    await using folder = await temporaryFolder();
    const echo = folder.file("print arguments");
    await writeFile(echo, '#!/bin/sh\nfor argument; do printf "%s\\n" "$argument"; done\n');
    await chmod(echo, 0o755);
    const text = cron.print({ binary: echo, config: folder.file(name) });
    expect(text).toEndWith("\n");
    const line = text.trimEnd();
    expect(line).toStartWith("*/5 * * * * ");
    // cron takes the line up to the first unescaped %, reads \% as %, and runs it by sh -c (crontab(5)).
    const command = line.slice("*/5 * * * * ".length);
    expect(command).not.toMatch(/(?<!\\)%/);
    const run = Bun.spawnSync(["/bin/sh", "-c", command.replaceAll("\\%", "%")], { timeout: 5000 });
    expect(run.stdout.toString()).toBe(`ping\n${folder.file(name)}\n`);
  });
});
