import { describe, expect, test } from "bun:test";
import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";

import { copyProgram, serviceProgram } from "../../src/commands/program.ts";
import { temporaryFolder } from "../temporary.ts";

const LINUX = { platform: "linux", env: {} } as const;
const WINDOWS = { platform: "win32", env: { ProgramFiles: "D:\\Programs" } } as const;

test.each([
  ["/usr/local/bin/dynip", "/usr/local/bin/dynip"],
  ["/usr/bin/dynip", "/usr/bin/dynip"],
  ["/opt/dynip/dynip", "/opt/dynip/dynip"],
  ["/home/ann/dynip", "/usr/local/bin/dynip"],
  ["/root/dynip", "/usr/local/bin/dynip"],
  ["/tmp/dynip", "/usr/local/bin/dynip"],
  ["/Users/ann/Downloads/dynip-darwin-arm64", "/usr/local/bin/dynip"],
  ["/opt/Ann's/dynip", "/usr/local/bin/dynip"], // systemd starts none with a quote
])("the service of %s starts %s", (binary, expected) => {
  expect(serviceProgram(binary, LINUX)).toBe(expected);
});

test("on Windows it is always the folder that only administrators can write to", () => {
  const place = "D:\\Programs\\dynip\\dynip.exe";
  expect(serviceProgram("C:\\Users\\Ann\\Downloads\\dynip.exe", WINDOWS)).toBe(place);
  expect(serviceProgram("D:\\Programs\\other\\dynip.exe", WINDOWS)).toBe(place);
});

describe.skipIf(process.platform === "win32")("a copy of the program", () => {
  const dynip = (version: string) => `#!/bin/sh\necho "dynip ${version} (c6a8c1f, linux-x64)"\n`;

  /** A folder with a program, and the place for its copy. */
  async function setup() {
    const folder = await temporaryFolder();
    await mkdir(folder.file("downloads"));
    const from = folder.file("downloads/dynip");
    await writeFile(from, dynip("0.3.0"), { mode: 0o755 });
    return { ...folder, from, to: folder.file("bin/dynip") };
  }

  test("is made with its folder, and everyone can run it", async () => {
    await using folder = await setup();
    await chmod(folder.from, 0o700);
    expect(await copyProgram(folder.from, folder.to)).toEqual({ kind: "new" });
    expect(await readFile(folder.to, "utf8")).toBe(dynip("0.3.0"));
    expect((await stat(folder.to)).mode & 0o777).toBe(0o755);
    expect(await readdir(folder.file("bin"))).toEqual(["dynip"]);
  });

  test("stays when it is the same, byte for byte", async () => {
    await using folder = await setup();
    await copyProgram(folder.from, folder.to);
    const before = await stat(folder.to);
    expect(await copyProgram(folder.from, folder.to)).toEqual({ kind: "same" });
    expect((await stat(folder.to)).ino).toBe(before.ino);
  });

  test("replaces another version, or a link, and says which version it was", async () => {
    await using folder = await setup();
    await mkdir(folder.file("bin"));
    await writeFile(folder.to, dynip("0.2.0"), { mode: 0o755 });
    const replaced = { kind: "replaced", version: "0.2.0 (c6a8c1f, linux-x64)" } as const;
    expect(await copyProgram(folder.from, folder.to)).toEqual(replaced);
    expect(await readFile(folder.to, "utf8")).toBe(dynip("0.3.0"));

    await using other = await setup();
    await mkdir(other.file("bin"));
    await symlink(other.from, other.to);
    expect(await copyProgram(other.from, other.to)).toMatchObject({ kind: "replaced" });
    expect((await lstat(other.to)).isFile()).toBe(true);
    expect(await readFile(other.from, "utf8")).toBe(dynip("0.3.0"));
  });

  test("does not replace another program", async () => {
    await using folder = await setup();
    await mkdir(folder.file("bin"));
    await writeFile(folder.to, "#!/bin/sh\necho precious\n", { mode: 0o755 });
    await expect(copyProgram(folder.from, folder.to)).rejects.toMatchObject({
      exitCode: 10,
      message: `Cannot copy dynip to "${folder.to}": another program is there, or a broken dynip`,
    });
    expect(await readFile(folder.to, "utf8")).toContain("precious");
  });

  test("that cannot be made is exit code 10", async () => {
    await using folder = await setup();
    await writeFile(folder.file("bin"), "");
    await expect(copyProgram(folder.from, folder.to)).rejects.toMatchObject({
      exitCode: 10,
      message: `Cannot copy dynip to "${folder.to}": a part of its path is not a folder`,
    });
  });
});
