/**
 * `bun run release:check` passes a repository that is ready, and names each problem of one that is not.
 * The notes of a release come from the changelog.
 */
import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { changelogEntry } from "../../.github/release/changelog.ts";
import { dependencies } from "../../package.json";
import { runProcess } from "../processes.ts";
import { commitAll, repository } from "./repository.ts";

const ROOT = join(import.meta.dir, "..", "..");
const SCRIPTS = join(ROOT, ".github", "release");
const DEADLINE_MS = 30_000;

const LOCK = await Bun.file(join(ROOT, "bun.lock")).text();

/** A project that is ready to be released. It has one dependency, which is in our own bun.lock. */
const READY = {
  ".gitignore": "node_modules/\n",
  "package.json": manifest({ citty: dependencies.citty }),
  "bun.lock": `{
  "lockfileVersion": 2,
  "configVersion": 1,
  "workspaces": {
    "": {
      "name": "x",
      "dependencies": {
        "citty": "${dependencies.citty}",
      },
    },
  },
  "packages": {
${/^ {4}"citty": .*$/m.exec(LOCK)![0]}
  }
}
`,
  "tsconfig.json":
    '{ "compilerOptions": { "strict": true, "noEmit": true }, "include": ["src"] }\n',
  "src/x.ts": "export const x = 1;\n",
  "CHANGELOG.md": "# Changelog\n\n## 1.2.3 (2026-11-22)\n\n- All of it.\n",
};

function manifest(packages: Record<string, string>): string {
  const project = { name: "x", version: "1.2.3", private: true, dependencies: packages };
  return `${JSON.stringify(project, null, 2)}\n`;
}

const check = (path: string) => run(path, "check.ts");

const run = (cwd: string, script: string, ...args: string[]) =>
  runProcess([process.execPath, join(SCRIPTS, script), ...args], { cwd, deadline: DEADLINE_MS });

test(
  "a repository that is ready passes, and the command to tag it is printed",
  async () => {
    await using folder = await repository(READY);
    const { stdout, stderr, exitCode } = await check(folder.path);
    expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
    expect(stdout).toEndWith(
      'Ready: git tag -a v1.2.3 -m "dynip 1.2.3" && git push origin v1.2.3\n',
    );
    expect(await folder.git("status", "--porcelain")).toBe(""); // the check changed nothing
    expect(await folder.git("tag")).toBe("");
  },
  DEADLINE_MS,
);

describe("a problem is printed with a hint, and the exit code is 1", () => {
  const cases: [what: string, files: Record<string, string>, problem: string, hint: string][] = [
    [
      "a version that is not in the changelog",
      { "CHANGELOG.md": "# Changelog\n\n## 1.2.2 (2026-11-22)\n\n- Some of it.\n" },
      "CHANGELOG.md has no entry for 1.2.3",
      'write the heading "## 1.2.3 (YYYY-MM-DD)" with the day of the release',
    ],
    [
      "a version without a date",
      { "CHANGELOG.md": "# Changelog\n\n## 1.2.3 (not yet released)\n\n- All of it.\n" },
      "CHANGELOG.md has no date for 1.2.3",
      'write the heading "## 1.2.3 (YYYY-MM-DD)" with the day of the release',
    ],
    [
      "a version without text",
      { "CHANGELOG.md": "# Changelog\n\n## 1.2.3 (2026-11-22)\n\n## 1.2.2 (2026-11-21)\n\nx\n" },
      "CHANGELOG.md has no text for 1.2.3",
      "write what is new in this version",
    ],
    [
      "a lock file with other packages",
      { "package.json": manifest(dependencies) },
      '"bun install --frozen-lockfile" fails:',
      'run "bun install", and commit bun.lock',
    ],
    [
      "a file that is not formatted",
      { "src/x.ts": "export   const x = 1;\n" },
      '"bun fmt --check" fails:',
      'run "bun fmt", and commit the changes',
    ],
    [
      "a wrong type",
      { "src/x.ts": 'export const x: number = "1";\n' },
      '"bun check --no-script" fails:',
      'run "bun check --no-script" to see all errors',
    ],
  ];
  test.each(cases)(
    "%s",
    async (_, files, problem, hint) => {
      await using folder = await repository({ ...READY, ...files });
      const { stdout, stderr, exitCode } = await check(folder.path);
      expect(exitCode).toBe(1);
      expect(stderr).toStartWith(`error: ${problem}`);
      expect(stderr).toEndWith(`hint: ${hint}\n`);
      expect(stderr.match(/^hint:/gm)).toHaveLength(1);
      expect(stdout).not.toContain("Ready");
    },
    DEADLINE_MS,
  );

  test(
    "a working tree that differs from its commit together with a tag that exists",
    async () => {
      await using folder = await repository(READY);
      await folder.git("tag", "v1.2.3");
      await writeFile(folder.file("src/new.ts"), "export const y = 1;\n");
      const { stderr, exitCode } = await check(folder.path);
      expect(exitCode).toBe(1);
      expect(stderr).toContain("error: The working tree differs from its commit:\n?? src/new.ts\n");
      expect(stderr).toContain("error: The tag v1.2.3 already exists\nhint: raise the version in");
      await commitAll(folder.path);
      expect((await check(folder.path)).stderr).not.toContain("working tree");
    },
    DEADLINE_MS,
  );
});

