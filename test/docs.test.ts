/** The documents say what the program does: README.md, CHANGELOG.md and those in .github/. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

import type { ArgDef } from "citty";

import packageJson from "../package.json";
import {
  COMMON_ARGS,
  describe as described,
  resolve,
  subcommandsOf,
} from "../src/commands/definition.ts";
import { dynip } from "../src/commands/root.ts";
import { type Key, SECTIONS, TOP_LEVEL } from "../src/config/keys.ts";
import { SCHEDULERS } from "../src/schedule/index.ts";
import { EXIT, EXIT_MEANINGS, type ExitName } from "../src/system/errors.ts";

const ROOT = join(import.meta.dir, "..");
const PATHS = [
  "README.md",
  "CHANGELOG.md",
  ...[...new Bun.Glob("*.md").scanSync({ cwd: join(ROOT, ".github"), dot: true })].map(
    (name) => `.github/${name}`,
  ),
].sort();
const documents = await Promise.all(
  PATHS.map(async (path) => ({ path, text: await Bun.file(join(ROOT, path)).text() })),
);
const readme = textOf("README.md");
const sources = await sourceText("src/**/*.ts");

/** The names of the options of each subcommand, those of every command included. */
const options = new Map<string, ReadonlySet<string>>();
for (const load of Object.values(await subcommandsOf(dynip))) {
  const { name, args } = await described((await resolve(load)) ?? {});
  const named = Object.entries<ArgDef>({ ...args, ...COMMON_ARGS });
  options.set(
    name,
    new Set(named.flatMap(([option, { type }]) => (type === "positional" ? [] : option))),
  );
}
const isOption = (option: string) => [...options.values()].some((names) => names.has(option));

/** In code: a command line of dynip, its subcommand and the words behind that. */
const COMMAND_LINES = /(?<=^|\$ |sudo |\$\(|&& |"\\)dynip(?:\.exe"?)? +([a-z]+)\b([^\n|;&)#]*)/gm;

function textOf(path: string): string {
  return documents.find((document) => document.path === path)!.text;
}

async function sourceText(pattern: string): Promise<string> {
  const files = [...new Bun.Glob(pattern).scanSync({ cwd: ROOT })];
  return (await Promise.all(files.map((file) => Bun.file(join(ROOT, file)).text()))).join("\n");
}

/** The text under a heading of the README, up to the next one. */
function section(heading: string): string {
  const [, text] = readme.split(`\n## ${heading}\n`);
  return text!.split("\n## ")[0]!;
}

/** The blocks of code of a document, and its code spans. */
function codeOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```.*\n([^]*?)^```/gm)].map(([, code]) => code!);
  return [...blocks, ...spansOf(text)];
}

function spansOf(text: string): string[] {
  return [...withoutBlocks(text).matchAll(/`([^`]+)`/g)].map(([, code]) =>
    code!.replace(/\s+/g, " "),
  );
}

function withoutBlocks(text: string): string {
  return text.replace(/^```[^]*?^```/gm, "");
}

describe("the README", () => {
  test("has no line over 120 characters", () => {
    expect(readme.split("\n").filter((line) => [...line].length > 120)).toEqual([]);
  });

  test("has 1,500 to 2,400 words", () => {
    const words = readme.split(/\s+/).length;
    expect(words).toBeGreaterThanOrEqual(1500);
    expect(words).toBeLessThanOrEqual(2400);
  });

  test("lists every exit code with its meaning", () => {
    const listed = section("Exit codes")
      .split("\n")
      .filter((line) => line.startsWith("- "));
    const names = Object.keys(EXIT) as ExitName[];
    expect(listed).toEqual(names.map((name) => `- ${EXIT[name]}: ${EXIT_MEANINGS[name]}`));
  });

  test("lists every key, in its section, with its default", () => {
    const [top, ...sections] = section("Configuration").split(/^`\[(?=\w+\]`$)/m);
    const texts = new Map(sections.map((text) => [text.split("]")[0]!, text]));
    expect([...texts.keys()]).toEqual(Object.keys(SECTIONS));
    for (const [name, keys] of Object.entries({ "": TOP_LEVEL, ...SECTIONS })) {
      const listed = (name === "" ? top! : texts.get(name)!).matchAll(
        /^- `(\w+)`(?: \((.*?)\))?:/gm,
      );
      const found = [...listed].map(([, key, value]) => [key!, value]);
      const expected = Object.entries<Key<unknown>>(keys).map(([key, row]) => [key, shown(row)]);
      const wanted = name === "" ? expected.map(([key]) => [key!, undefined]) : expected;
      expect(found.sort()).toEqual(wanted.sort());
    }
  });

  test("lists every kind that --print has", () => {
    for (const { kind } of SCHEDULERS) expect(section("Services")).toContain(`\`${kind}\``);
  });

  test("names files that a release of this version has", () => {
    const { version } = packageJson;
    const base = "https://github.com/OWNER/NAME/releases/latest/download";
    expect(section("Install")).toContain(`${base}/install.sh`);
    expect(section("Install")).toContain(`${base}/install.ps1`);
    expect(readme.match(/dynip_\S+\.deb/g)).toEqual([`dynip_${version}_amd64.deb`]);
  });

  test("quotes, in italics, messages that there are", () => {
    const quoted = [...section("Troubleshooting").matchAll(/(?<!\w)_([^_]+)_(?!\w)/g)];
    expect(quoted.length).toBeGreaterThan(4);
    // What the program fills in is in capitals, or a number.
    const parts = quoted.flatMap(([, message]) =>
      message!.replace(/\s+/g, " ").split(/[A-Z]{4,}|\d+/),
    );
    expect(parts.filter((part) => !sources.includes(part.trim()))).toEqual([]);
  });

  test("gives the two commands, with the Bun that the project is pinned to", async () => {
    const { devDependencies, scripts } = packageJson;
    for (const command of ["demo", "check"] as const) {
      expect(readme).toContain(`npx -y bun@${devDependencies.bun} run ${command}`);
      expect(scripts[command]).toContain("bun install --frozen-lockfile");
    }
    const run = await Bun.file(join(ROOT, ".ci", "run")).text();
    expect(run).toContain(`npx -y bun@${devDependencies.bun} run check`);
  });

  /** A default as the README writes it: TOML as code, or words. */
  function shown({ default: value, absent = "none" }: Key<unknown>): string {
    const isValue = value !== undefined && typeof value !== "object";
    return isValue ? `\`${JSON.stringify(value)}\`` : absent;
  }
});

