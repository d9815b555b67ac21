/**
 * `bun .github/release/notes.ts TAG OWNER/NAME`: prints the notes for the version of a tag, such as v1.2.3:
 * how to install it from the repository's release on GitHub, and what CHANGELOG.md in the current folder
 * says. Fails when package.json has another version, and when the version has no date or no notes.
 */
import { readFile } from "node:fs/promises";

import { changelogEntry } from "./changelog.ts";
import { gitHubRelease } from "./installers.ts";

const [tag, repository] = process.argv.slice(2);
const { version } = JSON.parse(await readFile("package.json", "utf8"));
if (tag !== `v${version}`) {
  fail(`The tag is "${tag ?? ""}", must be "v${version}", from the version in package.json`);
}
const entry = changelogEntry(await readFile("CHANGELOG.md", "utf8"), version);
if (!entry?.date || !entry.notes) {
  fail(`CHANGELOG.md has no notes under "## ${version} (YYYY-MM-DD)"`);
}
if (repository === undefined) fail("The repository is missing, must be OWNER/NAME");
const { base } = gitHubRelease(repository, version, []);
console.log(`${entry.notes}

## Install

On Linux and macOS:

\`\`\`sh
curl -fsSL ${base}/install.sh | sh
\`\`\`

On Windows, in PowerShell:

\`\`\`powershell
irm ${base}/install.ps1 | iex
\`\`\`

On Debian and Ubuntu, with \`amd64\` or \`arm64\`:

\`\`\`sh
curl -fsSLO ${base}/dynip_${version}_amd64.deb
sudo apt install ./dynip_${version}_amd64.deb
\`\`\``);

function fail(message: string): never {
  console.error(`error: ${message}`);
  process.exit(1);
}
