/** The files beside the client log: on a disk that hangs, and where something else is in their place. */
import { expect, test } from "bun:test";
import { link, mkdir, symlink, writeFile } from "node:fs/promises";

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

const CONFIG = '[server]\nhistory_path = "h"\nhosts_path = "hosts"\nhosts_domain = "example.com"\n';

/** What is in the place of a file, and what is said of it. */
const IN_PLACE: [
  what: string,
  put: (path: string, other: string) => Promise<unknown>,
  said: RegExp,
][] = [
  ["a link", (path, other) => symlink(other, path), /it is a symbolic link$/],
  ["a link to nothing", (path, other) => symlink(`${other}-2`, path), /it is a symbolic link$/],
  ["a second name", (path, other) => link(other, path), /a second name|dynip did not write it/],
  ["a folder", (path) => mkdir(path), /it is a folder$/],
  ["a FIFO", async (path) => Bun.spawnSync(["mkfifo", path]), /it is not a regular file$/],
];

test.skipIf(process.platform === "win32").each(IN_PLACE)(
  "%s in the place of a file is left as it is, and said",
  async (_, put, said) => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file("dynip.toml"), CONFIG);
    await writeFile(folder.file("other"), "precious\n");
    for (const name of ["h", "hosts"]) await put(folder.file(name), folder.file("other"));
    await symlink(folder.file("other"), folder.file(".hosts.tmp"));
    const log = recordedLog();
    const hosts = { hosts: new HostMap([["nas", HOST]]), subscribe() {} } as never;
    const kept = await KeptFiles.open(await loadConfig(folder.file("dynip.toml")), hosts, log);
    kept.begin();
    await kept.changed(NEW);
    await kept.close();
    const errors = log.lines.filter((line) => line.startsWith("error: Cannot write "));
    expect(errors).toHaveLength(2);
    for (const error of errors) expect(error).toMatch(said);
    expect(await Bun.file(folder.file("other")).text()).toBe("precious\n");
    expect(await Bun.file(folder.file("other-2")).exists()).toBe(false);
  },
);

test("a disk that hangs holds one thread, no news but the first ones, and no stop", async () => {
  await using folder = await temporaryFolder();
  const config = folder.file("dynip.toml");
  await writeFile(config, CONFIG);
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
