import { describe, expect, test } from "bun:test";
import {
  appendFile,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";

import { JournalError, openJournal } from "../../src/store/recover.ts";
import { realFiles } from "../../src/system/files.ts";
import { CountingFiles } from "../bench/counting-files.ts";
import { Disk, systemError } from "../faults/disk.ts";
import { sealed } from "../faults/check.ts";
import { temporaryFolder } from "../temporary.ts";

/** The lines that the next start reads. */
const texts = async (path: string): Promise<string[]> => {
  const { journal, lines } = await openJournal(path);
  await journal.close();
  return lines.map(({ text }) => text);
};

/** The text of a file, without the zeros behind it. */
const textOf = async (path: string): Promise<string> =>
  (await readFile(path, "utf8")).replace(/\0+$/, "");

test("what was appended is there at the next start, each batch with its seal", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const { journal, lines } = await openJournal(path);
  expect(lines).toEqual([]);
  expect(await readdir(folder.path)).toEqual([]); // made when there is something to keep
  await journal.append(["one\n", "two\n"]);
  await journal.append(["three\n"]);
  await journal.close();
  expect(await textOf(`${path}.1`)).toBe(sealed("one\ntwo\n") + sealed("three\n"));
  const again = await openJournal(path);
  expect(again.lines).toEqual([
    { text: "one", where: `"${path}.1", line 1` },
    { text: "two", where: `"${path}.1", line 2` },
    { text: "three", where: `"${path}.1", line 4` },
  ]);
  await again.journal.append(["four\n"]);
  await again.journal.close();
  expect(await texts(path)).toEqual(["one", "two", "three", "four"]);
});

test("an append is one write and one sync, of its batch alone", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const disk = new Disk(folder.path, [], () => undefined);
  const sizes: number[] = [];
  const { files } = new CountingFiles({
    onWrite: (_, bytes) => sizes.push(bytes),
    onRename() {},
  });
  for (const use of [disk.files, files]) {
    const { journal } = await openJournal(path, use);
    for (const line of ["one\n", "two\n", "three\n"]) {
      await journal.append([line]);
      await journal.rotate();
      await journal.cover();
      await journal.append([line]);
    }
    disk.operations.length = sizes.length = 0;
    await journal.append(["four\n"]);
    await journal.rotate();
    await journal.cover();
    await journal.append(["five\n"]);
    if (use === disk.files) {
      const append = (name: string) => [`lstat ${name}`, `write ${name}`, `datasync ${name}`];
      expect(disk.operations).toEqual([...append("j.2"), "lstat j.1", ...append("j.1")]);
    } else {
      expect(sizes[0]).toBe(sealed("four\n", 4).length);
    }
    await journal.remove();
  }
});

test("a file grows in steps of 64 kB", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const { journal } = await openJournal(path);
  const size = async () => (await stat(`${path}.1`)).size;
  await journal.append(["one\n"]);
  expect(await size()).toBe(65_536);
  await journal.append(["x".repeat(65_000)]);
  expect(await size()).toBe(65_536);
  await journal.append(["x".repeat(1000)]);
  expect(await size()).toBe(131_072);
  await journal.close();
});

test("a snapshot frees what was appended before it, and nothing else", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const { journal } = await openJournal(path);
  await journal.append(["before\n"]);
  await journal.rotate();
  await journal.append(["after\n"]);
  expect(await texts(path)).toEqual(["before", "after"]); // a crash now loses nothing
  await journal.cover();
  await journal.append(["later\n"]);
  expect(await texts(path)).toEqual(["after", "later"]);
  await journal.remove();
  expect(await readdir(folder.path)).toEqual([]);
});

test("the two files take turns, and stay as long as they were", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const { journal } = await openJournal(path);
  for (let turn = 1; turn <= 6; turn++) {
    await journal.append([`${"x".repeat(100_000 / turn)}\n`, `turn ${turn}\n`]);
    await journal.append(["more\n"]);
    expect((await texts(path)).slice(1)).toEqual([`turn ${turn}`, "more"]);
    await journal.rotate();
    await journal.cover();
  }
  expect((await stat(`${path}.1`)).size).toBe(131_072);
  expect((await readdir(folder.path)).sort()).toEqual(["j.1", "j.2"]);
  await journal.close();
});