describe.each(documents)("$path", ({ path, text }) => {
  test("names subcommands and options that there are", () => {
    const unknown: string[] = [];
    for (const code of codeOf(text)) {
      if (code.startsWith("--"))
        unknown.push(...optionsIn(code).filter((option) => !isOption(option)));
      for (const [line, command, words] of code.matchAll(COMMAND_LINES)) {
        const known = options.get(command!);
        if (!known || optionsIn(words!).some((option) => !known.has(option))) unknown.push(line);
      }
    }
    expect(unknown).toEqual([]);
  });

  test("names scripts of package.json", () => {
    const named = [...text.matchAll(/\bbun run ([a-z][a-z:0-9]*)/g)].map(([, script]) => script!);
    const scripts = Object.keys(packageJson.scripts);
    expect(named.filter((script) => !scripts.includes(script))).toEqual([]);
    if (path === ".github/CONTRIBUTING.md") {
      expect(scripts.filter((script) => !named.includes(script))).toEqual([]);
    }
  });

  test("names exit codes that there are", () => {
    const named = [...text.matchAll(/\bexit codes? (\d+)/gi)].map(([, code]) => Number(code));
    const codes: readonly number[] = Object.values(EXIT);
    expect(named.filter((code) => !codes.includes(code))).toEqual([]);
  });

  test("names environment variables that there are", async () => {
    const known = sources + (await sourceText("test/**/*.ts"));
    const named = [...text.matchAll(/\bDYNIP_[A-Z_]*[A-Z]\b/g)].map(([name]) => name);
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  test("has relative links, and paths, that lead somewhere", () => {
    const links = [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)].map(
      ([, target]) => target!,
    );
    const dead = links.filter((link) => !/^https?:/.test(link) && !leads(path, link));
    expect(dead).toEqual([]);
    const named = spansOf(text).filter((code) => /^(?:src|test|\.github)\/[\w./-]+$/.test(code));
    expect(named.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});

test("the changelog's first version is the program's", () => {
  expect(/^## (\S+)/m.exec(textOf("CHANGELOG.md"))?.[1]).toBe(packageJson.version);
});

/** The long options in a command line. */
function optionsIn(words: string): string[] {
  return [...words.matchAll(/(?<=^|[\s(])--([a-z][a-z-]*)/g)].map(([, option]) => option!);
}

/**
 * Whether a relative link of a document leads to a file, and to a heading of it if it names one. On
 * GitHub a document is at OWNER/NAME/blob/BRANCH/PATH, so that two more steps up lead to the repository's
 * own pages.
 */
function leads(from: string, link: string): boolean {
  const [target, anchor] = link.split("#") as [string, string?];
  const page = `${"../".repeat(from.split("/").length + 1)}releases`;
  if (target === page) return true;
  const path = target === "" ? from : join(dirname(from), target);
  if (!existsSync(join(ROOT, path))) return false;
  return anchor === undefined || anchorsOf(textOf(path)).includes(anchor);
}

/** The anchors that GitHub gives to the headings of a document. */
function anchorsOf(text: string): string[] {
  return [...withoutBlocks(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
