import { describe, expect, spyOn, test } from "bun:test";
import {
  chmod,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { type ClientLog, type ClientLogParts, openClientLog } from "../../src/store/client-log.ts";
import { Journal } from "../../src/store/journal.ts";
import { replaceFile } from "../../src/system/atomic-file.ts";
import type { Edit, Host } from "../../src/host.ts";
import { sealed, sealedLines } from "../faults/check.ts";
import { recordedLog } from "../recorded-log.ts";
import { temporaryFolder } from "../temporary.ts";

const onUnix = test.skipIf(process.platform === "win32");

const HOST: Host = { ipv4: { address: "203.0.113.7", since: 0, lastSeen: 0 } };
const NAS =
  '"nas": {"ipv4":{"address":"203.0.113.7","since":"1970-01-01T00:00:00.000Z","last_seen":"1970-01-01T00:00:00.000Z"}}';

/** A ping with news: its record is in the hosts when it is durable. */
function change(clientLog: ClientLog, name: string, host: Host = HOST): void {
  void changeDurably(clientLog, name, host);
}

async function changeDurably(clientLog: ClientLog, name: string, host: Host): Promise<boolean> {
  return await new Promise((resolve) => {
    clientLog.commit(name, host, (isDurable) => {
      if (isDurable) clientLog.hosts.set(name, host);
      resolve(isDurable);
    });
  });
}

/** A clock that stands still, and sleeps that end when the test says so. */
function fakeTime() {
  const sleeps: { milliseconds: number; end: () => void }[] = [];
  const clock = { now: 0 };
  const parts = {
    now: () => clock.now,
    sleep: (milliseconds: number, signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        sleeps.push({ milliseconds, end: resolve });
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve());
      }),
  };
  return { clock, sleeps, parts };
}

/** A log that is made by the test's clock: its first pause has begun. */
async function newLog(path: string, more: Partial<ClientLogParts> = {}) {
  const time = fakeTime();
  const log = recordedLog();
  const clientLog = await openClientLog(path, { log, ...time.parts, ...more });
  clientLog.begin();
  await until(() => time.sleeps.length === 1);
  return { clientLog, log, ...time };
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
  const { clientLog, sleeps } = await newLog(path);
  change(clientLog, "nas");
  sleeps[0]!.end();
  await until(() => sleeps.length === 2);
  expect(await readFile(path, "utf8")).toBe(`{\n${NAS}\n}\n`);

  change(clientLog, "pi");
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
  let cost = 10;
  const { clientLog, clock, sleeps } = await newLog(folder.file("dynip.json"), {
    async replace() {
      clock.now += cost;
    },
  });
  expect(sleeps[0]!.milliseconds).toBe(500);
  cost = 2000;
  change(clientLog, "nas");
  sleeps[0]!.end();
  await until(() => sleeps.length === 2);
  expect(sleeps[1]!.milliseconds).toBe(8000);
  await clientLog.close();
});

test("many changes between two snapshots are one snapshot", async () => {
  await using folder = await temporaryFolder();
  let written = 0;
  const { clientLog, sleeps } = await newLog(folder.file("dynip.json"), {
    async replace() {
      written++;
    },
  });
  expect(written).toBe(1);
  for (let i = 0; i < 1000; i++) change(clientLog, `host-${i}`);
  sleeps[0]!.end();
  await until(() => sleeps.length === 2);
  expect(written).toBe(2);
  await clientLog.close();
  expect(written).toBe(2);
});

