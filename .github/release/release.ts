/** Makes the files of a release from the executables. */
import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

import type { Entry } from "./archive.ts";
import { billOfMaterials, thirdPartyLicences } from "./bom.ts";
import { manualPage } from "./man.ts";
import type { Source } from "./source.ts";
import { tar } from "./tar.ts";
import { executableName, type Target } from "./targets.ts";
import { zip } from "./zip.ts";

const ROOT = join(import.meta.dir, "..", "..");

/** Removes the files of an earlier build from the output folder. Keeps `.gitignore`. */
export async function empty(folder: string): Promise<void> {
  const files = await readdir(folder);
  await Promise.all(
    files
      .filter((file) => file !== ".gitignore")
      .map((file) => rm(join(folder, file), { recursive: true })),
  );
}

/**
 * Adds to a folder with executables the archive of each, the manual page, the bill of materials, and
 * the SHA-256 sums of all files in the format of `sha256sum -c`.
 * @param progress called with the name of each archive after it is written
 */
export async function pack(
  folder: string,
  targets: readonly Target[],
  source: Source,
  progress: (file: string) => Promise<void>,
): Promise<void> {
  const page = await manualPage(source.time);
  await writeFile(join(folder, "dynip.1"), page);
  await writeFile(join(folder, "dynip.cdx.json"), await billOfMaterials(source));
  const beside: Omit<Entry, "isExecutable">[] = [
    { name: "LICENSE", bytes: await readFile(join(ROOT, "LICENSE")) },
    { name: "README.md", bytes: await readFile(join(ROOT, "README.md")) },
    { name: "THIRD-PARTY-LICENSES", bytes: new TextEncoder().encode(await thirdPartyLicences()) },
    { name: "dynip.1", bytes: new TextEncoder().encode(page) },
  ];
  const queue = [...targets];
  const worker = async (): Promise<void> => {
    for (let target = queue.shift(); target; target = queue.shift()) {
      const file = executableName(`dynip-${target}`, target);
      const executable = {
        name: executableName("dynip", target),
        bytes: await readFile(join(folder, file)),
        isExecutable: true,
      };
      const entries = [executable, ...beside.map((entry) => ({ ...entry, isExecutable: false }))];
      await progress(await writeArchive(folder, target, entries, source.time));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  await writeFile(join(folder, "SHA256SUMS"), await sums(folder));
}

async function writeArchive(
  folder: string,
  target: Target,
  files: readonly Entry[],
  time: number,
): Promise<string> {
  const name = `dynip-${target}`;
  const entries = files.map((entry) => ({ ...entry, name: `${name}/${entry.name}` }));
  const isWindows = target.startsWith("windows-");
  const archive = `${name}${isWindows ? ".zip" : ".tar.gz"}`;
  const bytes = isWindows ? await zip(entries, time) : await gzipped(tar(entries, time));
  await writeFile(join(folder, archive), bytes);
  return archive;
}

async function gzipped(bytes: Uint8Array): Promise<Uint8Array> {
  const archive = await promisify(gzip)(bytes); // has no time and no name
  archive[GZIP_SYSTEM] = 255; // "unknown", so that the archive is the same from every system
  return archive;
}

const GZIP_SYSTEM = 9; // RFC 1952

async function sums(folder: string): Promise<string> {
  const files = (await readdir(folder)).filter((file) => file !== ".gitignore").sort();
  const lines: string[] = [];
  for (const file of files) {
    const hash = createHash("sha256").update(await readFile(join(folder, file)));
    lines.push(`${hash.digest("hex")}  ${file}\n`);
  }
  return lines.join("");
}
