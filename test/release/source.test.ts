/** A build says which commit it is of, and does not say so of what is no commit. */
import { afterEach, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";

import { buildName, sourceOf } from "../../.github/release/source.ts";
import { temporaryFolder } from "../temporary.ts";
import { commitAll, repository, TIME } from "./repository.ts";

const EARLIEST = 315_532_800; // 1980, a zip archive's first year
const given = process.env["SOURCE_DATE_EPOCH"];
delete process.env["SOURCE_DATE_EPOCH"];
afterEach(() => {
  if (given === undefined) delete process.env["SOURCE_DATE_EPOCH"];
  else process.env["SOURCE_DATE_EPOCH"] = given;
});

test("a clean tree is its commit, at the commit's time", async () => {
  await using folder = await repository({ "a.txt": "a" });
  const { commit, time } = await sourceOf(folder.path);
  expect(commit).toBe((await folder.git("rev-parse", "HEAD")).slice(0, 7));
  expect(time).toBe(TIME);
  expect(buildName({ commit, time }, "linux-x64")).toBe(`${commit}, linux-x64`);
});

test("a file that differs makes it dirty, a file of no commit does not", async () => {
  await using folder = await repository({ "a.txt": "a" });
  await writeFile(folder.file("b.txt"), "b");
  expect((await sourceOf(folder.path)).commit).toMatch(/^[0-9a-f]{7}$/);
  await writeFile(folder.file("a.txt"), "changed");
  expect((await sourceOf(folder.path)).commit).toMatch(/^[0-9a-f]{7}-dirty$/);
  await commitAll(folder.path);
  expect((await sourceOf(folder.path)).commit).toMatch(/^[0-9a-f]{7}$/);
});

test("outside git the commit is unknown", async () => {
  await using folder = await temporaryFolder();
  const source = await sourceOf(folder.path);
  expect(source).toEqual({ commit: undefined, time: EARLIEST });
  expect(buildName(source, "linux-x64")).toBe("unknown commit, linux-x64");
});

test("a copy inside some other repository is no commit of it", async () => {
  await using folder = await repository({ "a.txt": "a" });
  await mkdir(folder.file("copy"));
  expect(await sourceOf(folder.file("copy"))).toEqual({ commit: undefined, time: EARLIEST });
});

test("SOURCE_DATE_EPOCH overrules the commit's time, and must be a time", async () => {
  await using folder = await repository({ "a.txt": "a" });
  process.env["SOURCE_DATE_EPOCH"] = "1000000000";
  expect((await sourceOf(folder.path)).time).toBe(1_000_000_000);
  process.env["SOURCE_DATE_EPOCH"] = "0";
  expect((await sourceOf(folder.path)).time).toBe(EARLIEST);
  process.env["SOURCE_DATE_EPOCH"] = "today";
  expect(sourceOf(folder.path)).rejects.toThrow('SOURCE_DATE_EPOCH is "today"');
});
