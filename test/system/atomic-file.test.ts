import { describe, expect, test } from "bun:test";
import {
  chmod,
  chown,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";

import {
  findFile,
  NotAFileError,
  replaceFile,
  temporaryPath,
} from "../../src/system/atomic-file.ts";
import { errorCode } from "../../src/system/errors.ts";
import { type Files, realFiles } from "../../src/system/files.ts";
import { temporaryFolder } from "../temporary.ts";

const onUnix = test.skipIf(process.platform === "win32");

test("a new file has the content and nothing is left beside it", async () => {
  await using folder = await temporaryFolder();
  await replaceFile(folder.file("log"), ["one\n", "two\n"], { mode: 0o600 });
  expect(await readFile(folder.file("log"), "utf8")).toBe("one\ntwo\n");
  expect(await readdir(folder.path)).toEqual(["log"]);
});

test("an existing file is replaced whole, also by a shorter one", async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file("log"), "a long old text");
  await replaceFile(folder.file("log"), ["new"], { mode: 0o600 });
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
  await replaceFile(path, chunks(), { mode: 0o600 });
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
  expect(replaceFile(folder.file("log"), chunks(), { mode: 0o600 })).rejects.toThrow("no more");
  await Bun.sleep(0);
  expect(await readFile(folder.file("log"), "utf8")).toBe("old");
  await expect(replaceFile(folder.path, ["x"], { mode: 0o600 })).rejects.toThrow(); // a folder in its place
  expect((await readdir(folder.path)).sort()).toEqual(["log"]);
});

test("a temporary file that a killed process left is no obstacle", async () => {
  await using folder = await temporaryFolder();
  await writeFile(temporaryPath(folder.file("log")), "left over, and longer than the new text");
  await replaceFile(folder.file("log"), ["new"], { mode: 0o600 });
  expect(await readFile(folder.file("log"), "utf8")).toBe("new");
  expect(await readdir(folder.path)).toEqual(["log"]);
});

onUnix("a link in place of the temporary file is not written through", async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file("precious"), "mine");
  await symlink(folder.file("precious"), temporaryPath(folder.file("log")));
  await replaceFile(folder.file("log"), ["new"], { mode: 0o600 });
  expect(await readFile(folder.file("precious"), "utf8")).toBe("mine");
});

onUnix("the mode is the one asked for, whatever the umask", async () => {
  await using folder = await temporaryFolder();
  const umask = process.umask(0o077);
  try {
    await replaceFile(folder.file("log"), ["new"], { mode: 0o644 });
  } finally {
    process.umask(umask);
  }
  expect((await stat(folder.file("log"))).mode & 0o777).toBe(0o644);
});