describe.each([
  ["a small log", 50, 60_000],
  ["a large log", 500, 300_000],
])("%s", (_, hosts, maxAge) => {
  const name = (index: number): string => `host-${index}`;

  /** One that is written already; the pause after that is over. */
  async function writtenLog(path: string) {
    const { clientLog, clock, sleeps } = await newLog(path);
    for (let index = 0; index < hosts; index++) change(clientLog, name(index));
    sleeps[0]!.end();
    await until(() => sleeps.length === 2);
    expect((await stat(path)).size > 16_384).toBe(maxAge === 300_000);
    sleeps[1]!.end();
    const seen = (index: number): void => {
      clientLog.hosts.set(name(index), { ipv4: { ...HOST.ipv4!, lastSeen: 1000 } });
      clientLog.note(name(index));
    };
    const isWritten = async (index: number) =>
      (await readFile(path, "utf8")).includes(
        `"${name(index)}": {"ipv4":{"address":"203.0.113.7","since":"1970-01-01T00:00:00.000Z","last_seen":"1970-01-01T00:00:01`,
      );
    return { clientLog, clock, sleeps, seen, isWritten };
  }

  test(`is not written for a host that is where it was, until ${maxAge / 1000} s later`, async () => {
    await using folder = await temporaryFolder();
    const { clientLog, sleeps, seen, isWritten } = await writtenLog(folder.file("dynip.json"));
    seen(7);
    await until(() => sleeps.length === 3);
    expect(sleeps[2]!.milliseconds).toBe(maxAge);
    expect(await isWritten(7)).toBe(false);
    sleeps[2]!.end();
    await until(() => sleeps.length === 4);
    expect(await isWritten(7)).toBe(true);
    await clientLog.close();
  });

  test("waits so long from the first ping on, whenever the last snapshot was", async () => {
    await using folder = await temporaryFolder();
    const { clientLog, clock, sleeps, seen } = await writtenLog(folder.file("dynip.json"));
    change(clientLog, "new"); // which begins the next pause
    await until(() => sleeps.length === 3);
    seen(7);
    await clientLog.settled();
    clock.now += 500;
    sleeps[2]!.end();
    await until(() => sleeps.length === 4);
    expect(sleeps[3]!.milliseconds).toBe(maxAge - 500);
    await clientLog.close();
  });

  test("is written at once for news, and at the end", async () => {
    await using folder = await temporaryFolder();
    const { clientLog, sleeps, seen, isWritten } = await writtenLog(folder.file("dynip.json"));
    seen(7);
    await until(() => sleeps.length === 3);
    change(clientLog, "new");
    await until(() => sleeps.length === 4);
    expect(await isWritten(7)).toBe(true);
    sleeps[3]!.end();
    seen(8);
    await until(() => sleeps.length === 5);
    expect(await isWritten(8)).toBe(false);
    await clientLog.close();
    expect(await isWritten(8)).toBe(true);
  });

  test("is written when the journal has half its size, if it is large", async () => {
    await using folder = await temporaryFolder();
    const { clientLog, sleeps, seen, isWritten } = await writtenLog(folder.file("dynip.json"));
    for (let index = 0; index < hosts * 0.4; index++) seen(index);
    await until(() => sleeps.length === 3);
    expect(await isWritten(0)).toBe(false);
    for (let index = 0; index < hosts * 0.2; index++) seen(index);
    await clientLog.settled();
    if (maxAge === 300_000) await until(() => sleeps.length === 4); // the pause after the snapshot
    expect(await isWritten(0)).toBe(maxAge === 300_000);
    await clientLog.close();
  });
});

