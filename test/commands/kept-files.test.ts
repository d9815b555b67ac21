/** The files beside the client log, on a disk that hangs. */
import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";

import { KeptFiles } from "../../src/commands/kept-files.ts";
import { loadConfig } from "../../src/config/find.ts";
import type { Change, Host } from "../../src/host.ts";
import { type Files, realFiles } from "../../src/system/files.ts";
import { recordedLog } from "../recorded-log.ts";
import { temporaryFolder } from "../temporary.ts";
import { eventually } from "../waiting.ts";
import { HostMap } from "../world.ts";

const T = Date.parse("2026-11-20T12:00:00Z");
const HOST: Host = { ipv4: { address: "203.0.113.7", since: T, lastSeen: T }, counter: 1 };
const NEW: Change = {
  name: "nas",
  family: "ipv4",
  before: undefined,
  now: HOST,
  time: T,
  how: "proven",
};

test("a disk that hangs holds one thread, no news but the first ones, and no stop", async () => {
  await using folder = await temporaryFolder();
  const config = folder.file("dynip.toml");
  await writeFile(
    config,
    '[server]\nhistory_path = "h"\nhosts_path = "hosts"\nhosts_domain = "example.com"\n',
  );
  let hanging = 0;
  let isHung = false;
  const files: Files = {
    ...realFiles,
    async open(path, ...rest) {
      if (isHung) {
        hanging++;
        await new Promise<never>(() => {});
      }
      return await realFiles.open(path, ...rest);
    },
  };
  const log = recordedLog();
  const hosts = { hosts: new HostMap([["nas", HOST]]), subscribe() {} } as never;
  const kept = await KeptFiles.open(await loadConfig(config), hosts, log, files);
  isHung = true;
  kept.begin();
  await eventually("the hosts file hangs", () => hanging === 1);
  const appended = kept.changed(NEW);
  expect(await Promise.race([appended, Bun.sleep(50)])).toBeUndefined();
  expect(hanging).toBe(1);
  // Otherwise each ping would hold memory for as long as the disk hangs.
  expect(kept.changed({ ...NEW, before: HOST })).toBeUndefined();
  await kept.close();
  expect(log.lines).toContain(
    "warn: the hosts file or the history lacks the last changes: its disk does not answer",
  );
});
