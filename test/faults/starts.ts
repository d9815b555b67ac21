/** The states of a folder that a client log's life begins in. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { encodeClientLog, encodeHost } from "../../src/store/format.ts";
import { JOURNAL, LOG, OLD_JOURNAL, recordOf } from "./check.ts";

/** Makes it; what was acknowledged by then. */
type Start = (folder: string) => Promise<Map<string, number>>;

export const START: Readonly<Record<string, Start>> = {
  "an empty folder": async () => new Map(),
  async "after a crash"(folder) {
    const line = (name: string, counter: number) =>
      `${encodeHost(name, recordOf(name, counter))}\n`;
    const log = new Map([
      ["nas", recordOf("nas", 2)],
      ["pi", recordOf("pi", 1)],
    ]);
    await writeFile(join(folder, LOG), [...encodeClientLog(log)].join(""));
    await writeFile(join(folder, OLD_JOURNAL), line("nas", 1) + line("nas", 2) + line("pi", 2));
    await writeFile(
      join(folder, JOURNAL),
      line("pi", 3) + line("nas", 3) + line("pi", 4).slice(0, 40),
    );
    await writeFile(join(folder, `${LOG}.tmp`), "{\n");
    return new Map([
      ["nas", 3],
      ["pi", 3],
    ]);
  },
};