describe("a disk that refuses", () => {
  const enospc = Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC" });

  test("is said once, tried again, and said when it works again; nothing is lost", async () => {
    await using folder = await temporaryFolder();
    let full = false;
    let written = 0;
    const path = folder.file("dynip.json");
    const { clientLog, log, sleeps } = await newLog(path, {
      async replace() {
        if (full) throw enospc;
        written++;
      },
    });
    full = true;
    change(clientLog, "nas");
    sleeps[0]!.end();
    await until(() => sleeps.length === 2);
    sleeps[1]!.end();
    await until(() => sleeps.length === 3);
    full = false;
    sleeps[2]!.end();
    await until(() => sleeps.length === 4);
    expect(log.lines.filter((line) => !line.startsWith("debug"))).toEqual([
      `error: Cannot write client log "${path}": no space left on the disk`,
      "hint: it is tried again until it works, at least once a minute",
      `warn: client log "${path}" is written again`,
    ]);
    expect(written).toBe(2);
    await clientLog.close();
  });

  test("is tried again after twice as long each time, up to a minute", async () => {
    await using folder = await temporaryFolder();
    let full = false;
    const { clientLog, sleeps } = await newLog(folder.file("dynip.json"), {
      async replace() {
        if (full) throw enospc;
      },
    });
    full = true;
    change(clientLog, "nas");
    for (let index = 0; index < 10; index++) {
      sleeps[index]!.end();
      await until(() => sleeps.length === index + 2);
    }
    expect(sleeps.slice(1).map(({ milliseconds }) => milliseconds)).toEqual([
      500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000,
    ]);
    full = false;
    sleeps[10]!.end();
    await until(() => sleeps.length === 12);
    expect(sleeps[11]!.milliseconds).toBe(500);
    await clientLog.close();
  });

  test("is tried again at once when the journal is written again", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    let full = false;
    let written = 0;
    const { clientLog, sleeps } = await newLog(path, {
      async replace() {
        if (full) throw enospc;
        written++;
      },
    });
    full = true;
    change(clientLog, "nas");
    sleeps[0]!.end();
    await until(() => sleeps.length === 2);
    await rm(`${path}.journal.2`);
    await mkdir(`${path}.journal.2`); // no file can be made there
    expect(await changeDurably(clientLog, "pi", HOST)).toBe(false);
    await until(() => sleeps.length === 3); // tried at once, too: what failed is in no journal
    full = false;
    await rm(`${path}.journal.2`, { recursive: true });
    sleeps[2]!.end();
    await until(() => sleeps.length === 4);
    expect(written).toBe(2);
    expect(await changeDurably(clientLog, "pi", HOST)).toBe(true);
    await clientLog.close();
  });

  test("at the end is an error: exit code 2, and the lock is given up", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    let full = false;
    const { clientLog } = await newLog(path, {
      async replace() {
        if (full) throw enospc;
      },
    });
    full = true;
    change(clientLog, "nas");
    await expect(clientLog.close()).rejects.toMatchObject({
      exitCode: 2,
      message: `Cannot write client log "${path}": no space left on the disk`,
    });
    expect((await readdir(folder.path)).sort()).toEqual([
      "dynip.json.journal.1",
      "dynip.json.journal.2",
    ]);
    const again = await openClientLog(path, { log: recordedLog() });
    expect([...again.hosts]).toEqual([["nas", HOST]]); // nothing is lost
    await again.close();
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

  test("a name that is not Unicode text, in the log or in its journal", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    const text = `{\n${NAS.replace("nas", "\\ud800")}\n}\n`;
    await writeFile(path, text);
    const problem = 'line 2: host "\\ud800": its name is not Unicode text';
    expect((await refused(path)).message).toContain(problem);
    expect(await readFile(path, "utf8")).toBe(text);
    await writeFile(path, "{}");
    await writeFile(`${path}.journal`, `${NAS.replace("nas", "\\ud800")}\n`);
    expect((await refused(path)).message).toContain(
      'line 1: host "\\ud800": its name is not Unicode text',
    );
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
    change(first, "nas");
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
  clientLog.begin();
  change(clientLog, "nas");
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
  change(clientLog, "nas");
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

describe("the journal", () => {
  const signed = (counter: number): Host => ({ ...HOST, counter });

  /** A snapshot that begins and does not come to its end before the test says so. */
  function heldSnapshot() {
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const replace = async (): Promise<void> => {
      begun.resolve();
      await ended.promise;
    };
    return {
      begun: begun.promise,
      end: () => ended.resolve(),
      parts: { ...fakeTime().parts, replace },
    };
  }

  /**
   * Makes changes durable, in order, while no snapshot comes to its end, and copies what a crash at
   * that moment would leave on the disk.
   * @returns the path of the copied log
   */
  async function crash(path: string, names: string[], copy: string): Promise<string> {
    const snapshot = heldSnapshot();
    const clientLog = await openClientLog(path, { log: recordedLog(), ...snapshot.parts });
    clientLog.begin();
    for (const [index, name] of names.entries()) {
      expect(await changeDurably(clientLog, name, signed(index + 1))).toBe(true);
    }
    if (names.length > 0) await snapshot.begun; // the journal is rotated, and will not be again
    await mkdir(copy);
    for (const file of await readdir(dirname(path))) {
      if (file.includes("json") && !file.endsWith(".lock")) {
        await copyFile(join(dirname(path), file), join(copy, file));
      }
    }
    snapshot.end();
    await clientLog.close();
    return join(copy, basename(path));
  }

  /** The lines of both files, as the next start reads them. */
  const journalOf = async (path: string): Promise<string[]> => {
    const read = (file: string) => readFile(file).catch(() => Buffer.alloc(0));
    const [one, two] = [await read(`${path}.journal.1`), await read(`${path}.journal.2`)];
    return [...sealedLines(one), ...sealedLines(two)];
  };

  test("has what was made durable after the last snapshot, and the next start reads it", async () => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file("dynip.json"), `{\n${NAS}\n}\n`);
    const names = ["pi", "attic", "pi"];
    const path = await crash(folder.file("dynip.json"), names, folder.file("after"));
    expect(await readFile(path, "utf8")).toBe(`{\n${NAS}\n}\n`);

    const again = await openClientLog(path, { log: recordedLog() });
    expect([...again.hosts]).toEqual([
      ["nas", HOST],
      ["pi", signed(3)],
      ["attic", signed(2)],
    ]);
    again.begin();
    await again.close();
    expect(Object.keys(JSON.parse(await readFile(path, "utf8")))).toEqual(["nas", "pi", "attic"]);
    expect(await readdir(folder.file("after"))).toEqual(["dynip.json"]);
  });

  test("may have an unsealed end: it is set aside with one warning", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    await writeFile(`${path}.journal.1`, `${sealed(`${NAS}\n`)}torn`);
    await writeFile(`${path}.journal.2`, "torn, too");
    const log = recordedLog();
    const clientLog = await openClientLog(path, { log });
    expect([...clientLog.hosts].map(([name]) => name)).toEqual(["nas"]);
    expect((await readdir(folder.path)).filter((name) => name.endsWith(".bad"))).toEqual([]);
    clientLog.begin();
    await clientLog.close();
    expect(log.lines.filter((line) => /^(warn|hint)/.test(line))).toEqual([
      `warn: the end of the journal of client log "${path}" is damaged; no ping in it was acknowledged`,
      `hint: it is set aside as "${path}.journal.1.bad" and "${path}.journal.2.bad"; delete that when you do not need it`,
    ]);
    expect(await readFile(`${path}.journal.1.bad`, "utf8")).toBe("torn");
    expect(await readFile(`${path}.journal.2.bad`, "utf8")).toBe("torn, too");
    expect(await readFile(path, "utf8")).toBe(`{\n${NAS}\n}\n`);
  });

  test("whose end cannot be set aside is used all the same", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    await writeFile(`${path}.journal.1`, `${sealed(`${NAS}\n`)}torn`);
    await mkdir(`${path}.journal.1.bad`);
    const log = recordedLog();
    const clientLog = await openClientLog(path, { log });
    clientLog.begin();
    expect(await changeDurably(clientLog, "pi", HOST)).toBe(true);
    await clientLog.close();
    expect(log.lines.filter((line) => line.startsWith("warn"))).toHaveLength(1);
    expect(log.lines.find((line) => line.startsWith("hint"))).toContain("could not be set aside: ");
    expect(Object.keys(JSON.parse(await readFile(path, "utf8")))).toEqual(["nas", "pi"]);
  });

  test("that is damaged before a whole batch is refused, with what to do", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    const text = `${sealed(`${NAS}\n`).replace("nas", "nax")}${sealed(`${NAS}\n`)}`;
    await writeFile(`${path}.journal.1`, text);
    const { message, hint } = await refused(path);
    expect(message).toBe(
      `Cannot open client log "${path}": its journal "${path}.journal.1", line 1: a damaged batch, with a whole one behind it in line 3`,
    );
    expect(hint).toStartWith("all is left as it is; delete lines 1 to 2 to do without them");
    expect(await readFile(`${path}.journal.1`, "utf8")).toBe(text);
    expect(await readdir(folder.path)).toEqual([basename(`${path}.journal.1`)]);
  });

  test("of dynip 0.2.0 may have a torn last line; any other bad line is refused, and named", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    const journal = `${path}.journal`;
    const bad = `${NAS.replace('"address"', '"adress"')}\n${NAS}\n`;
    await writeFile(journal, bad);
    const { message, hint } = await refused(path);
    expect(message).toContain(`its journal "${journal}", line 1: host "nas": its ipv4 record has`);
    expect(hint).toContain("all is left as it is");
    expect(await readFile(journal, "utf8")).toBe(bad);

    await writeFile(journal, `${NAS}\n${NAS.slice(0, -10)}`);
    const clientLog = await openClientLog(path, { log: recordedLog() });
    expect([...clientLog.hosts].map(([name]) => name)).toEqual(["nas"]);
    clientLog.begin();
    await clientLog.close();
    expect(await readFile(path, "utf8")).toContain('"nas"');
    expect(await readdir(folder.path)).toEqual(["dynip.json"]);
  });

  test("stays when the server could not start after all", async () => {
    await using folder = await temporaryFolder();
    const path = await crash(folder.file("dynip.json"), ["nas"], folder.file("after"));
    const before = await journalOf(path);
    expect(before.join()).toContain("nas");
    await (await openClientLog(path, { log: recordedLog() })).close(); // its port was in use, say
    expect(await journalOf(path)).toEqual(before);
  });

  test("of dynip 0.2.0 that is not UTF-8 is refused", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    const broken = Buffer.from(`${NAS.replace("nas", "n\u00e9")}\n`, "latin1");
    await writeFile(`${path}.journal`, broken);
    expect((await refused(path)).message).toContain(`"${path}.journal" is not UTF-8 text`);
    expect(await readFile(`${path}.journal`)).toEqual(broken);
  });

  test("does not turn a counter back with what is older than the log", async () => {
    await using folder = await temporaryFolder();
    const path = await crash(folder.file("dynip.json"), ["nas"], folder.file("after"));
    const newer = NAS.replace("}}", '},"counter":"0000000000000005"}');
    await writeFile(path, `{\n${newer}\n}\n`);
    const clientLog = await openClientLog(path, { log: recordedLog() });
    expect(clientLog.hosts.get("nas")!.counter).toBe(5);
    await clientLog.close();
  });

  test("gets many changes in one sync, and a host that changed ten times in one line", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    const snapshot = heldSnapshot();
    const clientLog = await openClientLog(path, { log: recordedLog(), ...snapshot.parts });
    const durable = Array.from({ length: 10 }, (_, index) =>
      changeDurably(clientLog, "nas", signed(index + 1)),
    );
    for (let i = 0; i < 100; i++) durable.push(changeDurably(clientLog, `host-${i}`, signed(1)));
    expect(new Set(await Promise.all(durable))).toEqual(new Set([true]));
    expect(clientLog.hosts.get("nas")).toEqual(signed(10));
    await snapshot.begun;
    const lines = await journalOf(path);
    expect(lines).toHaveLength(101);
    expect(lines[0]).toContain('"counter":"000000000000000a"');
    snapshot.end();
    await clientLog.close();
  });

  test("does not take a plain record back in time with what is older than the log", async () => {
    await using folder = await temporaryFolder();
    const path = await crash(folder.file("dynip.json"), [], folder.file("after"));
    const at = (address: string, time: string) =>
      `"pi": {"ipv4":{"address":"${address}","since":"${time}","last_seen":"${time}"}}`;
    await writeFile(path, `{\n${at("192.0.2.9", "2026-11-22T13:00:09.000Z")}\n}\n`);
    const older = `${at("192.0.2.1", "2026-11-22T13:00:01.000Z")}\n`;
    await writeFile(`${path}.journal.1`, sealed(older));
    const clientLog = await openClientLog(path, { log: recordedLog() });
    expect(clientLog.hosts.get("pi")!.ipv4!.address).toBe("192.0.2.9");
    await clientLog.close();
  });

  test("holds no more of one host than a few pings, however slow the disk", async () => {
    await using folder = await temporaryFolder();
    const clientLog = await openClientLog(folder.file("dynip.json"), { log: recordedLog() });
    const outcomes: boolean[] = [];
    for (let i = 1; i <= 100; i++) {
      clientLog.commit("nas", signed(i), (isDurable) => outcomes.push(isDurable));
    }
    expect(outcomes).toEqual(Array(84).fill(false)); // at once: their clients send again
    await clientLog.settled();
    expect(outcomes.slice(84)).toEqual(Array(16).fill(true));
    await clientLog.close();
  });

  test.each([2, 10_000])("gets %d changes at once in one sync", async (count) => {
    await using folder = await temporaryFolder();
    const clientLog = await openClientLog(folder.file("dynip.json"), {
      log: recordedLog(),
      ...fakeTime().parts,
    });
    const append = spyOn(Journal.prototype, "append");
    try {
      const durable = Array.from({ length: count }, (_, index) =>
        changeDurably(clientLog, `host-${index}`, signed(1)),
      );
      expect(new Set(await Promise.all(durable))).toEqual(new Set([true]));
      expect(append).toHaveBeenCalledTimes(1);
    } finally {
      append.mockRestore();
    }
    await clientLog.close();
  });

  test("that cannot be written makes nothing durable, is said once, and goes on later", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    const log = recordedLog();
    const { parts } = fakeTime();
    const clientLog = await openClientLog(path, { log, ...parts });
    clientLog.begin();
    await mkdir(`${path}.journal.1`); // a folder in its place
    expect(await changeDurably(clientLog, "nas", signed(1))).toBe(false);
    expect(await changeDurably(clientLog, "nas", signed(2))).toBe(false);
    expect(clientLog.hosts.size).toBe(0);
    await rm(`${path}.journal.1`, { recursive: true });
    expect(await changeDurably(clientLog, "nas", signed(3))).toBe(true);
    expect(clientLog.hosts.get("nas")).toEqual(signed(3));
    expect(log.lines.filter((line) => /^(error|warn)/.test(line))).toEqual([
      `error: Cannot write the journal of client log "${path}": it is a folder`,
      `warn: the journal of client log "${path}" is written again`,
    ]);
    await clientLog.close();
    expect(await readdir(folder.path)).toEqual(["dynip.json"]);
  });
});

