/**
 * Somebody changes the files of the journal while the server keeps them, or before it starts. What is
 * acknowledged must survive a crash right afterwards, and nothing but our own files is written to.
 */
import { describe, expect, test } from "bun:test";
import {
  appendFile,
  chmod,
  chown,
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";

import { type ClientLog, openClientLog } from "../../src/store/client-log.ts";
import { recordedLog } from "../recorded-log.ts";
import { temporaryFolder } from "../temporary.ts";
import { JOURNALS, LOG, lineOf, recordOf, sealed } from "./check.ts";
import { Pauses } from "./scenario.ts";

const isRoot = process.getuid?.() === 0;
const onUnix = test.skipIf(process.platform === "win32");

/** What is done to a file of the journal. */
const DEEDS: [string, (path: string) => Promise<void>][] = [
  ["emptied", (path) => truncate(path, 0)],
  ["cut off by a byte", async (path) => truncate(path, (await stat(path)).size - 1)],
  ["cut off in its first line", (path) => truncate(path, 20)],
  ["removed", (path) => rm(path)],
  ["moved away", (path) => rename(path, `${path}.moved`)],
  [
    "replaced by a copy",
    async (path) => {
      await copyFile(path, `${path}.copy`);
      await rename(`${path}.copy`, path);
    },
  ],
  [
    "replaced by an empty file",
    async (path) => {
      await rm(path);
      await writeFile(path, "");
    },
  ],
  ["given another line", (path) => appendFile(path, "a note\n")],
  ["made longer", async (path) => truncate(path, (await stat(path)).size + 100_000)],
];

/** A server whose snapshots come when the test says so; one has been written. */
async function newServer(folder: string) {
  const path = join(folder, LOG);
  const pauses = new Pauses();
  const log = recordedLog();
  const clientLog = await openClientLog(path, { log, sleep: (_, signal) => pauses.sleep(signal) });
  clientLog.begin();
  await pauses.begun();
  const acknowledged = new Map<string, number>();
  const ping = async (...names: string[]): Promise<boolean> => {
    const outcomes = names.map((name) => pingOf(clientLog, acknowledged, name));
    return (await Promise.all(outcomes)).every(Boolean);
  };
  const snapshot = async (): Promise<void> => {
    pauses.end();
    await pauses.begun();
  };
  return { clientLog, log, ping, acknowledged, snapshot };
}

function pingOf(clientLog: ClientLog, acknowledged: Map<string, number>, name: string) {
  const counter = (clientLog.hosts.get(name)?.counter ?? 0) + 1;
  return new Promise<boolean>((resolve) =>
    clientLog.commit(name, recordOf(name, counter), (isDurable) => {
      if (isDurable) clientLog.hosts.set(name, recordOf(name, counter));
      if (isDurable) acknowledged.set(name, counter);
      resolve(isDurable);
    }),
  );
}

async function journalsIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /^dynip\.json\.journal/.test(name));
  return names.map((name) => join(folder, name));
}

/** The counters that a server finds which starts on what a crash now leaves. */
async function afterCrash(folder: string): Promise<Map<string, number>> {
  await using copy = await temporaryFolder();
  for (const name of await readdir(folder)) {
    if (!name.endsWith(".lock")) await copyFile(join(folder, name), copy.file(name));
  }
  const clientLog = await openClientLog(copy.file(LOG), { log: recordedLog() });
  const counters = new Map([...clientLog.hosts].map(([name, host]) => [name, host.counter!]));
  await clientLog.close();
  return counters;
}

describe("a journal that is changed while the server runs", () => {
  test.each(DEEDS)("%s: what is acknowledged from then on survives a crash", async (_, act) => {
    await using folder = await temporaryFolder();
    const { clientLog, log, ping, acknowledged, snapshot } = await newServer(folder.path);
    expect(await ping("nas", "pi")).toBe(true);
    await snapshot();
    expect(await ping("nas", "attic")).toBe(true);
    for (const path of await journalsIn(folder.path)) await act(path);
    if (!(await ping("nas", "late"))) {
      await snapshot();
      expect(await ping("nas", "late")).toBe(true);
    }
    expect(await afterCrash(folder.path)).toEqual(acknowledged);
    const errors = log.lines.filter((line) => line.startsWith("error"));
    expect(errors.length).toBeLessThanOrEqual(1);
    await clientLog.close();
    expect(JSON.parse(await readFile(folder.file(LOG), "utf8"))).toContainAllKeys([
      ...acknowledged.keys(),
    ]);
  });

  test("is told, with the file and what happened to it", async () => {
    await using folder = await temporaryFolder();
    const { clientLog, log, ping, snapshot } = await newServer(folder.path);
    await ping("nas");
    await rm(folder.file(JOURNALS[0]));
    expect(await ping("nas")).toBe(false);
    await snapshot();
    expect(await ping("nas")).toBe(true);
    expect(log.lines.filter((line) => /^(error|warn)/.test(line))).toEqual([
      `error: Cannot write the journal of client log "${folder.file(LOG)}": while the server ran, its file "${JOURNALS[0]}" was removed`,
      `warn: the journal of client log "${folder.file(LOG)}" is written again`,
    ]);
    await clientLog.close();
    expect(await readdir(folder.path)).toEqual([LOG]);
  });
});

