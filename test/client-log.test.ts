import { describe, expect, test } from "bun:test";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";

import { type ClientLogParts, openClientLog } from "../src/client-log.ts";
import type { Host } from "../src/registry.ts";
import { recordedLog } from "./recorded-log.ts";
import { temporaryFolder } from "./temporary.ts";

const onUnix = test.skipIf(process.platform === "win32");

const HOST: Host = { ipv4: { address: "203.0.113.7", since: 0, lastSeen: 0 } };
const NAS =
  '"nas": {"ipv4":{"address":"203.0.113.7","since":"1970-01-01T00:00:00.000Z","last_seen":"1970-01-01T00:00:00.000Z"}}';

/** A clock that stands still, and sleeps that end when the test says so. */
function fakeTime() {
  const sleeps: { milliseconds: number; end: () => void }[] = [];
  const clock = { now: 0 };
  const parts = {
    now: () => clock.now,
    sleep: (milliseconds: number, signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        sleeps.push({ milliseconds, end: resolve });
        signal.addEventListener("abort", () => resolve());
      }),
  };
  return { clock, sleeps, parts };
}

/** Waits for what has been started to come to rest: the disk is real, the clock is not. */
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 5000 && !condition(); i++) await Bun.sleep(1);
  expect(condition()).toBe(true);
}

async function refused(path: string, parts: Partial<ClientLogParts> = {}) {
  const error = await openClientLog(path, { log: recordedLog(), ...parts }).then(
    () => undefined,
    (error) => error,
  );
  expect(error?.name).toBe("UserError");
  expect(error.exitCode).toBe(2);
  return error as { message: string; hint?: string };
}

test("a log that does not exist is made, for its owner alone", async () => {
  await using folder = await temporaryFolder();
  const clientLog = await openClientLog(folder.file("dynip.json"), { log: recordedLog() });
  clientLog.begin();
  await clientLog.close();
  expect(await readFile(folder.file("dynip.json"), "utf8")).toBe("{\n}\n");
  if (process.platform !== "win32") {
    expect((await stat(folder.file("dynip.json"))).mode & 0o777).toBe(0o600);
  }
  expect(await readdir(folder.path)).toEqual(["dynip.json"]);
});

test("before it begins nothing is written: a server that cannot start changes nothing", async () => {
  await using folder = await temporaryFolder();
  const clientLog = await openClientLog(folder.file("dynip.json"), { log: recordedLog() });
  await clientLog.close();
  expect(await readdir(folder.path)).toEqual([]);
  const old = '{"nas": ["203.0.113.7", "2026-11-22 13:07:50.933935"]}';
  await writeFile(folder.file("old.json"), old);
  await (await openClientLog(folder.file("old.json"), { log: recordedLog() })).close();
  expect(await readFile(folder.file("old.json"), "utf8")).toBe(old);
});

test("a change is on disk soon, and all of them are after close", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("dynip.json");
  const { sleeps, parts } = fakeTime();
  const clientLog = await openClientLog(path, { log: recordedLog(), ...parts });
  clientLog.hosts.set("nas", HOST);
  clientLog.changed();
  await until(() => sleeps.length === 1);
  expect(await readFile(path, "utf8")).toBe(`{\n${NAS}\n}\n`);

  clientLog.hosts.set("pi", HOST);
  clientLog.changed();
  await Bun.sleep(20);
  expect(await readFile(path, "utf8")).not.toContain("pi"); // the pause is not over
  await clientLog.close();
  expect(await readFile(path, "utf8")).toContain('"pi"');
  expect(await readdir(folder.path)).toEqual(["dynip.json"]);

  const again = await openClientLog(path, { log: recordedLog() });
  expect([...again.hosts]).toEqual([
    ["nas", HOST],
    ["pi", HOST],
  ]);
  await again.close();
});

test("a log that did not change is not written", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("dynip.json");
  await writeFile(path, `{${NAS}}`); // valid, but not as it would be written
  const clientLog = await openClientLog(path, { log: recordedLog() });
  clientLog.begin();
  await clientLog.close();
  expect(await readFile(path, "utf8")).toBe(`{${NAS}}`);
});

