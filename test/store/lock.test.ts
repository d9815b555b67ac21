import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { chown, link, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";

import { acquireLock, type Lock, LockError } from "../../src/store/lock.ts";
import { temporaryFolder } from "../temporary.ts";

/** A process that takes the lock, says so and waits until it is killed. */
function holder(path: string) {
  const lockModule = JSON.stringify(
    Bun.pathToFileURL(`${import.meta.dir}/../../src/store/lock.ts`).href,
  );
  const script = `
    import { acquireLock } from ${lockModule};
    console.log((await acquireLock(${JSON.stringify(path)})).isHeld ? "held" : "refused");
    setInterval(() => {}, 1000);`;
  const process_ = Bun.spawn([process.execPath, "-e", script], { stdin: "ignore" });
  return {
    pid: process_.pid,
    async answer(): Promise<string> {
      for await (const chunk of process_.stdout) return new TextDecoder().decode(chunk).trim();
      return "nothing";
    },
    async [Symbol.asyncDispose](): Promise<void> {
      process_.kill("SIGKILL");
      await process_.exited;
    },
  };
}

async function held(path: string): Promise<Lock> {
  const lock = await acquireLock(path);
  if (!lock.isHeld) throw new Error("the lock is held by another");
  return lock;
}

test("a lock is held until it is released, and then its file is gone", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("log.lock");
  const lock = await held(path);
  expect(await acquireLock(path)).toEqual({ isHeld: false, pid: process.pid });
  expect(await readdir(folder.path)).toEqual(["log.lock"]);
  await lock.release();
  expect(existsSync(path)).toBe(false);
  await (await held(path)).release();
  expect(await readdir(folder.path)).toEqual([]);
});

test("another process holds the lock while it runs, and no longer when it was killed", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("log.lock");
  {
    await using other = holder(path);
    expect(await other.answer()).toBe("held");
    expect(await acquireLock(path)).toEqual({ isHeld: false, pid: other.pid });
  }
  expect(existsSync(path)).toBe(true); // left behind
  const lock = await held(path);
  await using other = holder(path);
  expect(await other.answer()).toBe("refused");
  await lock.release();
});

test("of many that want a lock at once, one has it", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("log.lock");
  for (let round = 0; round < 20; round++) {
    const locks = await Promise.all(Array.from({ length: 5 }, () => acquireLock(path)));
    const held = locks.filter((lock) => lock.isHeld);
    expect(held).toHaveLength(1);
    await held[0]!.release();
  }
});

test("a file that a power cut left blank is no obstacle", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("log.lock");
  for (const left of [Buffer.alloc(0), Buffer.alloc(4096)]) {
    await writeFile(path, left);
    await (await held(path)).release();
  }
});

describe.skipIf(process.platform === "win32")(
  "a file that was not made for the lock is left as it is:",
  () => {
    const onRoot = test.skipIf(process.getuid?.() !== 0);

    test("the target of a symbolic link", async () => {
      await using folder = await temporaryFolder();
      await writeFile(folder.file("precious"), "");
      await symlink("precious", folder.file("log.lock"));
      await expect(acquireLock(folder.file("log.lock"))).rejects.toThrow(
        new LockError("it is a symbolic link"),
      );
      expect(await readFile(folder.file("precious"), "utf8")).toBe("");
      await symlink("gone", folder.file("dangling"));
      await expect(acquireLock(folder.file("dangling"))).rejects.toThrow("it is a symbolic link");
      expect(existsSync(folder.file("gone"))).toBe(false);
    });

    test("a file with another name", async () => {
      await using folder = await temporaryFolder();
      await writeFile(folder.file("precious"), "");
      await link(folder.file("precious"), folder.file("log.lock"));
      await expect(acquireLock(folder.file("log.lock"))).rejects.toThrow(
        new LockError("it has a second name (a hard link)"),
      );
      expect(await readFile(folder.file("precious"), "utf8")).toBe("");
    });

    onRoot("another user's file (root)", async () => {
      await using folder = await temporaryFolder();
      await writeFile(folder.file("log.lock"), "");
      await chown(folder.file("log.lock"), 54_321, 54_321);
      await expect(acquireLock(folder.file("log.lock"))).rejects.toThrow(
        new LockError("it belongs to another user (uid 54321)"),
      );
      expect(await readFile(folder.file("log.lock"), "utf8")).toBe("");
    });

    test("a named pipe", async () => {
      await using folder = await temporaryFolder();
      Bun.spawnSync(["mkfifo", folder.file("log.lock")]);
      await expect(acquireLock(folder.file("log.lock"))).rejects.toThrow(
        "it is not a regular file",
      );
    });

    test("a file with other content", async () => {
      await using folder = await temporaryFolder();
      const notes = "notes of mine, as long as a page of a database. ".repeat(99);
      await writeFile(folder.file("log.lock"), notes);
      await expect(acquireLock(folder.file("log.lock"))).rejects.toThrow(
        new LockError("it has other content"),
      );
      expect(await readFile(folder.file("log.lock"), "utf8")).toBe(notes);
    });

    test("while a lock in a folder behind a symbolic link is a lock", async () => {
      await using folder = await temporaryFolder();
      await mkdir(folder.file("real"));
      await symlink("real", folder.file("link"));
      const lock = await held(folder.file("link/log.lock"));
      expect((await acquireLock(folder.file("real/log.lock"))).isHeld).toBe(false);
      await lock.release();
    });
  },
);

test("a lock that cannot be made says why", async () => {
  await using folder = await temporaryFolder();
  await expect(acquireLock(folder.file("no such folder/log.lock"))).rejects.toThrow("ENOENT");
});
