import { expect, test } from "bun:test";
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  realpath,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";

import { findFile, NotAFileError, replaceFile, temporaryPath } from "../src/atomic-file.ts";
import { temporaryFolder } from "./temporary.ts";

const onUnix = test.skipIf(process.platform === "win32");

test("a new file has the content and nothing is left beside it", async () => {
  await using folder = await temporaryFolder();
  await replaceFile(folder.file("log"), ["one\n", "two\n"], 0o600);
  expect(await readFile(folder.file("log"), "utf8")).toBe("one\ntwo\n");
  expect(await readdir(folder.path)).toEqual(["log"]);
});

test("an existing file is replaced whole, also by a shorter one", async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file("log"), "a long old text");
  await replaceFile(folder.file("log"), ["new"], 0o600);
  expect(await readFile(folder.file("log"), "utf8")).toBe("new");
});

test("while the new content is written, a reader finds the old file whole", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("log");
  await writeFile(path, "old");
  const seen: string[] = [];
  function* chunks(): Generator<string> {
    for (const chunk of ["n", "e", "w"]) {
      seen.push(require("node:fs").readFileSync(path, "utf8"));
      yield chunk;
    }
  }
  await replaceFile(path, chunks(), 0o600);
  expect(seen).toEqual(["old", "old", "old"]);
  expect(await readFile(path, "utf8")).toBe("new");
});

test("a failure on the way leaves the old file and no temporary one", async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file("log"), "old");
  function* chunks(): Generator<string> {
    yield "half";
    throw new Error("no more");
  }
  expect(replaceFile(folder.file("log"), chunks(), 0o600)).rejects.toThrow("no more");
  await Bun.sleep(0);
  expect(await readFile(folder.file("log"), "utf8")).toBe("old");
  await expect(replaceFile(folder.path, ["x"], 0o600)).rejects.toThrow(); // a folder in its place
  expect((await readdir(folder.path)).sort()).toEqual(["log"]);
});

test("a temporary file that a killed process left is no obstacle", async () => {
  await using folder = await temporaryFolder();
  await writeFile(temporaryPath(folder.file("log")), "left over, and longer than the new text");
  await replaceFile(folder.file("log"), ["new"], 0o600);
  expect(await readFile(folder.file("log"), "utf8")).toBe("new");
  expect(await readdir(folder.path)).toEqual(["log"]);
});

onUnix("a link in place of the temporary file is not written through", async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file("precious"), "mine");
  await symlink(folder.file("precious"), temporaryPath(folder.file("log")));
  await replaceFile(folder.file("log"), ["new"], 0o600);
  expect(await readFile(folder.file("precious"), "utf8")).toBe("mine");
});

onUnix("the mode is the one asked for, whatever the umask", async () => {
  await using folder = await temporaryFolder();
  const umask = process.umask(0o077);
  try {
    await replaceFile(folder.file("log"), ["new"], 0o644);
  } finally {
    process.umask(umask);
  }
  expect((await stat(folder.file("log"))).mode & 0o777).toBe(0o644);
});

onUnix("findFile follows links to the file that there is, and refuses what is none", async () => {
  await using folder = await temporaryFolder();
  expect(await findFile(folder.file("new"))).toEqual({ target: folder.file("new") });
  await writeFile(folder.file("log"), "");
  await chmod(folder.file("log"), 0o640);
  await symlink("log", folder.file("link"));
  const target = await realpath(folder.file("log"));
  expect(await findFile(folder.file("log"))).toEqual({ target, mode: 0o640 });
  expect(await findFile(folder.file("link"))).toEqual({ target, mode: 0o640 });
  await mkdir(folder.file("folder"));
  await symlink("gone", folder.file("dangling"));
  for (const [path, message] of [
    [folder.file("folder"), "it is a folder"],
    [folder.file("dangling"), "it is a symbolic link to nothing"],
    ["/dev/null", "it is not a regular file"],
  ] as const) {
    await expect(findFile(path)).rejects.toThrow(new NotAFileError(message));
  }
});
