/** `bun build.ts TARGET` makes the files of a release, and the same bytes in every folder. */
import { expect, test } from "bun:test";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { canPackage, packageName } from "../../.github/release/deb.ts";
import { executableName, thisMachine } from "../../.github/release/targets.ts";
import { temporaryFolder } from "../temporary.ts";
import { copySource, DEADLINE_MS, runBuild } from "./building.ts";
import { smallest } from "./executables.ts";

const BUILD = join(import.meta.dir, "..", "..", "build.ts");

async function buildIn(folder: string, target: string): Promise<string> {
  await copySource(folder);
  await writeFile(join(folder, "dist", "dynip.map"), "of an earlier build");
  await mkdir(join(folder, "dist", "build-x"));
  const { stdout, stderr, exitCode } = await runBuild(join(folder, "build.ts"), [
    target,
    "--repository",
    "ann/dynip",
  ]);
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  return stdout;
}

test(
  "two builds of one source in two folders have the same sums, and no files of an earlier build",
  async () => {
    const target = await thisMachine();
    await using one = await temporaryFolder();
    await using other = await temporaryFolder();
    const deeper = other.file("some folder/deeper");
    const [said] = await Promise.all([buildIn(one.path, target), buildIn(deeper, target)]);
    const archive = `dynip-${target}${target.startsWith("windows-") ? ".zip" : ".tar.gz"}`;
    const executable = executableName(`dynip-${target}`, target);
    expect(said).toContain(`[1/1] dist/${executable}  `);
    expect(said).toContain(`[1/1] dist/${archive}  `);

    const sums = await readFile(one.file("dist/SHA256SUMS"), "utf8");
    expect(sums).toBe(await readFile(join(deeper, "dist", "SHA256SUMS"), "utf8"));
    const lines = sums.trimEnd().split("\n");
    const installers = ["dynip.json", "dynip.rb", "install.ps1", "install.sh"];
    const debian = canPackage() ? (packageName(target) ?? []) : [];
    const published = [executable, archive, "dynip.1", "dynip.cdx.json", installers, debian]
      .flat()
      .sort();
    expect(lines.map((line) => line.slice(66))).toEqual(published);
    for (const line of lines) {
      const bytes = await readFile(one.file(`dist/${line.slice(66)}`));
      expect(line.slice(0, 66)).toBe(
        `${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}  `,
      );
      expect(bytes.includes(one.path)).toBe(false); // no path of the machine that built it
    }
    const script = target.startsWith("windows-") ? "install.ps1" : "install.sh";
    const sum = lines.find((line) => line.endsWith(`  ${archive}`))!.slice(0, 64);
    expect(await readFile(one.file(`dist/${script}`), "utf8")).toContain(sum);
    expect((await readdir(one.file("dist"))).sort()).toEqual(
      [".gitignore", "SHA256SUMS", ...published].sort(),
    );
    const version = Bun.spawn([one.file(`dist/${executable}`), "--version"], { timeout: 10_000 });
    expect(await version.stdout.text()).toEndWith(` (unknown commit, ${target})\n`);
  },
  DEADLINE_MS,
);

test(
  "an executable from the folder of --signed is copied, and refused when its signature is not valid",
  async () => {
    await using folder = await temporaryFolder();
    await using signed = await temporaryFolder();
    await copySource(folder.path);
    const args = ["darwin-x64", "--signed", signed.path];
    const executable = smallest("darwin-x64");
    await writeFile(signed.file("dynip-darwin-x64"), executable, { mode: 0o644 });
    const taken = await runBuild(folder.file("build.ts"), args);
    expect(taken).toMatchObject({ stderr: "", exitCode: 0 });
    expect(taken.stdout).toContain("Mach-O x64  signature valid");
    const built = folder.file("dist/dynip-darwin-x64");
    expect((await readFile(built)).equals(executable)).toBe(true);
    if (process.platform !== "win32") expect((await stat(built)).mode & 0o777).toBe(0o755);

    executable[executable.length / 2]! ^= 1;
    await writeFile(signed.file("dynip-darwin-x64"), executable);
    const refused = await runBuild(folder.file("build.ts"), args);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain(
      "cannot start on macOS: page 0 of 2 differs from the signed one",
    );
    expect(await readdir(folder.file("dist"))).toEqual([".gitignore"]);
  },
  DEADLINE_MS,
);

test.each([
  [["linux-x68"], 'Unknown target "linux-x68"'],
  [["--al"], "Unknown option '--al'"],
  [["--all", "--signed"], "argument missing"],
  [["--all", "--repository", "ann's/dynip"], "must be OWNER/NAME"],
])("build.ts %j is refused, and builds nothing", async (args, message) => {
  const { stdout, stderr, exitCode } = await runBuild(BUILD, args);
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
  expect(stderr).toContain(message);
  expect(stderr).toContain("hint: the targets are linux-x64, ");
});
