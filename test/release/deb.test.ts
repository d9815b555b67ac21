/** The Debian package: its fields, its files and their modes, and the same bytes from the same input. */
import { describe, expect, test } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { canPackage, debianPackage, packageName } from "../../.github/release/deb.ts";
import { type Target, TARGETS } from "../../.github/release/targets.ts";
import { version } from "../../package.json";
import { packagedUnits, systemdPing, systemdServe } from "../../src/schedule/systemd.ts";
import { outputOf } from "../processes.ts";
import { temporaryFolder } from "../temporary.ts";

const START = { binary: "/usr/bin/dynip", config: "/etc/dynip/dynip.toml" };
const TIME = Date.UTC(2026, 10, 22, 17, 20, 34) / 1000;

test("there is a package for Linux with glibc on x64 and arm64", () => {
  expect(TARGETS.flatMap((target) => packageName(target) ?? [])).toEqual([
    `dynip_${version}_amd64.deb`,
    `dynip_${version}_arm64.deb`,
  ]);
});

describe("the packaged units", () => {
  const units = Object.fromEntries(
    packagedUnits(START, "dynip").map(({ name, text }) => [name, text]),
  );

  test("the server's differs from the printed one in its user and the mode of its folder alone", () => {
    const printed = systemdServe.print(START);
    expect(units["dynip.service"]).toBe(
      printed
        .replace("Its user exists only while it runs, and can", "Its user dynip can")
        .replace("DynamicUser=yes", "User=dynip")
        .replace("StateDirectoryMode=0700", "StateDirectoryMode=0750"),
    );
    expect(units["dynip.service"]).not.toBe(printed);
  });

  test("those of the ping are the printed ones", () => {
    for (const name of ["dynip-ping.service", "dynip-ping.timer"]) {
      expect(systemdPing.print(START)).toContain(`\n${units[name]}`);
    }
  });
});

const why = canPackage() ? "" : " (skipped: there is no dpkg-deb)";

describe.skipIf(!canPackage())(`the package${why}`, () => {
  /** Makes a package with a small program, in a folder of its own. */
  async function make(
    folder: string,
    { target = "linux-x64", time = TIME }: { target?: Target; time?: number } = {},
  ): Promise<string> {
    await mkdir(folder, { recursive: true });
    const executable = join(folder, "dynip");
    await writeFile(executable, "#!/bin/sh\n", { mode: 0o700 });
    const contents = {
      executable,
      page: ".Dd November 22, 2026\n",
      licences: ["Copyright (c) 2026\n", "bun (MIT)\n"],
      time,
      homepage: "https://github.com/ann/dynip",
    };
    return join(folder, await debianPackage(folder, target, contents));
  }

  test.each([
    ["past", TIME],
    ["future", Date.UTC(2099, 0) / 1000],
  ])(
    "of a source of the %s has the same bytes in every folder, with every umask",
    async (_when, time) => {
      await using folder = await temporaryFolder();
      const one = await readFile(await make(folder.file("one"), { time }));
      const umask = process.umask(0o077);
      try {
        const other = await readFile(await make(folder.file("other"), { time }));
        expect(other.equals(one)).toBe(true);
      } finally {
        process.umask(umask);
      }
    },
  );

  test("has the fields of its version, its processor and what it needs", async () => {
    await using folder = await temporaryFolder();
    const deb = await make(folder.path, { target: "linux-arm64" });
    const fields = ["Package", "Version", "Architecture", "Depends", "Homepage"];
    expect(await outputOf(["dpkg-deb", "--field", deb, ...fields])).toBe(`Package: dynip
Version: ${version}
Architecture: arm64
Depends: adduser, libc6 (>= 2.17)
Homepage: https://github.com/ann/dynip
`);
  });

  test("has files of root with the modes that Debian wants", async () => {
    await using folder = await temporaryFolder();
    const listed = await outputOf(["dpkg-deb", "--contents", await make(folder.path)]);
    const files = listed
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ +/))
      .filter(([mode, , , , , path]) => mode!.startsWith("-") || path === "./etc/dynip/")
      .map(([mode, owner, , , , path]) => `${mode} ${owner} ${path}`);
    expect(files.sort()).toEqual([
      "-rw-r--r-- root/root ./usr/lib/systemd/system/dynip-ping.service",
      "-rw-r--r-- root/root ./usr/lib/systemd/system/dynip-ping.timer",
      "-rw-r--r-- root/root ./usr/lib/systemd/system/dynip.service",
      "-rw-r--r-- root/root ./usr/share/doc/dynip/README.Debian",
      "-rw-r--r-- root/root ./usr/share/doc/dynip/changelog.gz",
      "-rw-r--r-- root/root ./usr/share/doc/dynip/copyright",
      "-rw-r--r-- root/root ./usr/share/lintian/overrides/dynip",
      "-rw-r--r-- root/root ./usr/share/man/man1/dynip.1.gz",
      "-rwxr-xr-x root/root ./usr/bin/dynip",
      "drwxr-xr-x root/root ./etc/dynip/",
    ]);
  });

  test("has a sum of each file, for dpkg --verify", async () => {
    await using folder = await temporaryFolder();
    const deb = await make(folder.path);
    const sums = await outputOf(["dpkg-deb", "--info", deb, "md5sums"]);
    const md5 = (text: string) => new Bun.CryptoHasher("md5").update(text).digest("hex");
    expect(sums).toContain(`${md5("#!/bin/sh\n")}  usr/bin/dynip\n`);
    expect(sums.trimEnd().split("\n")).toHaveLength(9);
  });
});
