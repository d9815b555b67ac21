/** The archives of a release are reproducible, and other programs can read them. */
import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";

import { tar } from "../../.github/release/tar.ts";
import { zip } from "../../.github/release/zip.ts";
import { runProcess } from "../processes.ts";
import { temporaryFolder } from "../temporary.ts";

const TIME = Date.UTC(2026, 10, 22, 17, 20, 34) / 1000;
const ENTRIES = [
  { name: "dynip-x/dynip", bytes: Buffer.alloc(70_000, "executable "), isExecutable: true },
  { name: "dynip-x/empty", bytes: Buffer.alloc(0), isExecutable: false },
  {
    name: "dynip-x/README.md",
    bytes: crypto.getRandomValues(Buffer.alloc(512)),
    isExecutable: false,
  },
];
const LISTED = ENTRIES.map(({ name, bytes, isExecutable }) => ({
  name,
  mode: isExecutable ? "755" : "644",
  hash: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"),
}));

const PYTHON = Bun.which("python3") ?? Bun.which("python");
const testWithPython = test.skipIf(!PYTHON);
const UNZIP = Bun.which("unzip");

async function python(script: string, path: string): Promise<unknown> {
  const { stdout, stderr } = await runProcess([PYTHON!, "-c", script, path]);
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

testWithPython("Python reads the tar archive (skipped without Python)", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("x.tar");
  await writeFile(path, tar(ENTRIES, TIME));
  const script = `
import hashlib, json, sys, tarfile
with tarfile.open(sys.argv[1], "r:") as archive:
    print(json.dumps([{"name": m.name, "mode": "%o" % m.mode, "owner": [m.uid, m.gid], "time": m.mtime,
        "hash": hashlib.sha256(archive.extractfile(m).read()).hexdigest()} for m in archive]))`;
  expect(await python(script, path)).toEqual(
    LISTED.map((entry) => ({ ...entry, owner: [0, 0], time: TIME })),
  );
});

testWithPython("Python reads the zip archive (skipped without Python)", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("x.zip");
  await writeFile(path, await zip(ENTRIES, TIME));
  const script = `
import hashlib, json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    print(json.dumps([{"name": i.filename, "mode": "%o" % (i.external_attr >> 16 & 0o777),
        "time": i.date_time, "hash": hashlib.sha256(archive.read(i)).hexdigest()}
        for i in archive.infolist()]))`;
  expect(await python(script, path)).toEqual(
    LISTED.map((entry) => ({ ...entry, time: [2026, 11, 22, 17, 20, 34] })),
  );
});

test.skipIf(!UNZIP)("unzip finds no error in the zip archive (skipped without unzip)", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("x.zip");
  await writeFile(path, await zip(ENTRIES, TIME));
  const { exitCode, stdout } = await runProcess([UNZIP!, "-t", path]);
  expect(stdout).toContain("No errors detected");
  expect(exitCode).toBe(0);
});

test("the same entries make the same archive", async () => {
  expect(tar(ENTRIES, TIME)).toEqual(tar(ENTRIES, TIME));
  expect(await zip(ENTRIES, TIME)).toEqual(await zip(ENTRIES, TIME));
});

test("a name that is too long for tar is an error", () => {
  const entry = { name: "x".repeat(101), bytes: Buffer.alloc(0), isExecutable: false };
  expect(() => tar([entry], TIME)).toThrow("too long a name for tar");
});
