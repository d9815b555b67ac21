/** The states of a folder that a client log's life begins in. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { encodeClientLog } from "../../src/store/format.ts";
import { JOURNAL, JOURNALS, lineOf, LOG, OLD_JOURNAL, recordOf, sealed } from "./check.ts";

/** Makes it; what was acknowledged by then. */
type Start = (folder: string) => Promise<Map<string, number>>;

export const START: Readonly<Record<string, Start>> = {
  "an empty folder": async () => new Map(),
  async "after a crash"(folder) {
    await writeLog(folder);
    const older = sealed(lineOf("nas", 1) + lineOf("nas", 2), 4) + sealed(lineOf("pi", 2), 4);
    const newer = sealed(lineOf("pi", 3) + lineOf("nas", 3), 5, 4) + lineOf("pi", 4).slice(0, 40);
    await writeFile(join(folder, JOURNALS[1]), older + "\0".repeat(5000));
    await writeFile(join(folder, JOURNALS[0]), newer + "\0".repeat(5000));
    return AFTER;
  },
  async "after a crash of dynip 0.2.0"(folder) {
    await writeLog(folder);
    const older = lineOf("nas", 1) + lineOf("nas", 2) + lineOf("pi", 2);
    const newer = lineOf("pi", 3) + lineOf("nas", 3) + lineOf("pi", 4).slice(0, 40);
    await writeFile(join(folder, OLD_JOURNAL), older);
    await writeFile(join(folder, JOURNAL), newer);
    return AFTER;
  },
};

/** What was acknowledged before a crash. */
const AFTER = new Map([
  ["nas", 3],
  ["pi", 3],
]);

/** The log before that crash, and a snapshot that did not come to its end. */
async function writeLog(folder: string): Promise<void> {
  const log = new Map([
    ["nas", recordOf("nas", 2)],
    ["pi", recordOf("pi", 1)],
  ]);
  await writeFile(join(folder, LOG), [...encodeClientLog(log)].join(""));
  await writeFile(join(folder, `${LOG}.tmp`), "{\n");
}
