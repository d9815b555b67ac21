/**
 * Makes the files by which a release installs itself: `install.sh`, `install.ps1`, a Homebrew formula and
 * a Scoop manifest. Each has the version, the address of the release and the sums of its archives.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { description, license } from "../../package.json";
import { type Target, TARGETS } from "./targets.ts";

/** A release as it will be published. */
export interface Release {
  version: string;
  /** The URL of the folder with its files, without a slash at its end. */
  base: string;
  /** The project's page. */
  homepage: string;
  archives: readonly Archive[];
}

/** An archive of a release. */
export interface Archive {
  target: Target;
  /** Its file name. */
  file: string;
  /** Its SHA-256 sum in hexadecimal. */
  sum: string;
  /** The bytes of the archive and of the executable in it. */
  space: number;
}

/** The page of a repository on GitHub, by its `OWNER/NAME`. */
export function gitHubPage(repository: string): string {
  return `https://github.com/${repository}`;
}

/** A release on GitHub, where a tag such as v1.2.3 names it. */
export function gitHubRelease(
  repository: string,
  version: string,
  archives: readonly Archive[],
): Release {
  const homepage = gitHubPage(repository);
  return {
    version,
    base: `${homepage}/releases/download/v${version}`,
    homepage,
    archives: TARGETS.flatMap((target) => archives.filter((archive) => archive.target === target)),
  };
}

/** The texts of all files, by their names. The archives may be of some targets alone. */
export async function installers(release: Release): Promise<Record<string, string>> {
  return {
    "dynip.json": scoopManifest(release),
    "dynip.rb": homebrewFormula(release),
    "install.ps1": await filled("install.ps1", release, powerShellTable(release)),
    "install.sh": await filled("install.sh", release, shellTable(release)),
  };
}

/** A script with the release's values in place of `@VERSION@`, `@BASE@` and `@ARCHIVES@`. */
async function filled(
  script: string,
  { version, base }: Release,
  archives: string,
): Promise<string> {
  const text = await readFile(join(import.meta.dir, script), "utf8");
  return text
    .replaceAll("@VERSION@", version)
    .replaceAll("@BASE@", base)
    .replace("@ARCHIVES@", archives);
}

function shellTable({ archives }: Release): string {
  return archives
    .filter(({ target }) => !target.startsWith("windows-"))
    .map(({ target, sum, space }) => `${target} ${sum} ${Math.ceil(space / 1024)}`)
    .join("\n");
}

/** The processors as Windows names them in `PROCESSOR_ARCHITECTURE`. */
const WINDOWS = [
  ["AMD64", "windows-x64"],
  ["ARM64", "windows-arm64"],
] as const;

function powerShellTable({ archives }: Release): string {
  return WINDOWS.flatMap(([processor, target]) =>
    archives
      .filter((archive) => archive.target === target)
      .map(
        ({ sum, space }) =>
          `    ${processor} = @{ Target = '${target}'; Space = ${space}; Sum = '${sum}' }`,
      ),
  ).join("\n");
}

/** A manifest for Scoop on Windows (github.com/ScoopInstaller/Scoop, schema.json). */
function scoopManifest({ version, base, homepage, archives }: Release): string {
  const of = (target: Target) =>
    archives
      .filter((archive) => archive.target === target)
      .map(({ file, sum }) => ({
        url: `${base}/${file}`,
        hash: sum,
        extract_dir: `dynip-${target}`,
      }))[0];
  const manifest = {
    version,
    description,
    homepage,
    license,
    architecture: { "64bit": of("windows-x64"), arm64: of("windows-arm64") },
    bin: "dynip.exe",
  };
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

/** A formula for Homebrew on macOS and Linux (docs.brew.sh, Formula Cookbook). */
function homebrewFormula({ version, base, homepage, archives }: Release): string {
  const on = (block: string, target: Target): string =>
    archives
      .filter((archive) => archive.target === target)
      .map(
        ({ file, sum }) => `    ${block} do
      url "${base}/${file}"
      sha256 "${sum}"
    end
`,
      )
      .join("");
  return `class Dynip < Formula
  desc "${withoutArticle(description)}"
  homepage "${homepage}"
  version "${version}"
  license "${license}"

  on_macos do
${on("on_arm", "darwin-arm64")}${on("on_intel", "darwin-x64")}  end

  on_linux do
${on("on_arm", "linux-arm64")}${on("on_intel", "linux-x64")}  end

  def install
    bin.install "dynip"
    man1.install "dynip.1"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/dynip --version")
  end
end
`;
}

/** Homebrew wants no article at the start of a description. */
function withoutArticle(text: string): string {
  return text.replace(/^An? (.)/, (_, first: string) => first.toUpperCase());
}