describe("a log that somebody edits", () => {
  const PI = NAS.replace("nas", "pi");

  /** One that has nas and pi; `look` ends the pause between two looks at the file. */
  async function edited(path: string, more: Partial<ClientLogParts> = {}) {
    await writeFile(path, `{\n${NAS},\n${PI}\n}\n`);
    const time = fakeTime();
    const log = recordedLog();
    const looks: (() => void)[] = [];
    const clientLog = await openClientLog(path, {
      log,
      ...time.parts,
      look: (_milliseconds, signal) =>
        new Promise<void>((resolve) => {
          looks.push(resolve);
          signal.addEventListener("abort", () => resolve());
        }),
      ...more,
    });
    clientLog.begin();
    const look = async (): Promise<void> => {
      const count = looks.length;
      looks.at(-1)!();
      await until(() => looks.length > count);
    };
    return { clientLog, log, look, ...time };
  }

  test("loses no line for a file that is no log: for five minutes it is left alone, then kept", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    const { clientLog, log, look, clock, sleeps } = await edited(path);
    await writeFile(path, `{\n${NAS},\n"pi"`);
    await look();
    await until(() => sleeps.length === 1);
    expect(log.lines).toEqual([]); // an editor may be writing it
    sleeps[0]!.end();
    await until(() => sleeps.length === 2);
    expect(log.lines.join()).toContain(`warn: client log "${path}" was edited and cannot be read`);
    clock.now = 299_999;
    sleeps[1]!.end();
    await until(() => sleeps.length === 3);
    expect(await readFile(path, "utf8")).toBe(`{\n${NAS},\n"pi"`);
    clock.now = 300_000;
    sleeps[2]!.end();
    await until(() => sleeps.length === 4);
    expect(await readFile(path, "utf8")).toBe(`{\n${NAS},\n${PI}\n}\n`);
    expect(await readFile(`${path}.edited`, "utf8")).toBe(`{\n${NAS},\n"pi"`);
    expect(log.lines.filter((line) => line.startsWith("warn"))).toHaveLength(2);
    await clientLog.close();
  });

  test("is left alone when it was only touched", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    const { clientLog, log, look, sleeps } = await edited(path);
    await writeFile(path, await readFile(path));
    await look();
    await look();
    expect([sleeps, log.lines]).toEqual([[], []]);
    await clientLog.close();
  });

  test("while the next snapshot is made is read before it is replaced", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    let edit = async (): Promise<void> => await writeFile(path, `{\n${PI}\n}\n`);
    const { clientLog, log, sleeps } = await edited(path, {
      async replace(target, chunks, access, files) {
        await edit();
        edit = async () => {};
        await replaceFile(target, chunks, access, files);
      },
    });
    change(clientLog, "tv");
    await until(() => sleeps.length === 1);
    expect(await readFile(path, "utf8")).toBe(`{\n${PI}\n}\n`);
    sleeps[0]!.end();
    await until(() => sleeps.length === 2);
    expect(log.lines).toContain(`log: forgot nas: it was removed from "${path}"`);
    expect(await readFile(path, "utf8")).toBe(`{\n${PI},\n${NAS.replace("nas", "tv")}\n}\n`);
    await clientLog.close();
  });

  test("keeps the hosts that are not in it because it could not be written", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    let isFull = true;
    const { clientLog, log, sleeps } = await edited(path, {
      async replace(target, chunks, access, files) {
        if (isFull) throw Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC" });
        await replaceFile(target, chunks, access, files);
      },
    });
    change(clientLog, "tv");
    await until(() => sleeps.length === 1);
    isFull = false;
    await writeFile(path, `{\n${PI}\n}\n`);
    sleeps[0]!.end();
    await until(() => sleeps.length === 2);
    expect(await readFile(path, "utf8")).toBe(`{\n${PI},\n${NAS.replace("nas", "tv")}\n}\n`);
    expect(log.lines).toContain(`log: forgot nas: it was removed from "${path}"`);
    await clientLog.close();
  });

  test("tells of every host that is removed, added or renamed, once `hosts` show it", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    const { clientLog, log, sleeps, look } = await edited(path);
    const told: string[] = [];
    clientLog.subscribe(() => {
      throw new Error("a listener that fails");
    });
    clientLog.subscribe(({ name, kind }) => {
      told.push(`${name} ${kind}, ${clientLog.hosts.get(name) ? "there" : "not there"}`);
    });
    await changeDurably(clientLog, "tv", HOST); // a ping is no edit
    await until(() => sleeps.length === 1);
    await writeFile(path, `{\n${NAS.replace("nas", "attic")},\n${NAS.replace("nas", "tv")}\n}\n`);
    await look();
    sleeps[0]!.end();
    await until(() => told.length === 3);
    expect(told.sort()).toEqual([
      "attic added, there",
      "nas removed, not there",
      "pi removed, not there",
    ]);
    expect(log.lines).toContain("error: This is a bug in dynip: Error: a listener that fails");
    await clientLog.close();
  });

  test("tells of a plain host whose name a signed one replaces", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    await writeFile(path, `{\n${NAS.replace("nas", "NAS")}\n}\n`);
    const clientLog = await openClientLog(path, { log: recordedLog() });
    clientLog.begin();
    const told: Edit[] = [];
    clientLog.subscribe((edit) => told.push(edit));
    await changeDurably(clientLog, "nas", { ...HOST, counter: 1 });
    await until(() => told.length > 0);
    expect(told).toEqual([{ name: "NAS", kind: "removed" }]);
    await clientLog.close();
  });

  test("and forgotten stays so: a tombstone is replayed, and a later ping behind it", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.json");
    await writeFile(path, `{\n${NAS},\n${PI}\n}\n`);
    await writeFile(`${path}.journal.1`, sealed(`"nas": null\n"pi": null\n${PI}\n`));
    const clientLog = await openClientLog(path, { log: recordedLog() });
    expect([...clientLog.hosts]).toEqual([["pi", HOST]]);
    await clientLog.close();
  });
});
