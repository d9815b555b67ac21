/**
 * `bun run release:check` passes what is ready, and says what is wrong with what is not; and the notes
 * of a release are what the changelog has of it.
 */
import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { changelogEntry } from "../../.github/release/changelog.ts";
import { dependencies } from "../../package.json";
import { commitAll, repository } from "./repository.ts";

const ROOT = join(import.meta.dir, "..", "..");
const SCRIPTS = join(ROOT, ".github", "release");
const DEADLINE_MS = 30_000;

const LOCK = await Bun.file(join(ROOT, "bun.lock")).text();

/** A project that is ready to be released, with one of our packages. */
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

async function run(path: string, script: string, ...args: string[]) {
  const child = Bun.spawn([process.execPath, join(SCRIPTS, script), ...args], {
    cwd: path,
    stderr: "pipe",
    timeout: DEADLINE_MS,
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  return { stdout, stderr, exitCode };
}

test(
  "a repository that is ready passes, and is told how to tag",
  async () => {
    await using folder = await repository(READY);
    const { stdout, stderr, exitCode } = await check(folder.path);
    expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
    expect(stdout).toEndWith(
      'Ready: git tag -a v1.2.3 -m "dynip 1.2.3" && git push origin v1.2.3\n',
    );
    expect(await folder.git("status", "--porcelain")).toBe(""); // it has changed nothing
    expect(await folder.git("tag")).toBe("");
  },
  DEADLINE_MS,
);

describe("what is not ready is named, with what to do, and the exit code is 1", () => {
  const cases: [what: string, files: Record<string, string>, problem: string, hint: string][] = [
    [
      "a version that is not in the changelog",
      { "CHANGELOG.md": "# Changelog\n\n## 1.2.2 (2026-11-22)\n\n- Some of it.\n" },
      "CHANGELOG.md has no entry for 1.2.3",
      'begin what is new with the line "## 1.2.3 (YYYY-MM-DD)", today\'s date',
    ],
    [
      "a version that is not yet released",
      { "CHANGELOG.md": "# Changelog\n\n## 1.2.3 (not yet released)\n\n- All of it.\n" },
      "CHANGELOG.md has no date for 1.2.3",
      'begin what is new with the line "## 1.2.3 (YYYY-MM-DD)", today\'s date',
    ],
    [
      "a version with nothing new",
      { "CHANGELOG.md": "# Changelog\n\n## 1.2.3 (2026-11-22)\n\n## 1.2.2 (2026-11-21)\n\nx\n" },
      "CHANGELOG.md says nothing of 1.2.3",
      "write what is new",
    ],
    [
      "a lock file of other packages",
      { "package.json": manifest(dependencies) },
      '"bun install --frozen-lockfile" fails:',
      "bun install, and commit bun.lock",
    ],
    [
      "a file that is not formatted",
      { "src/x.ts": "export   const x = 1;\n" },
      '"bun fmt --check" fails:',
      "bun fmt, and commit what it changed",
    ],
    [
      "a type that is wrong",
      { "src/x.ts": 'export const x: number = "1";\n' },
      '"bun check --no-script" fails:',
      "bun check --no-script shows them all",
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
    "a tree that is not its commit, and a tag that is there, both at once",
    async () => {
      await using folder = await repository(READY);
      await folder.git("tag", "v1.2.3");
      await writeFile(folder.file("src/new.ts"), "export const y = 1;\n");
      const { stderr, exitCode } = await check(folder.path);
      expect(exitCode).toBe(1);
      expect(stderr).toContain("error: The working tree differs from its commit:\n?? src/new.ts\n");
      expect(stderr).toContain("error: The tag v1.2.3 is there already\nhint: raise version in");
      await commitAll(folder.path);
      expect((await check(folder.path)).stderr).not.toContain("working tree");
    },
    DEADLINE_MS,
  );
});

describe("the notes of a release", () => {
  test("are the changelog's entry, for the tag of that version", async () => {
    await using folder = await repository(READY);
    expect(await run(folder.path, "notes.ts", "v1.2.3")).toEqual({
      stdout: "- All of it.\n",
      stderr: "",
      exitCode: 0,
    });
  });

  const undated = "## 1.2.3 (not yet released)\n\n- All of it.\n";
  test.each([
    [["v1.2.4"], {}, 'The tag is "v1.2.4", must be "v1.2.3": the version of package.json'],
    [["1.2.3"], {}, 'The tag is "1.2.3", must be "v1.2.3": the version of package.json'],
    [[], {}, 'The tag is "", must be "v1.2.3": the version of package.json'],
    [["v1.2.3"], { "CHANGELOG.md": undated }, "CHANGELOG.md has no notes under"],
    [["v1.2.3"], { "CHANGELOG.md": "## 1.2.3 (2026-11-22)\n" }, "CHANGELOG.md has no notes under"],
  ])("there are none for %j with %j", async (args, files, problem) => {
    await using folder = await repository({ ...READY, ...files });
    const { stdout, stderr, exitCode } = await run(folder.path, "notes.ts", ...args);
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 1 });
    expect(stderr).toStartWith(`error: ${problem}`);
  });
});

describe("the changelog's entry of a version", () => {
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

  test("is what stands under its heading, up to the next version's", () => {
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

  test.each(["1.2", "1.2.33", "2.0", ""])("%p has none", (version) => {
    expect(changelogEntry(changelog, version)).toBeUndefined();
  });
});