test("the pause is half a second, or four times what the snapshot cost", async () => {
  await using folder = await temporaryFolder();
  const { clock, sleeps, parts } = fakeTime();
  let cost = 10;
  const clientLog = await openClientLog(folder.file("dynip.json"), {
    log: recordedLog(),
    ...parts,
    async replace() {
      clock.now += cost;
    },
  });
  clientLog.changed();
  await until(() => sleeps.length === 1);
  expect(sleeps[0]!.milliseconds).toBe(500);
  cost = 2000;
  clientLog.changed();
  sleeps[0]!.end();
  await until(() => sleeps.length === 2);
  expect(sleeps[1]!.milliseconds).toBe(8000);
  await clientLog.close();
});

test("many changes between two snapshots are one snapshot", async () => {
  await using folder = await temporaryFolder();
  const { sleeps, parts } = fakeTime();
  let written = 0;
  const clientLog = await openClientLog(folder.file("dynip.json"), {
    log: recordedLog(),
    ...parts,
    async replace() {
      written++;
    },
  });
  clientLog.changed();
  await until(() => sleeps.length === 1);
  for (let i = 0; i < 1000; i++) clientLog.changed();
  sleeps[0]!.end();
  await until(() => sleeps.length === 2);
  expect(written).toBe(2);
  await clientLog.close();
  expect(written).toBe(2);
});

describe("a disk that refuses", () => {
  const enospc = Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC" });

  test("is said once, tried again, and said when it works again; nothing is lost", async () => {
    await using folder = await temporaryFolder();
    const { sleeps, parts } = fakeTime();
    const log = recordedLog();
    let full = false;
    let written = 0;
    const path = folder.file("dynip.json");
    const clientLog = await openClientLog(path, {
      log,
      ...parts,
      async replace() {
        if (full) throw enospc;
        written++;
      },
    });
    full = true;
    clientLog.changed();
    await until(() => sleeps.length === 1);
    sleeps[0]!.end();
    await until(() => sleeps.length === 2);
    full = false;
    sleeps[1]!.end();
    await until(() => sleeps.length === 3);
    expect(log.lines.filter((line) => !line.startsWith("debug"))).toEqual([
      `error: Cannot write client log "${path}": no space left on the disk`,
      "hint: it is tried again until it works",
      `warn: client log "${path}" is written again`,
    ]);
    expect(written).toBe(1);
    await clientLog.close();
  });

  test("at the end is an error: exit code 2, and the lock is given up", async () => {
    await using folder = await temporaryFolder();
    let full = false;
    const clientLog = await openClientLog(folder.file("dynip.json"), {
      log: recordedLog(),
      async replace() {
        if (full) throw enospc;
      },
    });
    full = true;
    clientLog.changed();
    await expect(clientLog.close()).rejects.toMatchObject({
      exitCode: 2,
      message: `Cannot write client log "${folder.file("dynip.json")}": no space left on the disk`,
    });
    expect(await readdir(folder.path)).toEqual([]);
  });
});

