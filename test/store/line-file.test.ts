/** The file of lines on a real disk. */
import { expect, test } from "bun:test";
import {
  appendFile,
  link,
  mkdir,
  readFile,
  rename,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";

import { LineFile } from "../../src/store/line-file.ts";
import { temporaryFolder } from "../temporary.ts";

const onUnix = test.skipIf(process.platform === "win32");

test("lines are appended to a file that is made for its owner alone", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("lines");
  const file = new LineFile(path);
  await file.append("one\n");
  await file.append("two\nthree\n");
  expect(await readFile(path, "utf8")).toBe("one\ntwo\nthree\n");
  if (process.platform !== "win32") expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("a line that a crash cut off stays, and the next begins behind it", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("lines");
  await writeFile(path, "one\ntw");
  await new LineFile(path).append("three\n");
  await new LineFile(path).append("four\n");
  expect(await readFile(path, "utf8")).toBe("one\ntw\nthree\nfour\n");
});

test("a file that was renamed or removed meanwhile is made anew", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("lines");
  const file = new LineFile(path);
  await file.append("one\n");
  await rename(path, `${path}.1`);
  await file.append("two\n");
  expect(await readFile(path, "utf8")).toBe("two\n");
});

test("the permissions that its owner gave it are kept", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("lines");
  await writeFile(path, "", { mode: 0o640 });
  await new LineFile(path).append("one\n");
  if (process.platform !== "win32") expect((await stat(path)).mode & 0o777).toBe(0o640);
});

test("the last lines are read from whole ones alone", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("lines");
  const file = new LineFile(path);
  expect(await file.lastLines(100)).toEqual([]);
  await writeFile(path, "one\ntwo\nthree\n");
  expect(await file.lastLines(100)).toEqual(["one", "two", "three", ""]);
  expect(await file.lastLines(14)).toEqual(["one", "two", "three", ""]);
  expect(await file.lastLines(8)).toEqual(["three", ""]);
  await appendFile(path, "four");
  expect(await file.lastLines(12)).toEqual(["three", "four"]);
  await writeFile(path, "é\n".repeat(3)); // a character of two bytes is cut
  expect(await file.lastLines(5)).toEqual(["é", ""]);
});

onUnix("what is no file of ours is refused, and left as it is", async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file("precious"), "precious");
  await symlink(folder.file("precious"), folder.file("link"));
  await link(folder.file("precious"), folder.file("hard"));
  await mkdir(folder.file("folder"));
  for (const [name, problem] of [
    ["link", "it is a symbolic link"],
    ["hard", "it has a second name (a hard link)"],
  ] as const) {
    const file = new LineFile(folder.file(name));
    await expect(file.append("one\n")).rejects.toThrow(problem);
    await expect(file.lastLines(100)).rejects.toThrow(problem);
  }
  await expect(new LineFile(folder.file("folder")).append("one\n")).rejects.toThrow();
  await expect(new LineFile(folder.file("none/lines")).append("one\n")).rejects.toThrow("ENOENT");
  expect(await readFile(folder.file("precious"), "utf8")).toBe("precious");
});
