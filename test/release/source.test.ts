/** A build names the commit that it was made from, and only when it was made from one. */
import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";

import { buildName, sourceOf } from "../../.github/release/source.ts";
import { version } from "../../package.json";
import { temporaryFolder } from "../temporary.ts";
import { commitAll, repository, TIME } from "./repository.ts";

const EARLIEST = 315_532_800; // 1980-01-01, the earliest time in a zip archive

test("the source of a clean tree is its commit, with the commit's time", async () => {
  await using folder = await repository({ "a.txt": "a" });
  const { commit, time } = await sourceOf(folder.path, {});
  expect(commit).toBe((await folder.git("rev-parse", "HEAD")).slice(0, 7));
  expect(time).toBe(TIME);
  expect(buildName({ commit, time }, "linux-x64")).toBe(`${commit}, linux-x64`);
});

test("a changed file makes the source dirty, an untracked file does not", async () => {
  await using folder = await repository({ "a.txt": "a" });
  await writeFile(folder.file("b.txt"), "b");
  expect((await sourceOf(folder.path, {})).commit).toMatch(/^[0-9a-f]{7}$/);
  await writeFile(folder.file("a.txt"), "changed");
  expect((await sourceOf(folder.path, {})).commit).toMatch(/^[0-9a-f]{7}-dirty$/);
  await commitAll(folder.path);
  expect((await sourceOf(folder.path, {})).commit).toMatch(/^[0-9a-f]{7}$/);
});

test("outside git the commit is unknown, and the time is that of the release", async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file("CHANGELOG.md"), `## ${version} (not yet released)\n`);
  const source = await sourceOf(folder.path, {});
  expect(source).toEqual({ commit: undefined, time: EARLIEST });
  expect(buildName(source, "linux-x64")).toBe("unknown commit, linux-x64");
  await writeFile(folder.file("CHANGELOG.md"), `## ${version} (2026-11-22)\n`);
  expect(await sourceOf(folder.path, {})).toEqual({
    commit: undefined,
    time: Date.UTC(2026, 10, 22) / 1000,
  });
});

test("a copy inside another repository does not have that repository's commit", async () => {
  await using folder = await repository({ "copy/CHANGELOG.md": "" });
  expect(await sourceOf(folder.file("copy"), {})).toEqual({ commit: undefined, time: EARLIEST });
});

test("SOURCE_DATE_EPOCH replaces the commit's time, and must be a time", async () => {
  await using folder = await repository({ "a.txt": "a" });
  const timeWith = async (SOURCE_DATE_EPOCH: string): Promise<number> =>
    (await sourceOf(folder.path, { SOURCE_DATE_EPOCH })).time;
  expect(await timeWith("1000000000")).toBe(1_000_000_000);
  expect(await timeWith("0")).toBe(EARLIEST);
  for (const wrong of ["today", "-1", "1.5", ""]) {
    expect(timeWith(wrong)).rejects.toThrow(`SOURCE_DATE_EPOCH is "${wrong}"`);
  }
});