describe("a log that cannot be kept is refused with exit code 2, and stays as it is", () => {
  test.each(["", "{", "[]", '{"nas": ["203.0.113.7", "2026-11', '{"nas": 1}', "\ufeff{}"])(
    "%j",
    async (text) => {
      await using folder = await temporaryFolder();
      const path = folder.file("dynip.json");
      await writeFile(path, text);
      const { message, hint } = await refused(path);
      expect(message).toStartWith(`Cannot open client log "${path}": `);
      expect(hint).toContain("it is left as it is");
      expect(await readFile(path, "utf8")).toBe(text);
      expect(await readdir(folder.path)).toEqual(["dynip.json"]);
    },
  );

  test("bytes that are not UTF-8", async () => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file("dynip.json"), Buffer.from([0x7b, 0xff, 0x7d]));
    expect((await refused(folder.file("dynip.json"))).message).toContain("it is not UTF-8 text");
  });

  test("a folder in its place", async () => {
    await using folder = await temporaryFolder();
    await mkdir(folder.file("dynip.json"));
    expect((await refused(folder.file("dynip.json"))).message).toContain("it is a folder");
    expect(await readdir(folder.path)).toEqual(["dynip.json"]);
  });

  onUnix("a device in its place", async () => {
    expect((await refused("/dev/null")).message).toContain("it is not a regular file");
  });

  test("a folder that is not there", async () => {
    await using folder = await temporaryFolder();
    const { message, hint } = await refused(folder.file("none/dynip.json"));
    expect(message).toContain("no such file or folder");
    expect(hint).toContain("make the folder first");
  });

  // Root may write anywhere but where the kernel itself says no.
  const unwritable = process.platform === "linux" && process.getuid?.() === 0 ? "/sys" : undefined;
  onUnix("a folder that cannot be written to", async () => {
    await using folder = await temporaryFolder();
    await chmod(folder.path, 0o555);
    try {
      const { message, hint } = await refused(`${unwritable ?? folder.path}/dynip.json`);
      expect(message).toMatch(/permission denied|operation not permitted|read-only/);
      expect(hint).toMatch(/folder/);
    } finally {
      await chmod(folder.path, 0o755);
    }
  });

  test("something else where its lock should be", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    await writeFile(`${path}.lock`, "notes of mine, in a file of a certain length".repeat(20));
    const { message, hint } = await refused(path);
    expect(message).toContain('dynip.json.lock" is not its lock: ');
    expect(hint).toContain("move that file away");
  });

  onUnix("a symbolic link to nothing", async () => {
    await using folder = await temporaryFolder();
    await symlink(folder.file("gone"), folder.file("dynip.json"));
    expect((await refused(folder.file("dynip.json"))).message).toContain("link to nothing");
    expect(await readdir(folder.path)).toEqual(["dynip.json"]);
  });

  test("a log that another server keeps", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    const first = await openClientLog(path, { log: recordedLog() });
    const { message, hint } = await refused(path);
    expect(message).toContain("another dynip server keeps it");
    expect(hint).toContain("client_log_path");
    first.hosts.set("nas", HOST);
    first.changed();
    await first.close();
    expect(await readFile(path, "utf8")).toContain("nas");
  });
});

onUnix("a symbolic link is followed: the file it names is kept, and locked", async () => {
  await using folder = await temporaryFolder();
  await mkdir(folder.file("real"));
  await writeFile(folder.file("real/log.json"), "{}");
  await symlink(folder.file("real/log.json"), folder.file("dynip.json"));
  const clientLog = await openClientLog(folder.file("dynip.json"), { log: recordedLog() });
  await refused(folder.file("real/log.json"));
  clientLog.hosts.set("nas", HOST);
  clientLog.changed();
  await clientLog.close();
  expect(await readFile(folder.file("real/log.json"), "utf8")).toContain("nas");
  expect((await readdir(folder.path)).sort()).toEqual(["dynip.json", "real"]);
  expect(await readdir(folder.file("real"))).toEqual(["log.json"]);
});

onUnix("the mode that the log's owner gave it is kept", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("dynip.json");
  await writeFile(path, "{}");
  await chmod(path, 0o644);
  const clientLog = await openClientLog(path, { log: recordedLog() });
  clientLog.hosts.set("nas", HOST);
  clientLog.changed();
  await clientLog.close();
  expect((await stat(path)).mode & 0o777).toBe(0o644);
});

test("a log of DynIP 0.1e is said to be carried over, and is written in our format at once", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("dynip.json");
  await writeFile(path, '{"nas": ["203.0.113.7", "2026-11-22 13:07:50.933935"]}');
  const log = recordedLog();
  const clientLog = await openClientLog(path, { log });
  clientLog.begin();
  expect(log.lines).toContain("log: carried over 1 host that DynIP 0.1e recorded");
  await clientLog.close();
  const time = new Date(2026, 10, 22, 13, 7, 50, 933).toISOString();
  expect(JSON.parse(await readFile(path, "utf8"))).toEqual({
    nas: { ipv4: { address: "203.0.113.7", since: time, last_seen: time } },
  });
});