test("when a snapshot fails, the next one frees all", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const { journal } = await openJournal(path);
  await journal.append(["one\n"]);
  await journal.rotate();
  await journal.append(["two\n"]);
  await journal.rotate(); // the one before failed: both files are needed
  await journal.append(["three\n"]);
  expect(await texts(path)).toEqual(["one", "two", "three"]);
  await journal.cover();
  await journal.rotate();
  await journal.cover();
  await journal.append(["four\n"]);
  expect(await texts(path)).toEqual(["four"]);
  await journal.remove();
});

test("before a file is overwritten, the other one says that it is not needed", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const { journal } = await openJournal(path);
  await journal.append(["one\n"]);
  await journal.rotate();
  await journal.append(["two\n"]); // while the snapshot is written
  await journal.cover();
  await journal.rotate();
  expect(await textOf(`${path}.2`)).toBe(sealed("two\n", 2, 1) + sealed("", 2, 2));
  await journal.close();
});

test("calls at once take their turns", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("j");
  const { journal } = await openJournal(path);
  await Promise.all([
    journal.append(["1\n"]),
    journal.rotate(),
    journal.append(["2\n"]),
    journal.append(["3\n"]),
  ]);
  await journal.close();
  expect(await texts(path)).toEqual(["1", "2", "3"]);
});

describe("an append that fails leaves the journal as it was, and the next one works:", () => {
  test("without its folder", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("sub/j");
    const { journal } = await openJournal(path);
    await expect(journal.append(["one\n"])).rejects.toThrow("ENOENT");
    await mkdir(folder.file("sub"));
    await journal.append(["two\n"]);
    await journal.close();
    expect(await texts(path)).toEqual(["two"]);
  });

  test("in the middle of a long one, which a shorter one follows", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("j");
    let fails = false;
    const disk = new Disk(folder.path, [], (_, operation) =>
      fails && operation === "datasync" ? systemError("EIO") : undefined,
    );
    const { journal } = await openJournal(path, disk.files);
    await journal.append(["one\n"]);
    fails = true;
    await expect(journal.append(["x\n".repeat(100_000)])).rejects.toThrow("EIO");
    expect(disk.openHandles).toBe(0); // its file system may be another one by then
    fails = false;
    await journal.append(["two\n"]);
    await journal.close();
    expect(disk.openHandles).toBe(0);
    expect(await textOf(`${path}.1`)).toBe(sealed("one\n") + sealed("two\n"));
  });

  test.skipIf(process.platform === "win32")(
    "a folder that cannot be synced, until it was",
    async () => {
      await using folder = await temporaryFolder();
      const path = folder.file("j");
      let failures = 2;
      const disk: Disk = new Disk(folder.path, [], (at, operation) => {
        const isFolder = disk.operations[at - 1]?.endsWith(".1") === false;
        return operation === "sync" && isFolder && failures-- > 0 ? systemError("EIO") : undefined;
      });
      const { journal } = await openJournal(path, disk.files);
      await expect(journal.append(["one\n"])).rejects.toThrow("EIO");
      expect(disk.cut("none").has("j.1")).toBe(false);
      await expect(journal.append(["two\n"])).rejects.toThrow("EIO");
      await journal.append(["three\n"]);
      expect(disk.cut("none").get("j.1")!.toString()).toStartWith(sealed("three\n"));
      await journal.append(["four\n"]);
      await journal.close();
      expect(disk.openHandles).toBe(0);
      expect(await texts(path)).toEqual(["three", "four"]);
    },
  );

  test("a folder that cannot be opened to be synced, of the file of the next turn", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("j");
    let fails = false;
    const disk: Disk = new Disk(folder.path, [], (_, operation) =>
      fails && operation === "sync" ? systemError("EIO") : undefined,
    );
    const { journal } = await openJournal(path, disk.files);
    await journal.append(["one\n"]);
    fails = true;
    await expect(journal.rotate()).rejects.toThrow("EIO");
    fails = false;
    await journal.append(["two\n"]);
    expect(await texts(path)).toEqual(["one", "two"]);
    await journal.rotate();
    await journal.append(["three\n"]);
    expect(disk.cut("none").get("j.2")!.toString()).toStartWith(sealed("three\n", 2, 1));
    await journal.close();
    expect(disk.openHandles).toBe(0);
  });
});

