/**
 * `bun .github/release/notes.ts TAG`: prints what CHANGELOG.md says of the version that a tag, such
 * as v1.2.3, is for. Fails where that is not package.json's version, or not released by its date.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { version } from "../../package.json";
import { changelogEntry } from "./changelog.ts";

const [tag] = process.argv.slice(2);
if (tag !== `v${version}`) {
  fail(`The tag is "${tag ?? ""}", must be "v${version}": the version of package.json`);
}
const changelog = await readFile(join(import.meta.dir, "..", "..", "CHANGELOG.md"), "utf8");
const entry = changelogEntry(changelog, version);
if (!entry?.date || !entry.notes) {
  fail(`CHANGELOG.md has no notes under "## ${version} (YYYY-MM-DD)"`);
}
console.log(entry.notes);

function fail(message: string): never {
  console.error(`error: ${message}`);
  process.exit(1);
}
