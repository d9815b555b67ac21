/** Whether what is on the disk after a fault is all that was promised. */
import { readdir, readFile, writeFile } from "node:fs/promises";

import { openClientLog } from "../../src/store/client-log.ts";
import { encodeHost } from "../../src/store/format.ts";
import type { Host, HostStore } from "../../src/host.ts";
import { hostsIn } from "../hosts-in.ts";
import { recordedLog } from "../recorded-log.ts";
import { temporaryFolder } from "../temporary.ts";
import type { Contents } from "./disk.ts";

export const LOG = "dynip.json";
export const JOURNAL = `${LOG}.journal`;
export const OLD_JOURNAL = `${JOURNAL}.old`;

/** The one record that a name has with a counter: a mixture of two is seen. */
export function recordOf(name: string, counter: number): Host {
  const since = Date.UTC(2026, 10, 22) + counter * 1000;
  const lastByte = (name.length * 7 + counter) % 256;
  return { ipv4: { address: `203.0.113.${lastByte}`, since, lastSeen: since }, counter };
}

/** Counters by name, as the files have them: the log's, overtaken by those of the journal. */
export function survivors(contents: Contents): Map<string, number> {
  const counters = new Map<string, number>();
  const take = (text: string) => {
    for (const [name, { counter = 0 }] of hostsIn(text)) {
      counters.set(name, Math.max(counter, counters.get(name) ?? 0));
    }
  };
  const log = contents.get(LOG);
  if (log) take(log.toString());
  for (const journal of [OLD_JOURNAL, JOURNAL]) {
    const lines = contents.get(journal)?.toString().split("\n").slice(0, -1) ?? [];
    for (const line of lines) take(`{${line}}`);
  }
  return counters;
}

/**
 * Starts on these files, real ones, as the next server would, and stops.
 * @returns what is wrong; nothing, if all is well
 */
export async function restart(
  contents: Contents,
  acknowledged: ReadonlyMap<string, number>,
): Promise<string[]> {
  await using folder = await temporaryFolder();
  for (const [name, bytes] of contents) await writeFile(folder.file(name), bytes);
  const path = folder.file(LOG);
  try {
    const clientLog = await openClientLog(path, { log: recordedLog() });
    const wrong = compare(clientLog.hosts, acknowledged, "opened");
    clientLog.begin();
    await clientLog.close();
    const hosts = hostsIn(await readFile(path, "utf8"));
    wrong.push(...compare(hosts, acknowledged, "closed"));
    const left = (await readdir(folder.path)).filter((name) => name !== LOG);
    if (left.length > 0 && left.join() !== `${LOG}.tmp`) wrong.push(`left over: ${left}`);
    return wrong;
  } catch (error) {
    return [`refuses to start: ${(error as Error).message}`];
  }
}

/** Whether a log is one, or is not there yet. */
export function isLog(bytes: Buffer | undefined): boolean {
  try {
    if (bytes) hostsIn(bytes.toString());
    return true;
  } catch {
    return false;
  }
}

function compare(
  hosts: Pick<HostStore, "get"> & Iterable<[string, Host]>,
  acknowledged: ReadonlyMap<string, number>,
  when: string,
): string[] {
  const wrong: string[] = [];
  for (const [name, counter] of acknowledged) {
    const found = hosts.get(name)?.counter ?? 0;
    if (found < counter) wrong.push(`${when}: ${name} has ${found}, acknowledged was ${counter}`);
  }
  for (const [name, host] of hosts) {
    const expected = encodeHost(name, recordOf(name, host.counter ?? 0));
    if (encodeHost(name, host) !== expected) wrong.push(`${when}: ${encodeHost(name, host)}`);
  }
  return wrong;
}
