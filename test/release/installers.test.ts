/** The files that install a release name its version, its address, and the sum of each archive. */
import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";

import { gitHubRelease, installers } from "../../.github/release/installers.ts";
import { type Target, TARGETS } from "../../.github/release/targets.ts";
import { license } from "../../package.json";
import { runProcess } from "../processes.ts";
import { temporaryFolder } from "../temporary.ts";

const BASE = "https://github.com/ann/dynip/releases/download/v1.2.3";

const archives = TARGETS.map((target, index) => ({
  target,
  file: `dynip-${target}${target.startsWith("windows-") ? ".zip" : ".tar.gz"}`,
  sum: String(index).repeat(64),
  space: 100_000_000 + index,
}));
const sumOf = (target: Target) => archives.find((archive) => archive.target === target)!.sum;
// In another order, as the archives are written by several workers.
const files = await installers(gitHubRelease("ann/dynip", "1.2.3", archives.toReversed()));

test("there are four, and none has a placeholder left", () => {
  expect(Object.keys(files)).toEqual(["dynip.json", "dynip.rb", "install.ps1", "install.sh"]);
  for (const text of Object.values(files)) {
    expect(text).toContain(BASE);
    expect(text).toContain("1.2.3");
    expect(text).not.toMatch(/@[A-Z]+@/);
  }
});

test("install.sh has a line for each target but Windows, with the space in KiB", () => {
  const lines = archives
    .filter(({ target }) => !target.startsWith("windows-"))
    .map(({ target, sum }) => `${target} ${sum} 97657`);
  expect(files["install.sh"]).toContain(`\nARCHIVES='${lines.join("\n")}'\n`);
});

test("install.ps1 has an entry for each processor of Windows", () => {
  expect(files["install.ps1"]).toContain(`
  $archives = @{
    AMD64 = @{ Target = 'windows-x64'; Space = 100000006; Sum = '${sumOf("windows-x64")}' }
    ARM64 = @{ Target = 'windows-arm64'; Space = 100000007; Sum = '${sumOf("windows-arm64")}' }
  }
`);
});

test("install.ps1 is ASCII: Windows PowerShell reads other bytes of a file in the system's code page", () => {
  expect(files["install.ps1"]).toMatch(/^[\n -~]*$/);
});

test("install.ps1 is one block, so that a part of it is no script", () => {
  const lines = files["install.ps1"]!.trimEnd().split("\n");
  const code = lines.filter((line) => !line.startsWith("#"));
  expect([code[0], code.at(-1)]).toEqual(["& {", "}"]);
  for (const line of code.slice(1, -1)) expect(line).toMatch(/^($| {2})/);
});

test("dynip.json has what Scoop's schema asks for", () => {
  const manifest = JSON.parse(files["dynip.json"]!);
  const archive = (target: Target) => ({
    url: `${BASE}/dynip-${target}.zip`,
    hash: sumOf(target),
    extract_dir: `dynip-${target}`,
  });
  expect(manifest).toEqual({
    version: "1.2.3",
    description: expect.stringMatching(/^\S.{10,}$/),
    homepage: "https://github.com/ann/dynip",
    license,
    architecture: { "64bit": archive("windows-x64"), arm64: archive("windows-arm64") },
    bin: "dynip.exe",
  });
});

test("dynip.rb has the archives of macOS and of Linux with glibc", () => {
  const formula = files["dynip.rb"]!;
  const found = [...formula.matchAll(/^ {6}url "(.*)"\n {6}sha256 "(.*)"$/gm)];
  const expected = ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64"] as const;
  expect(found.map(([, url, sum]) => [url, sum])).toEqual(
    expected.map((target) => [`${BASE}/dynip-${target}.tar.gz`, sumOf(target)]),
  );
  expect(/^ {2}desc "(.*)"$/m.exec(formula)![1]!.length).toBeLessThan(80);
  const opened = formula.match(/^ *(class|def|.* do)\b/gm)!.length;
  expect(formula.match(/^ *end$/gm)).toHaveLength(opened);
});

const RUBY = Bun.which("ruby");
test.skipIf(!RUBY)("ruby reads dynip.rb (skipped without Ruby)", async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file("dynip.rb"), files["dynip.rb"]!);
  expect(await runProcess([RUBY!, "-c", folder.file("dynip.rb")])).toEqual({
    exitCode: 0,
    stdout: "Syntax OK\n",
    stderr: "",
  });
});
