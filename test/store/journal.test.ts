import { expect, spyOn, test } from "bun:test";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";

import * as atomicFile from "../../src/system/atomic-file.ts";
import { openJournal } from "../../src/store/journal.ts";
import { temporaryFolder } from "../temporary.ts";

const texts = async (path: string): Promise<string[]> => {
  const { journal, lines } = await openJournal(path);
  await journal.close();
  return lines.map(({ text }) => text);
};

test("what was appended is there at the next start", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const { journal, lines } = await openJournal(path);
  expect(lines).toEqual([]);
  expect(await readdir(folder.path)).toEqual([]); // made when there is something to keep
  await journal.append("one\ntwo\n");
  await journal.append("three\n");
  await journal.close();
  expect(await readFile(path, "utf8")).toBe("one\ntwo\nthree\n");
  const again = await openJournal(path);
  expect(again.lines).toEqual([
    { text: "one", where: `"${path}", line 1` },
    { text: "two", where: `"${path}", line 2` },
    { text: "three", where: `"${path}", line 3` },
  ]);
  await again.journal.append("four\n");
  await again.journal.close();
  expect(await texts(path)).toEqual(["one", "two", "three", "four"]);
});

test("a torn last line is passed over, and written over", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  for (const torn of ["tw", "a much longer line that was torn, é", ""]) {
    await writeFile(path, `one\n${torn}`);
    const { journal, lines } = await openJournal(path);
    expect(lines.map(({ text }) => text)).toEqual(["one"]);
    await journal.append("2\n");
    await journal.close();
    expect(await readFile(path, "utf8")).toBe("one\n2\n");
  }
  await writeFile(path, "torn in its first line");
  expect(await texts(path)).toEqual([]);
  await writeFile(path, "");
  expect(await texts(path)).toEqual([]);
});

test("a snapshot cuts what was appended before it, and nothing else", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const { journal } = await openJournal(path);
  await journal.append("before\n");
  await journal.rotate();
  await journal.append("after\n");
  expect(await texts(path)).toEqual(["before", "after"]); // a crash now loses nothing
  await journal.dropOld();
  expect(await texts(path)).toEqual(["after"]);
  await journal.remove();
  expect(await readdir(folder.path)).toEqual([]);
});

test("when a snapshot fails, the next begins where it did", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const { journal } = await openJournal(path);
  await journal.append("one\n");
  await journal.rotate();
  await journal.append("two\n");
  await journal.rotate(); // the one before was not dropped: nothing may be lost
  await journal.append("three\n");
  expect(await texts(path)).toEqual(["one", "two", "three"]);
  await journal.dropOld();
  await journal.rotate();
  await journal.dropOld();
  expect(await texts(path)).toEqual([]);
  await journal.remove();
});

test("a torn line does not get into the old file", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  await writeFile(path, "one\ntor");
  const { journal } = await openJournal(path);
  await journal.rotate();
  await journal.append("two\n");
  await journal.close();
  expect(await texts(path)).toEqual(["one", "two"]);
});

test("calls at once take their turns", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const { journal } = await openJournal(path);
  await Promise.all([
    journal.append("1\n"),
    journal.rotate(),
    journal.append("2\n"),
    journal.append("3\n"),
  ]);
  await journal.close();
  expect(await texts(path)).toEqual(["1", "2", "3"]);
});

test("an append that fails leaves the journal as it was, and the next one works", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("sub/j");
  const { journal } = await openJournal(path);
  await expect(journal.append("one\n")).rejects.toThrow("ENOENT");
  await mkdir(folder.file("sub"));
  await journal.append("two\n");
  await journal.close();
  expect(await texts(path)).toEqual(["two"]);
});

test("a journal that somebody took away is begun anew, and the next start can read it", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const { journal } = await openJournal(path);
  await journal.append("one\n");
  await rm(path);
  await journal.rotate(); // there is nothing to rotate
  await journal.append("two\n");
  await journal.close();
  expect(await readFile(path, "utf8")).toBe("two\n");
});

test.skipIf(process.platform === "win32")(
  "a folder that cannot be synced fails the append, and is synced before the next one counts",
  async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("j");
    const { journal } = await openJournal(path);
    let failures = 2;
    const sync = spyOn(atomicFile, "syncFolder").mockImplementation(async () => {
      if (failures-- > 0) throw Object.assign(new Error("EIO"), { code: "EIO" });
    });
    try {
      await expect(journal.append("one\n")).rejects.toThrow("EIO");
      await expect(journal.append("two\n")).rejects.toThrow("EIO");
      await journal.append("three\n");
      await journal.append("four\n");
      expect(sync).toHaveBeenCalledTimes(3);
      Bun.gc(true); // a handle that was left open would end the process here
      await Bun.sleep(10);
    } finally {
      sync.mockRestore();
    }
    await journal.close();
    expect(await texts(path)).toEqual(["three", "four"]);
  },
);