describe("after a crash", () => {
  /** Opens files with these texts. */
  async function open(folder: string, files: Record<string, string>) {
    for (const [name, text] of Object.entries(files)) await writeFile(`${folder}/${name}`, text);
    return await openJournal(`${folder}/j`, realFiles);
  }

  test("the older file is read first, whichever it is", async () => {
    for (const [older, newer] of [
      ["j.1", "j.2"],
      ["j.2", "j.1"],
    ] as const) {
      await using folder = await temporaryFolder();
      const { lines, journal } = await open(folder.path, {
        [older]: sealed("one\n", 9) + sealed("two\n", 9),
        [newer]: sealed("three\n", 10, 9),
      });
      expect(lines.map(({ text }) => text)).toEqual(["one", "two", "three"]);
      await journal.append(["four\n"]);
      await journal.close();
      expect(await textOf(folder.file(newer))).toBe(
        sealed("three\n", 10, 9) + sealed("four\n", 10, 9),
      );
    }
  });

  test("a file that a durable snapshot has is passed over, and used again", async () => {
    await using folder = await temporaryFolder();
    const { lines, journal } = await open(folder.path, {
      "j.1": sealed("old\n".repeat(50), 8),
      "j.2": sealed("new\n", 9, 9),
    });
    expect(lines.map(({ text }) => text)).toEqual(["new"]);
    await journal.rotate();
    await journal.append(["newer\n"]);
    await journal.close();
    expect(await textOf(folder.file("j.1"))).toBe(sealed("newer\n", 10, 9));
  });

  test("an unsealed end is set aside before it is overwritten", async () => {
    await using folder = await temporaryFolder();
    const { lines, tails, journal } = await open(folder.path, {
      "j.1": `${sealed("one\n")}torn, é\0\n\0\0`,
    });
    expect(lines.map(({ text }) => text)).toEqual(["one"]);
    expect(tails).toBe(1);
    expect(await journal.setAside()).toEqual([folder.file("j.1.bad")]);
    await journal.append(["two\n"]);
    await journal.close();
    expect(await readFile(folder.file("j.1.bad"), "utf8")).toBe("torn, é\0\n");
    expect(await textOf(folder.file("j.1"))).toBe(sealed("one\n") + sealed("two\n"));
    expect(await texts(folder.file("j"))).toEqual(["one", "two"]);
  });

  test("what is set aside takes the place of what was before, however that was left", async () => {
    await using folder = await temporaryFolder();
    const { journal } = await open(folder.path, {
      "j.2": "torn",
      "j.2.bad": "",
      "j.1.bad": "mine",
    });
    await journal.setAside();
    await journal.close();
    expect(await readFile(folder.file("j.2.bad"), "utf8")).toBe("torn");
    expect(await readFile(folder.file("j.1.bad"), "utf8")).toBe("mine");
  });

  test("stale batches behind the last one are no damage", async () => {
    await using folder = await temporaryFolder();
    const stale = sealed("a\n", 7) + sealed("b\n", 7);
    const { lines, tails, journal } = await open(folder.path, {
      "j.1": `${sealed("new\n", 9, 8)}fragment\n${stale}`,
      "j.2": sealed("old\n", 8, 8),
    });
    await journal.close();
    expect(lines.map(({ text }) => text)).toEqual(["old", "new"]);
    expect(tails).toBe(1);
  });

  test.each([
    [
      "damage before a whole batch of the same generation",
      { "j.1": `${sealed("one\n", 3)}bad\nbatch\n${sealed("two\n", 3)}` },
      'j.1", line 3: a damaged batch, with a whole one behind it in line 5',
      "delete lines 3 to 4 to do without them",
    ],
    [
      "damage from the beginning",
      { "j.2": `bad\n${sealed("two\n", 3)}` },
      'j.2", line 1: a damaged batch, with a whole one behind it in line 2',
      "delete line 1 to do without them",
    ],
    [
      "damage from the beginning of the newer file",
      { "j.1": sealed("one\n", 3), "j.2": `bad\n${sealed("two\n", 4, 3)}` },
      'j.2", line 1: a damaged batch',
      "delete line 1",
    ],
    [
      "damage in the older file, which is needed",
      { "j.1": `${sealed("one\n", 3)}bad\n${sealed("two\n", 3)}`, "j.2": sealed("x\n", 4, 3) },
      'j.1", line 3: a damaged batch',
      "delete line 3",
    ],
    [
      "an older file that is damaged whole, and needed",
      { "j.1": "bad\n", "j.2": sealed("x\n", 4, 3) },
      'j.1", line 1: a damaged batch, and "',
      "move that file away",
    ],
  ])("%s is refused", async (_, files, message, hint) => {
    await using folder = await temporaryFolder();
    const error = await open(folder.path, files as Record<string, string>).then(
      () => expect.unreachable(),
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(JournalError);
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });

  test("the lines that a refusal names can be deleted, and the rest is read", async () => {
    await using folder = await temporaryFolder();
    const text = `${sealed("one\n", 3)}bad\nbatch\n${sealed("two\n", 3)}`;
    await expect(open(folder.path, { "j.1": text })).rejects.toThrow("line 3");
    const mended = text.split("\n").toSpliced(2, 2).join("\n");
    const { lines, journal } = await open(folder.path, { "j.1": mended });
    await journal.close();
    expect(lines.map(({ text }) => text)).toEqual(["one", "two"]);
  });

  test("an older file that is needed and gone was removed at a clean stop", async () => {
    await using folder = await temporaryFolder();
    const { lines, journal } = await open(folder.path, { "j.2": sealed("x\n", 4, 3) });
    await journal.close();
    expect(lines.map(({ text }) => text)).toEqual(["x"]);
  });

  test("of dynip 0.2.0 its journal is read first, and removed by the first snapshot", async () => {
    await using folder = await temporaryFolder();
    const { lines, journal, isLeftOver } = await open(folder.path, {
      "j.old": "one\ntwo\ntor",
      j: "three\nto",
      "j.1": sealed("four\n"),
    });
    expect(isLeftOver).toBe(true);
    expect(lines).toEqual([
      { text: "one", where: `"${folder.file("j.old")}", line 1` },
      { text: "two", where: `"${folder.file("j.old")}", line 2` },
      { text: "three", where: `"${folder.file("j")}", line 1` },
      { text: "four", where: `"${folder.file("j.1")}", line 1` },
    ]);
    await journal.append(["five\n"]);
    expect(await texts(folder.file("j"))).toEqual(["one", "two", "three", "four", "five"]);
    await journal.rotate();
    await journal.cover();
    expect((await readdir(folder.path)).sort()).toEqual(["j.1", "j.2"]);
    await journal.remove();
    expect(await readdir(folder.path)).toEqual([]);
  });
});

describe("a file that something else changed", () => {
  test("is not written to until a snapshot that began later is durable", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("j");
    const { journal } = await openJournal(path);
    await journal.append(["one\n"]);
    await journal.rotate(); // the snapshot that has not all
    await rm(`${path}.2`);
    await expect(journal.append(["two\n"])).rejects.toThrow('"j.2" was removed');
    await journal.cover();
    await expect(journal.append(["three\n"])).rejects.toThrow('"j.2" was removed');
    await journal.rotate();
    await expect(journal.append(["four\n"])).rejects.toThrow('"j.2" was removed');
    await journal.cover();
    await journal.append(["five\n"]);
    await journal.close();
    expect(await texts(path)).toEqual(["five"]);
  });

  test("is noticed as well where the older one is needed", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("j");
    const { journal } = await openJournal(path);
    await journal.append(["one\n"]);
    await journal.rotate();
    await journal.append(["two\n"]);
    await truncate(`${path}.1`, 3);
    await expect(journal.append(["three\n"])).rejects.toThrow('"j.1" was cut off');
    await journal.close();
  });

  test.each([
    ["removed", (path: string) => rm(path)],
    [
      "replaced",
      (path: string) => writeFile(`${path}.new`, "").then(() => rename(`${path}.new`, path)),
    ],
    ["given a second name", (path: string) => link(path, `${path}.link`)],
    ["cut off", (path: string) => truncate(path, 65_535)],
    ["written to", (path: string) => appendFile(path, "\0")],
  ] as [string, (path: string) => Promise<void>][])("is noticed that was %s", async (how, act) => {
    await using folder = await temporaryFolder();
    const path = folder.file("j");
    const { journal } = await openJournal(path);
    await journal.append(["one\n"]);
    await act(`${path}.1`);
    await expect(journal.append(["two\n"])).rejects.toThrow(`its file "j.1" was ${how}`);
    await journal.close();
  });

  test("does not matter where the older one is not needed", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("j");
    const { journal } = await openJournal(path);
    await journal.append(["one\n"]);
    await journal.rotate();
    await journal.cover();
    await journal.append(["two\n"]);
    await truncate(`${path}.1`, 3);
    await journal.append(["three\n"]);
    await journal.rotate();
    await journal.append(["four\n"]);
    await journal.close();
    expect(await texts(path)).toEqual(["two", "three", "four"]);
  });

  test("since it was read at the start is noticed", async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("j");
    await writeFile(`${path}.1`, sealed("one\n"));
    const { journal } = await openJournal(path);
    await writeFile(`${path}.1`, "");
    await expect(journal.append(["two\n"])).rejects.toThrow('"j.1" was cut off');
    await journal.close();
  });
});
