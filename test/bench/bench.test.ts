/** `bun run bench` from its arguments to its report, with `size`, the quickest measure. */
import { expect, test } from "bun:test";
import { join } from "node:path";

import { runProcess } from "../processes.ts";
import { temporaryFolder } from "../temporary.ts";

const BENCH = join(import.meta.dir, "bench.ts");

const bench = (...args: string[]) => runProcess([process.execPath, BENCH, ...args]);

test("one measure: a table on stdout, all samples in the file", async () => {
  await using folder = await temporaryFolder();
  const { exitCode, stdout } = await bench("size", "--json", folder.file("bench.json"));
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^\| size of the executable .*(met|MISSED) +\|$/m);
  const { machine, measures } = await Bun.file(folder.file("bench.json")).json();
  expect(machine.versions.Bun).toBe(Bun.version);
  expect(measures.map(({ measure }: { measure: string }) => measure)).toEqual(["size"]);
  expect(measures[0].rows[0].dynip.samples[0]).toBeGreaterThan(10);
}, 30_000);

test.each([[["sise"]], [["--jsn", "x"]]])(
  "%p is an error that names the measures",
  async (args) => {
    const { exitCode, stdout, stderr } = await bench(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain("the measures are plain, hosts, signed, bind, old, ping, start");
  },
  30_000,
);
