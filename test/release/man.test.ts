/** The manual page has all of `--help` and of the configuration's keys, and mandoc accepts it. */
import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { defaultText, manualPage } from "../../.github/release/man.ts";
import { dynip } from "../../src/commands/root.ts";
import { COMMON_ARGS, describe, resolve, subcommandsOf } from "../../src/commands/definition.ts";
import { type Key, SECTIONS, TOP_LEVEL } from "../../src/config/keys.ts";
import { EXIT, EXIT_MEANINGS, type ExitName } from "../../src/system/errors.ts";
import { runProcess } from "../processes.ts";
import { temporaryFolder } from "../temporary.ts";

const SRC = join(import.meta.dir, "..", "..", "src");
const page = await manualPage(Date.UTC(2026, 10, 22, 17, 20, 34) / 1000);
const subcommands = Object.values(await subcommandsOf(dynip));
const commands = await Promise.all(
  subcommands.map(async (load) => describe((await resolve(load))!)),
);

/** The page with its text on one line, so that wrapped sentences can be found. */
const flat = page.replaceAll("\n", " ");

test("the page depends on nothing but the date", async () => {
  expect(page).toStartWith(".Dd November 22, 2026\n.Dt DYNIP 1\n");
  expect(await manualPage(Date.UTC(2026, 10, 22) / 1000)).toBe(page);
  expect(await manualPage(0)).toBe(page.replace("November 22, 2026", "January 1, 1970"));
});

test("every command has a section with the description of every option", () => {
  const sections = commands.map(({ name, description, args }) => ({
    from: `.Ss dynip ${name} ${description}.`,
    args,
  }));
  for (const { from, args } of [...sections, { from: ".Ss Every command", args: COMMON_ARGS }]) {
    expect(flat).toContain(from);
    const section = flat.slice(flat.indexOf(from)).split(/ \.S[hs] /)[0]!;
    for (const [name, { type, description }] of Object.entries(args)) {
      expect(section).toContain(type === "positional" ? `Ar ${name.toUpperCase()}` : `-${name}`);
      if (name !== "config") expect(section).toContain(description!);
    }
  }
});

test("every exit code is there with its meaning", () => {
  for (const name of Object.keys(EXIT) as ExitName[]) {
    expect(flat).toContain(`.It ${EXIT[name]} ${EXIT_MEANINGS[name]}.`);
  }
});

test("every key of the configuration is there with its comment and its default", () => {
  const configuration = flat.split(" .Sh ").find((part) => part.startsWith("CONFIGURATION"))!;
  const [top, ...sections] = configuration.split(/ \.Ss \[/);
  expect(sections.map((text) => text.split("]")[0]!)).toEqual(Object.keys(SECTIONS));
  for (const [keys, text] of [
    [TOP_LEVEL, top!] as const,
    ...Object.values(SECTIONS).map((keys, index) => [keys, sections[index]!] as const),
  ]) {
    const items = text.split(" .It Ic ").slice(1);
    expect(items).toHaveLength(Object.keys(keys).length);
    for (const [index, [name, key]] of Object.entries<Key<unknown>>(keys).entries()) {
      expect(items[index]!.split(" ")[0]).toEndWith(
        key.default instanceof Map ? `.${name}]` : name,
      );
      expect(items[index]).toContain(key.comment.replaceAll("\\", "\\e"));
      expect(items[index]).toContain(`Default: ${defaultText(key)}.`);
    }
  }
});

test("the page has every environment variable of the source, and no other", async () => {
  const named = new Set(page.match(/\bDYNIP_[A-Z_]+/g));
  for (const file of new Bun.Glob("**/*.ts").scanSync(SRC)) {
    const text = await readFile(join(SRC, file), "utf8");
    for (const name of text.match(/\bDYNIP_[A-Z_]*[A-Z]\b/g) ?? []) expect(named).toContain(name);
  }
  expect([...named].sort()).toEqual([
    "DYNIP_ADDRESS",
    "DYNIP_CONFIG",
    "DYNIP_EVENT",
    "DYNIP_FAMILY",
    "DYNIP_HOW",
    "DYNIP_KEY",
    "DYNIP_KEY_FILE",
    "DYNIP_MESSAGE",
    "DYNIP_NAME",
    "DYNIP_NAMES",
    "DYNIP_PREVIOUS",
    "DYNIP_SECRET",
    "DYNIP_SECRET_FILE",
    "DYNIP_TIME",
  ]);
});

test("the page has Linux's paths on every system", () => {
  expect(page).toContain("/etc/dynip/dynip.toml");
  expect(page).not.toContain("ProgramData");
});

const MANDOC = Bun.which("mandoc");

test.skipIf(!MANDOC)("mandoc finds no fault with the page (skipped without mandoc)", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("dynip.1");
  await Bun.write(path, page);
  expect(await runProcess([MANDOC!, "-Tlint", path])).toEqual({
    exitCode: 0,
    stdout: "",
    stderr: "",
  });
});
