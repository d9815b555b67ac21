/** Makes the files of a release from the executables. */
import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

import { version } from "../../package.json";
import type { Entry } from "./archive.ts";
import { billOfMaterials, thirdPartyLicences } from "./bom.ts";
import { canPackage, debianPackage, packageName } from "./deb.ts";
import { type Archive, gitHubPage, gitHubRelease, installers } from "./installers.ts";
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

/** How a release is made. */
export interface Packing {
  targets: readonly Target[];
  source: Source;
  /** `OWNER/NAME` on GitHub, where it will be published; undefined: without the files that name it. */
  repository: string | undefined;
  /** Called with the name of each archive and package of a target after it is written. */
  progress: (file: string, target: Target) => Promise<void>;
}

/**
 * Adds to a folder with executables the archive of each, the Debian packages where `dpkg-deb` is, the
 * manual page, the bill of materials, the files that install the release if its repository is known,
 * and the SHA-256 sums of all files in the format of `sha256sum -c`.
 */
export async function pack(folder: string, packing: Packing): Promise<void> {
  const { targets, source, repository } = packing;
  const page = await manualPage(source.time);
  await writeFile(join(folder, "dynip.1"), page);
  await writeFile(join(folder, "dynip.cdx.json"), await billOfMaterials(source));
  const texts = {
    LICENSE: await readFile(join(ROOT, "LICENSE"), "utf8"),
    "README.md": await readFile(join(ROOT, "README.md"), "utf8"),
    "THIRD-PARTY-LICENSES": await thirdPartyLicences(),
    "dynip.1": page,
  };
  const archives: Archive[] = [];
  const queue = [...targets];
  const worker = async (): Promise<void> => {
    for (let target = queue.shift(); target; target = queue.shift()) {
      const archive = await writeArchive(folder, target, texts, source.time);
      archives.push(archive);
      await packing.progress(archive.file, target);
      if (packageName(target) === undefined || !canPackage()) continue;
      const debian = await debianPackage(folder, target, {
        executable: join(folder, executableName(`dynip-${target}`, target)),
        page,
        licences: [texts.LICENSE, texts["THIRD-PARTY-LICENSES"]],
        time: source.time,
        homepage: repository && gitHubPage(repository),
      });
      await packing.progress(debian, target);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  if (repository !== undefined) {
    const files = await installers(gitHubRelease(repository, version, archives));
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  }
  await writeFile(join(folder, "SHA256SUMS"), await sums(folder));
}

async function writeArchive(
  folder: string,
  target: Target,
  texts: Readonly<Record<string, string>>,
  time: number,
): Promise<Archive> {
  const name = `dynip-${target}`;
  const executable = {
    name: `${name}/${executableName("dynip", target)}`,
    bytes: await readFile(join(folder, executableName(name, target))),
    isExecutable: true,
  };
  const beside = Object.entries(texts).map(([file, text]) => ({
    name: `${name}/${file}`,
    bytes: new TextEncoder().encode(text),
    isExecutable: false,
  }));
  const entries: Entry[] = [executable, ...beside];
  const isWindows = target.startsWith("windows-");
  const file = `${name}${isWindows ? ".zip" : ".tar.gz"}`;
  const bytes = isWindows ? await zip(entries, time) : await gzipped(tar(entries, time));
  await writeFile(join(folder, file), bytes);
  return { target, file, sum: sumOf(bytes), space: bytes.length + executable.bytes.length };
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
    lines.push(`${sumOf(await readFile(join(folder, file)))}  ${file}\n`);
  }
  return lines.join("");
}

function sumOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
