/** README.md and CHANGELOG.md say what the program does. */
import { expect, test } from "bun:test";
import { join } from "node:path";

import { version } from "../package.json";
import { DEFAULTS } from "../src/config/config.ts";
import { EXIT, EXIT_MEANINGS, type ExitName } from "../src/system/errors.ts";

const ROOT = join(import.meta.dir, "..");
const readme = await Bun.file(join(ROOT, "README.md")).text();
const changelog = await Bun.file(join(ROOT, "CHANGELOG.md")).text();

/** The cells of the README's table rows, trimmed. */
const rows = readme
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test("the README lists every exit code with its meaning", () => {
  for (const name of Object.keys(EXIT) as ExitName[]) {
    expect(rows).toContainEqual([String(EXIT[name]), EXIT_MEANINGS[name]]);
  }
});

test("the README lists every key with its default", () => {
  for (const section of [DEFAULTS.server, DEFAULTS.client]) {
    for (const [key, value] of Object.entries(section)) {
      const defaults = rows.filter(([cell]) => cell === `\`${key}\``).map(([, cell]) => cell);
      expect(defaults.length).toBeGreaterThan(0);
      const hasDefault = value !== undefined && typeof value !== "object";
      if (hasDefault) expect(defaults).toContain(`\`${JSON.stringify(value)}\``);
    }
  }
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