describe("the notes of a release", () => {
  test("are the changelog's entry for the version of the tag, and how to install it", async () => {
    await using folder = await repository(READY);
    const { stdout, stderr, exitCode } = await run(folder.path, "notes.ts", "v1.2.3", "ann/dynip");
    expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
    expect(stdout).toStartWith("- All of it.\n\n## Install\n");
    const base = "https://github.com/ann/dynip/releases/download/v1.2.3";
    expect(stdout).toContain(`\ncurl -fsSL ${base}/install.sh | sh\n`);
    expect(stdout).toContain(`\nirm ${base}/install.ps1 | iex\n`);
    expect(stdout).toContain(`\ncurl -fsSLO ${base}/dynip_1.2.3_amd64.deb\n`);
  });

  const undated = "## 1.2.3 (not yet released)\n\n- All of it.\n";
  test.each([
    [["v1.2.4"], {}, 'The tag is "v1.2.4", must be "v1.2.3", from the version in package.json'],
    [["1.2.3"], {}, 'The tag is "1.2.3", must be "v1.2.3", from the version in package.json'],
    [[], {}, 'The tag is "", must be "v1.2.3", from the version in package.json'],
    [["v1.2.3"], {}, "The repository is missing, must be OWNER/NAME"],
    [["v1.2.3"], { "CHANGELOG.md": undated }, "CHANGELOG.md has no notes under"],
    [["v1.2.3"], { "CHANGELOG.md": "## 1.2.3 (2026-11-22)\n" }, "CHANGELOG.md has no notes under"],
  ])("are refused for the tag %j with the files %j", async (args, files, problem) => {
    await using folder = await repository({ ...READY, ...files });
    const { stdout, stderr, exitCode } = await run(folder.path, "notes.ts", ...args);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toStartWith(`error: ${problem}`);
  });
});

describe("the changelog's entry for a version", () => {
  const changelog = `# Changelog

What is new.

## 2.0.0 (not yet released)

- Later.

## 1.2.3 (2026-11-22)

Notes of 1.2.3.

### A heading of it

- More.

## 1.2.2 (2026-02-30)

- No such day.

## 1.2.1

- No date.
`;

  test("is the text from its heading to that of the next version", () => {
    expect(changelogEntry(changelog, "1.2.3")).toEqual({
      date: "2026-11-22",
      notes: "Notes of 1.2.3.\n\n### A heading of it\n\n- More.",
    });
  });

  test.each([
    ["2.0.0", "- Later."],
    ["1.2.2", "- No such day."],
    ["1.2.1", "- No date."],
  ])("%s has no date", (version, notes) => {
    expect(changelogEntry(changelog, version)).toEqual({ date: undefined, notes });
  });

  test.each(["1.2", "1.2.33", "2.0", ""])("%p has no entry", (version) => {
    expect(changelogEntry(changelog, version)).toBeUndefined();
  });
});
