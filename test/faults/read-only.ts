/** Starts the server on a read-only folder: it must exit with 2 and change nothing. */
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";

import { encodeClientLog } from "../../src/store/format.ts";
import { dynip, newSignedSetup } from "../e2e/dynip.ts";
import { recordOf } from "./check.ts";
import { ON_SMALL_DISK, serveOnSmallDisk, whyNoNamespace } from "./namespace.ts";
import { count, type Outcome, outcome, type Progress } from "./outcome.ts";

export async function readOnlyFolder(progress: Progress): Promise<Outcome[]> {
  const into = outcome("a read-only folder at start");
  if (process.platform === "win32") return [{ ...into, skipped: "Windows has no such folder" }];
  // Root ignores modes, so that for root the file system is read-only.
  const isRoot = process.getuid!() === 0;
  const why = isRoot ? whyNoNamespace() : undefined;
  if (why !== undefined) return [{ ...into, skipped: why }];
  for (const [index, withLog] of [false, true].entries()) {
    await using setup = await newSignedSetup({ server: ON_SMALL_DISK });
    const [folder, from] = [setup.file("disk"), setup.file("from")];
    await mkdir(folder);
    await mkdir(from);
    const log = [...encodeClientLog(new Map([["nas", recordOf("nas", 1)]]))].join("");
    if (withLog) await writeFile(`${isRoot ? from : folder}/dynip.json`, log);
    let exitCode: number;
    let stderr: string;
    if (isRoot) {
      await using server = serveOnSmallDisk(setup.config, folder, {
        size: "1m",
        from,
        isReadOnly: true,
      });
      ({ exitCode, stderr } = await server.result());
    } else {
      await chmod(folder, 0o555);
      ({ exitCode, stderr } = await dynip(["serve", setup.config]));
      await chmod(folder, 0o755);
    }
    const wrong: string[] = [];
    if (exitCode !== 2) wrong.push(`exit code ${exitCode}`);
    const message = `error: Cannot open client log "${folder}/dynip.json": `;
    if (!stderr.includes(message)) wrong.push(`says: ${stderr}`);
    if (!/: (the file system is read-only|permission denied)\nhint: /.test(stderr)) {
      wrong.push(`says: ${stderr}`);
    }
    const place = isRoot ? from : folder;
    const files = await readdir(place);
    if (files.join() !== (withLog ? "dynip.json" : "")) wrong.push(`files: ${files}`);
    if (withLog && (await readFile(`${place}/dynip.json`, "utf8")) !== log) wrong.push("changed");
    count(into, withLog ? "with a log" : "empty", wrong);
    progress(index + 1, 2);
  }
  return [into];
}