describe.skipIf(process.platform === "win32")("a file whose access is kept", () => {
  /** Replaces a file that has an owner and permission bits; chown fails `refusals` times with `code`. */
  async function replaceKeeping(
    old: { uid: number; gid: number; mode: number } | undefined,
    refusals = 0,
    code = "EPERM",
  ) {
    await using folder = await temporaryFolder();
    const path = folder.file("log");
    if (old) {
      await writeFile(path, "old");
      await chown(path, old.uid, old.gid);
      await chmod(path, old.mode);
    }
    const files: Files = {
      ...realFiles,
      async open(...args) {
        const handle = await realFiles.open(...args);
        const chownReally = handle.chown.bind(handle);
        handle.chown = async (uid, gid) => {
          if (refusals-- > 0) throw Object.assign(new Error(code), { code });
          await chownReally(uid, gid);
        };
        return handle;
      },
    };
    const lost: unknown[] = [];
    const onOwnerLost = (error: unknown) => lost.push(errorCode(error));
    const error = await replaceFile(path, ["new"], { mode: 0o600, onOwnerLost }, files).then(
      () => undefined,
      errorCode,
    );
    const { uid, gid, mode } = await stat(path);
    return { error, lost, uid, gid, mode: mode & 0o7777, text: await readFile(path, "utf8") };
  }

  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  const mine = { uid, gid, mode: 0o664 };
  const replaced = { error: undefined, lost: [], text: "new" };

  test("has the permission bits that it had", async () => {
    expect(await replaceKeeping(mine)).toEqual({ ...replaced, ...mine });
  });

  test("has those that are given when it is new", async () => {
    expect(await replaceKeeping(undefined)).toEqual({ ...replaced, ...mine, mode: 0o600 });
  });

  test("is no longer set-uid or sticky: nobody runs a log", async () => {
    expect(await replaceKeeping({ ...mine, mode: 0o7755 })).toMatchObject({ mode: 0o755 });
  });

  test("goes to this user when its owner is refused, and keeps its group", async () => {
    expect(await replaceKeeping(mine, 1)).toEqual({ ...replaced, ...mine, lost: ["EPERM"] });
  });

  test("has no permissions for a group when its group is refused as well", async () => {
    const lost = { ...mine, mode: 0o604, lost: ["EPERM"] };
    expect(await replaceKeeping(mine, 2)).toEqual({ ...replaced, ...lost });
  });

  test("is not replaced when the disk fails", async () => {
    const { error, text } = await replaceKeeping(mine, 1, "EIO");
    expect({ error, text }).toEqual({ error: "EIO", text: "old" });
  });

  test.skipIf(uid !== 0)("has the owner and group that it had (root)", async () => {
    const theirs = { uid: 54_321, gid: 54_322, mode: 0o640 };
    expect(await replaceKeeping(theirs)).toEqual({ ...replaced, ...theirs });
  });
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

test("a reader that has the file open for a moment does not stop it", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("log");
  await writeFile(path, "old");
  const reader = await open(path, "r");
  const closing = Bun.sleep(50).then(() => reader.close());
  await replaceFile(path, ["new"], { mode: 0o600 });
  await closing;
  expect(await readFile(path, "utf8")).toBe("new");
});

describe("a rename that the system refuses", () => {
  /** Replaces a file in a folder of its own, while the first `refusals` renames fail with `code`. */
  async function replaceWith(platform: NodeJS.Platform, code: string, refusals: number) {
    await using folder = await temporaryFolder();
    const path = folder.file("log");
    await writeFile(path, "old");
    let renames = 0;
    const files: Files = {
      ...realFiles,
      async rename(from, to) {
        if (++renames <= refusals) throw Object.assign(new Error(code), { code });
        await realFiles.rename(from, to);
      },
    };
    const waits: number[] = [];
    const sleep = async (milliseconds: number) => waits.push(milliseconds);
    const error = await replaceFile(path, ["new"], { mode: 0o600 }, files, {
      platform,
      sleep,
    }).then(
      () => undefined,
      (reason: NodeJS.ErrnoException) => reason.code,
    );
    return { error, waits, text: await readFile(path, "utf8"), names: await readdir(folder.path) };
  }

  test.each(["EPERM", "EACCES", "EBUSY"])(
    "on Windows with %s, as while another program has the file open, is tried again",
    async (code) => {
      expect(await replaceWith("win32", code, 3)).toEqual({
        error: undefined,
        waits: [5, 10, 20],
        text: "new",
        names: ["log"],
      });
    },
  );

  test("on Windows is given up after 1.3 seconds, and the old file is whole", async () => {
    expect(await replaceWith("win32", "EPERM", Number.POSITIVE_INFINITY)).toEqual({
      error: "EPERM",
      waits: [5, 10, 20, 40, 80, 160, 320, 640],
      text: "old",
      names: ["log"],
    });
  });

  test.each([
    ["win32", "ENOSPC"],
    ["linux", "EPERM"],
    ["darwin", "EACCES"],
  ] as const)("on %s with %s is an error at once", async (platform, code) => {
    expect(await replaceWith(platform, code, 1)).toEqual({
      error: code,
      waits: [],
      text: "old",
      names: ["log"],
    });
  });
});

test("why it failed is told, though the temporary file cannot be removed either", async () => {
  await using folder = await temporaryFolder();
  let isFailing = false;
  const fail = async (code: string) => {
    isFailing = true;
    throw Object.assign(new Error(code), { code });
  };
  const files: Files = {
    ...realFiles,
    rename: () => fail("EIO"),
    rm: (path, options) => (isFailing ? fail("EROFS") : realFiles.rm(path, options)),
  };
  await expect(
    replaceFile(folder.file("log"), ["new"], { mode: 0o600 }, files),
  ).rejects.toMatchObject({
    code: "EIO",
  });
});
