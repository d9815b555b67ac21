import { describe, expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";

import { addLine, cron, removeLine } from "../../src/schedule/cron.ts";
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

describe("the line in a user's crontab", () => {
  const start = { binary: "/usr/local/bin/dynip", config: "/home/ann/dynip.toml" };
  const line = cron.service(start).crontab!;
  const other = cron.service({ ...start, config: "/home/ann/other.toml" }).crontab!;
  const OTHERS = "# mine\n0 3 * * * backup\n\n30 4 * * * dynip ping /srv/dynip.toml\n";

  test("comes after the others, once", () => {
    expect(addLine("", line)).toBe(`${line.line}\n`);
    expect(addLine(OTHERS, line)).toBe(`${OTHERS}${line.line}\n`);
    expect(addLine(OTHERS.trimEnd(), line)).toBe(`${OTHERS}${line.line}\n`);
    expect(addLine(addLine(OTHERS, line), line)).toBe(addLine(OTHERS, line));
  });

  test("is replaced where it stands, and so is one that was pasted", () => {
    expect(addLine(`${other.line}\n${OTHERS}`, line)).toBe(`${line.line}\n${OTHERS}`);
    expect(addLine(`${cron.print(start)}${OTHERS}`, line)).toBe(`${line.line}\n${OTHERS}`);
  });

  test("is removed, and the others are not, a pasted one among them", () => {
    expect(removeLine(`${line.line}\n${OTHERS}`, other)).toBe(OTHERS);
    expect(removeLine(OTHERS, line)).toBe(OTHERS);
    expect(removeLine(cron.print(start), other)).toBe(cron.print(start));
  });
});
