/**
 * Makes a Debian package with `dpkg-deb`: the program, its manual page, the systemd units, which are not
 * enabled, and a user for the server. The same input makes the same bytes.
 */
import type { Dirent } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  utimes,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";

import { description, license, version } from "../../package.json";
import { systemConfigPath } from "../../src/config/find.ts";
import { packagedUnits } from "../../src/schedule/systemd.ts";
import type { Target } from "./targets.ts";
import { run } from "./try-out.ts";

/** What a package is made of. */
export interface Contents {
  /** The path of the executable. */
  executable: string;
  /** The manual page in mdoc. */
  page: string;
  /** The project's licence, and those of the packages in the executable. */
  licences: readonly string[];
  /** The time of all files, in seconds since 1970. */
  time: number;
  /** The project's page, if it is known. */
  homepage: string | undefined;
}

/** The targets that have a package, with Debian's name for the processor. */
const ARCHITECTURES: Readonly<Partial<Record<Target, string>>> = {
  "linux-x64": "amd64",
  "linux-arm64": "arm64",
};

/** The file name of a target's package; undefined for a target that has none. */
export function packageName(target: Target): string | undefined {
  const architecture = ARCHITECTURES[target];
  return architecture && `dynip_${version}_${architecture}.deb`;
}

/** Whether this machine can make packages. */
export function canPackage(): boolean {
  return Bun.which("dpkg-deb") !== null;
}

/**
 * Writes the package of a target.
 * @param folder where it is written
 * @returns its file name
 * @throws Error when the target has no package, or `dpkg-deb` fails
 */
export async function debianPackage(
  folder: string,
  target: Target,
  contents: Contents,
): Promise<string> {
  const name = packageName(target);
  if (name === undefined) throw new Error(`There is no Debian package for ${target}`);
  const root = await mkdtemp(join(folder, "deb-"));
  try {
    await writeFiles(root, contents);
    const files = await filesIn(root);
    const kibibytes = files.reduce((sum, { size }) => sum + Math.ceil(size / 1024), 0);
    await put(root, "DEBIAN/control", control(target, kibibytes, contents.homepage));
    await put(root, "DEBIAN/md5sums", files.map(({ md5, path }) => `${md5}  ${path}\n`).join(""));
    for (const script of ["postinst", "prerm", "postrm"]) {
      await put(root, `DEBIAN/${script}`, await readFile(debian(script)), 0o755);
    }
    await settle(root, contents.time);
    // Of 112 MB gzip makes 55 MB in 3 seconds, xz 40 MB in 80.
    const options = ["--root-owner-group", "-Zgzip", "-z3", "--build"];
    const env = { ...process.env, SOURCE_DATE_EPOCH: String(contents.time) };
    await run(["dpkg-deb", ...options, root, join(folder, name)], { env });
    return name;
  } finally {
    await rm(root, { recursive: true });
  }
}

/** The user of the server in the package; its group may read the client log. */
const USER = "dynip";

const MAINTAINER = "dynip maintainers <noreply@github.com>";

async function writeFiles(root: string, contents: Contents): Promise<void> {
  const { executable, page, licences, time } = contents;
  await put(root, "usr/bin/dynip", "", 0o755);
  await copyFile(executable, join(root, "usr/bin/dynip"));
  await chmod(join(root, "usr/bin/dynip"), 0o755);
  const start = {
    binary: "/usr/bin/dynip",
    config: systemConfigPath({ env: {}, platform: "linux" }),
  };
  for (const { name, text } of packagedUnits(start, USER)) {
    await put(root, `usr/lib/systemd/system/${name}`, text);
  }
  await mkdir(join(root, dirname(start.config)), { recursive: true });
  await put(root, "usr/share/man/man1/dynip.1.gz", gzipped(page));
  const documents = "usr/share/doc/dynip";
  await put(root, `${documents}/README.Debian`, await readFile(debian("README.Debian")));
  await put(root, `${documents}/changelog.gz`, gzipped(changelog(time)));
  await put(root, `${documents}/copyright`, copyright(licences));
  const overrides = await readFile(debian("lintian-overrides"));
  await put(root, "usr/share/lintian/overrides/dynip", overrides);
}

function control(target: Target, kibibytes: number, homepage: string | undefined): string {
  const fields = [
    ["Package", "dynip"],
    ["Version", version],
    ["Architecture", ARCHITECTURES[target]],
    ["Maintainer", MAINTAINER],
    ["Installed-Size", kibibytes],
    ["Depends", "adduser, libc6 (>= 2.17)"],
    ["Section", "net"],
    ["Priority", "optional"],
    ...(homepage === undefined ? [] : [["Homepage", homepage]]),
    ["Description", SYNOPSIS],
  ];
  return `${fields.map((field) => field.join(": ")).join("\n")}\n${DESCRIPTION}\n`;
}

const SYNOPSIS = "records where your machines are, by signed UDP pings";

const DESCRIPTION = ` ${description}.
 Each machine tells the server its name in a UDP datagram every five minutes.
 The server keeps a JSON file with the name, the address and the times of each.
 Pings are signed and acknowledged.
 .
 The systemd units of the server and of the pings are installed, and not
 enabled: see /usr/share/doc/dynip/README.Debian.`;

/** Debian's changelog. Debian wants one in its own format; CHANGELOG.md is for the users. */
function changelog(time: number): string {
  const date = new Date(time * 1000).toUTCString().replace("GMT", "+0000");
  return `dynip (${version}) unstable; urgency=medium

  * Release ${version}. What is new is in CHANGELOG.md of the source.

 -- ${MAINTAINER}  ${date}
`;
}

function copyright(licences: readonly string[]): string {
  return `dynip is free software under the licence ${license}. The licences of the packages in it follow.
On Debian systems the text of the GNU Lesser General Public License, version 2, is in
/usr/share/common-licenses/LGPL-2.

${licences.map((licence) => licence.trim()).join("\n\n\n")}
`;
}

function debian(file: string): string {
  return join(import.meta.dir, "debian", file);
}

function gzipped(text: string): Uint8Array {
  return gzipSync(text, { level: 9 }); // has no time and no name
}

/** Writes a file of the package, whatever the umask. */
async function put(
  root: string,
  path: string,
  content: string | Uint8Array,
  mode = 0o644,
): Promise<void> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  await chmod(file, mode);
}

/** Gives all folders their mode, and everything one time: dpkg-deb sets later times back, and no others. */
async function settle(root: string, time: number): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory());
  for (const path of [root, ...folders.map(pathOf)]) await chmod(path, 0o755);
  for (const path of [root, ...entries.map(pathOf)]) await utimes(path, time, time);
}

function pathOf(entry: Dirent): string {
  return join(entry.parentPath, entry.name);
}

/** The files of the package, sorted by their paths. */
async function filesIn(root: string): Promise<{ path: string; size: number; md5: string }[]> {
  const files = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = pathOf(entry);
    const bytes = await readFile(file);
    const md5 = new Bun.CryptoHasher("md5").update(bytes).digest("hex");
    files.push({ path: relative(root, file), size: bytes.length, md5 });
  }
  return files.sort((one, other) => (one.path < other.path ? -1 : 1));
}