describe("a link in place of a journal file", () => {
  const VICTIM = "somebody's file\n".repeat(5000);

  onUnix("while the server runs: what it leads to is not written to", async () => {
    await using folder = await temporaryFolder();
    await using elsewhere = await temporaryFolder();
    await writeFile(elsewhere.file("victim"), VICTIM);
    const { clientLog, ping, acknowledged, snapshot } = await newServer(folder.path);
    const paths = new Set<string>();
    for (let round = 0; round < 5; round++) {
      await ping("nas");
      for (const path of await journalsIn(folder.path)) paths.add(path);
      await snapshot(); // the next file may be another one, which was there before
      for (const path of paths) {
        await rm(path, { force: true });
        await symlink(elsewhere.file("victim"), path);
      }
      await ping("nas", `host-${round}`);
    }
    let isAcknowledged = await ping("nas");
    for (let tries = 0; tries < 3 && !isAcknowledged; tries++) {
      await snapshot(); // one may have begun before the link was seen
      isAcknowledged = await ping("nas");
    }
    expect(isAcknowledged).toBe(true);
    expect(await readFile(elsewhere.file("victim"), "utf8")).toBe(VICTIM);
    expect(await afterCrash(folder.path)).toEqual(acknowledged);
    await clientLog.close();
    expect(await readFile(elsewhere.file("victim"), "utf8")).toBe(VICTIM);
  });

  const NAMES = [...JOURNALS, `${LOG}.journal`, `${LOG}.journal.old`];
  const refused = async (folder: string) => {
    const opened = openClientLog(join(folder, LOG), { log: recordedLog() });
    const error: { exitCode: number; message: string; hint: string } = await opened.then(
      () => expect.unreachable(),
      (reason) => reason,
    );
    expect(error.exitCode).toBe(2);
    return error;
  };

  for (const name of NAMES) {
    onUnix(`before it starts, symbolic: ${name}`, async () => {
      await using folder = await temporaryFolder();
      await writeFile(folder.file("victim"), lineOf("nas", 1));
      await symlink(folder.file("victim"), folder.file(name));
      const { message, hint } = await refused(folder.path);
      expect(message).toContain(`its journal "${folder.file(name)}": it is a symbolic link`);
      expect(hint).toContain("find out where that comes from");
    });

    onUnix(`before it starts, hard: ${name}`, async () => {
      await using folder = await temporaryFolder();
      await writeFile(folder.file("victim"), sealed(lineOf("nas", 1)));
      await link(folder.file("victim"), folder.file(name));
      const { message } = await refused(folder.path);
      expect(message).toContain(`${name}": it has a second name (a hard link)`);
    });

    test.skipIf(!isRoot)(`before it starts, another user's file: ${name}`, async () => {
      await using folder = await temporaryFolder();
      const line = lineOf("nas", 1);
      await writeFile(folder.file(name), JOURNALS.includes(name) ? sealed(line) : line);
      await chown(folder.file(name), 12_345, 12_345);
      const { message } = await refused(folder.path);
      expect(message).toContain("it belongs to another user (uid 12345)");
      await chown(folder.path, 12_345, 12_345); // some file systems give all files one owner
      await chown(folder.file(name), 12_345, 12_345);
      await (await openClientLog(folder.file(LOG), { log: recordedLog() })).close();
    });
  }

  onUnix("in place of what is set aside: what it leads to is not written to", async () => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file("victim"), VICTIM);
    await symlink(folder.file("victim"), folder.file(`${JOURNALS[0]}.bad`));
    await writeFile(folder.file(JOURNALS[0]), `${sealed(lineOf("nas", 1))}torn`);
    const clientLog = await openClientLog(folder.file(LOG), { log: recordedLog() });
    clientLog.begin();
    await clientLog.close();
    expect(await readFile(folder.file("victim"), "utf8")).toBe(VICTIM);
    expect(await readFile(folder.file(`${JOURNALS[0]}.bad`), "utf8")).toBe("torn");
  });
});

describe.skipIf(!isRoot)("root warns of a folder that", () => {
  test.each([
    ["belongs to another user", (path: string) => chown(path, 12_345, 0), 1],
    ["everyone can write to", (path: string) => chmod(path, 0o1777), 1],
    [
      "a group can write to",
      async (path: string) => {
        await chown(path, 0, 12_345);
        await chmod(path, 0o770);
      },
      1,
    ],
    ["root alone can write to, and others can read: not", (path: string) => chmod(path, 0o755), 0],
  ] as [string, (path: string) => Promise<void>, number][])("%s", async (_, prepare, warnings) => {
    await using folder = await temporaryFolder();
    await mkdir(folder.file("logs"));
    await prepare(folder.file("logs"));
    const log = recordedLog();
    const clientLog = await openClientLog(folder.file(`logs/${LOG}`), { log });
    clientLog.begin();
    await clientLog.close();
    const said = log.lines.filter((line) => line.startsWith("warn"));
    expect(said).toHaveLength(warnings);
    for (const line of said) expect(line).toContain("other users can write to the folder");
  });
});
