/**
 * `bun .github/release/notes.ts TAG`: prints the notes for the version of a tag, such as v1.2.3, from
 * CHANGELOG.md in the current folder. Fails when package.json has another version, and when the
 * version has no date or no notes.
 */
import { readFile } from "node:fs/promises";

import { changelogEntry } from "./changelog.ts";

const [tag] = process.argv.slice(2);
const { version } = JSON.parse(await readFile("package.json", "utf8"));
if (tag !== `v${version}`) {
  fail(`The tag is "${tag ?? ""}", must be "v${version}", from the version in package.json`);
}
const entry = changelogEntry(await readFile("CHANGELOG.md", "utf8"), version);
if (!entry?.date || !entry.notes) {
  fail(`CHANGELOG.md has no notes under "## ${version} (YYYY-MM-DD)"`);
}
console.log(entry.notes);

function fail(message: string): never {
  console.error(`error: ${message}`);
  process.exit(1);
}
