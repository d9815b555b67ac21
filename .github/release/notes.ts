/**
 * `bun .github/release/notes.ts TAG`: prints what the current folder's CHANGELOG.md says of the
 * version that a tag, such as v1.2.3, is for. Fails where that is not package.json's version, or
 * has no date or no notes.
 */
import { readFile } from "node:fs/promises";

import { changelogEntry } from "./changelog.ts";

const [tag] = process.argv.slice(2);
const { version } = JSON.parse(await readFile("package.json", "utf8"));
if (tag !== `v${version}`) {
  fail(`The tag is "${tag ?? ""}", must be "v${version}": the version of package.json`);
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
