/** README.md and CHANGELOG.md say what the program does. */
import { expect, test } from "bun:test";
import { join } from "node:path";

import { version } from "../package.json";
import { type Keys, SECTIONS, TOP_LEVEL } from "../src/config/keys.ts";
import { SCHEDULERS } from "../src/schedule/index.ts";
import { EXIT, EXIT_MEANINGS, type ExitName } from "../src/system/errors.ts";

const ROOT = join(import.meta.dir, "..");
const readme = await Bun.file(join(ROOT, "README.md")).text();
const changelog = await Bun.file(join(ROOT, "CHANGELOG.md")).text();

/** The README's tables: the cells of their rows. The first row is the head. */
const tables = readme
  .split("\n\n")
  .filter((block) => block.startsWith("|"))
  .map((block) => block.trim().split("\n").map(cellsOf));

/** The rows, without the head, of the table whose head begins with this cell. */
function tableUnder(head: string): string[][] {
  return tables.find((rows) => rows[0]![0] === head)?.slice(2) ?? [];
}

function cellsOf(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}

test("the README lists every exit code with its meaning", () => {
  const names = Object.keys(EXIT) as ExitName[];
  expect(tableUnder("Code")).toEqual(names.map((name) => [`${EXIT[name]}`, EXIT_MEANINGS[name]]));
});

test.each([
  ["Key", TOP_LEVEL],
  ...Object.entries(SECTIONS).map(([name, keys]) => [`\`[${name}]\``, keys] as const),
] as [string, Keys][])("the README's table %s has every key with its default", (head, keys) => {
  const expected = Object.entries(keys).map(([name, { default: value, absent = "none" }]) => {
    const isShown = value !== undefined && typeof value !== "object";
    return [`\`${name}\``, isShown ? `\`${JSON.stringify(value)}\`` : absent];
  });
  const found = tableUnder(head).map(([key, value]) => [key!, value!]);
  expect(found.sort()).toEqual(expected.sort());
});

test("the README lists every kind that --print has", () => {
  const kinds = tableUnder("System").map(([, kind]) => kind!);
  expect(kinds.sort()).toEqual(SCHEDULERS.map(({ kind }) => `\`${kind}\``).sort());
});

test("the README gives the two commands, with the Bun that the project is pinned to", async () => {
  const { devDependencies, scripts } = await Bun.file(join(ROOT, "package.json")).json();
  for (const command of ["demo", "check"]) {
    expect(readme).toContain(`npx -y bun@${devDependencies.bun} run ${command}`);
    expect(scripts[command]).toContain("bun install --frozen-lockfile");
  }
  const run = await Bun.file(join(ROOT, ".ci", "run")).text();
  expect(run).toContain(`npx -y bun@${devDependencies.bun} run check`);
});

test("the changelog's first version is the program's", () => {
  expect(/^## (\S+)/m.exec(changelog)?.[1]).toBe(version);
});
