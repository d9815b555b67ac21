/**
 * What `init` prints, for each operating system, is the text in `golden/`.
 * To change it: `DYNIP_GOLDEN=write bun test test/schedule/golden.test.ts`, and read the difference.
 */
import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { SCHEDULERS, schedulerFor } from "../../src/schedule/index.ts";
import { clientNextSteps, nextSteps } from "../../src/schedule/next-steps.ts";
import type { Scheduler, Start } from "../../src/schedule/scheduler.ts";

const GOLDEN = join(import.meta.dir, "golden");

/** The program and the configuration of a user of each system. */
const STARTS: Readonly<Partial<Record<NodeJS.Platform, Start>>> = {
  linux: { binary: "/usr/local/bin/dynip", config: "/home/ann/dynip.toml", user: "ann" },
  darwin: {
    binary: "/usr/local/bin/dynip",
    config: "/Users/ann/Ann's files/dynip.toml",
    user: "ann",
  },
  win32: {
    binary: "C:\\Program Files\\dynip\\dynip.exe",
    config: "C:\\Users\\Zoë & Ann\\dynip.toml",
    user: "ann",
  },
};

const texts = Object.fromEntries(
  SCHEDULERS.flatMap((scheduler) =>
    scheduler.platforms.flatMap((platform) => textsFor(scheduler, platform)),
  ),
);

test.each(Object.keys(texts))("%s", async (name) => {
  const path = join(GOLDEN, name);
  if (process.env["DYNIP_GOLDEN"] === "write") await Bun.write(path, texts[name]!);
  expect(texts[name]!).toBe(await Bun.file(path).text());
});

test("golden/ has no other file", async () => {
  const entries = await readdir(GOLDEN, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  expect(files.sort()).toEqual(
    Object.keys(texts)
      .map((name) => join(GOLDEN, name))
      .sort(),
  );
});

/** The scheduler's text, and the next steps on a machine where it schedules the pings. */
function textsFor(scheduler: Scheduler, platform: NodeJS.Platform): [string, string][] {
  const start = STARTS[platform]!;
  const { kind, runsAsOwner = false } = scheduler;
  const texts: [string, string][] = [[`${platform}/${kind}.txt`, scheduler.print(start)]];
  if (runsAsOwner) {
    texts.push([`${platform}/${kind}-root.txt`, scheduler.print({ ...start, user: undefined })]);
  }
  const machine = { platform, exists: (path: string) => path === scheduler.sign };
  if (schedulerFor("ping", machine) === scheduler) {
    const here = { machine, ...start };
    texts.push(
      [`${platform}/next-steps-${kind}.txt`, nextSteps({ ...here, port: 28630 })],
      [`${platform}/client-next-steps-${kind}.txt`, clientNextSteps({ ...here, name: "nas" })],
    );
  }
  return texts;
}
