/** Whether what is on the disk after a fault is all that was promised. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { crc32 } from "node:zlib";

import { openClientLog } from "../../src/store/client-log.ts";
import { encodeHost } from "../../src/store/format.ts";
import type { Host, HostStore } from "../../src/host.ts";
import { hostsIn } from "../hosts-in.ts";
import { recordedLog } from "../recorded-log.ts";
import { temporaryFolder } from "../temporary.ts";
import type { Contents } from "./disk.ts";

export const LOG = "dynip.json";
/** The two files that take turns. */
export const JOURNALS: readonly [string, string] = [`${LOG}.journal.1`, `${LOG}.journal.2`];
/** The journal of dynip 0.2.0, which it renamed to `….old` when a snapshot began. */
export const JOURNAL = `${LOG}.journal`;
export const OLD_JOURNAL = `${JOURNAL}.old`;

/** The one record that a name has with a counter: a mixture of two is seen. */
export function recordOf(name: string, counter: number): Host {
  const since = Date.UTC(2026, 10, 22) + counter * 1000;
  const lastByte = (name.length * 7 + counter) % 256;
  return { ipv4: { address: `203.0.113.${lastByte}`, since, lastSeen: since }, counter };
}

/** A record as a line of a journal. */
export function lineOf(name: string, counter: number): string {
  return `${encodeHost(name, recordOf(name, counter))}\n`;
}

/** A batch of a journal file: its lines and the seal. */
export function sealed(lines: string, generation = 1, oldest = generation): string {
  const unsigned = `${lines}= ${Buffer.byteLength(lines)} ${generation} ${oldest} `;
  return `${unsigned}${crc32(unsigned).toString(16).padStart(8, "0")}\n`;
}

/** The lines of the batches from the beginning of a journal file, read the simple way. */
export function sealedLines(file: Buffer): string[] {
  const lines: string[] = [];
  let batch = "";
  for (const line of file.toString("latin1").split("\n")) {
    batch += `${line}\n`;
    if (!line.startsWith("= ")) continue;
    const [, , generation, oldest] = line.split(" ").map(Number);
    const inside = batch.slice(0, -line.length - 1);
    if (batch !== sealed(inside, generation, oldest)) break;
    lines.push(...inside.split("\n").slice(0, -1));
    batch = "";
  }
  return lines;
}

/** Counters by name, as the files have them: the log's, overtaken by those of the journal. */
export function survivors(contents: Contents): Map<string, number> {
  const counters = new Map<string, number>();
  const take = (text: string) => {
    const forgotten = /^\{"([^"]+)": null\}$/.exec(text)?.[1];
    if (forgotten !== undefined) counters.delete(forgotten);
    else {
      for (const [name, { counter = 0 }] of hostsIn(text)) {
        counters.set(name, Math.max(counter, counters.get(name) ?? 0));
      }
    }
  };
  const log = contents.get(LOG);
  if (log) take(log.toString());
  for (const journal of [OLD_JOURNAL, JOURNAL]) {
    const lines = contents.get(journal)?.toString().split("\n").slice(0, -1) ?? [];
    for (const line of lines) take(`{${line}}`);
  }
  const slots = JOURNALS.map((journal) => {
    const file = contents.get(journal) ?? Buffer.alloc(0);
    return { lines: sealedLines(file), ...lastSealOf(file) };
  }).sort((a, b) => a.generation - b.generation);
  for (const { lines, generation } of slots) {
    if (generation >= slots[1]!.oldest) for (const line of lines) take(`{${line}}`);
  }
  return counters;
}

/** What the last seal of a journal file says that counts. */
function lastSealOf(file: Buffer): { generation: number; oldest: number } {
  let last = { generation: 0, oldest: 0 };
  let batch = "";
  for (const line of file.toString("latin1").split("\n")) {
    batch += `${line}\n`;
    if (!line.startsWith("= ")) continue;
    const [, , generation = 0, oldest = 0] = line.split(" ").map(Number);
    if (batch !== sealed(batch.slice(0, -line.length - 1), generation, oldest)) break;
    last = { generation, oldest };
    batch = "";
  }
  return last;
}

/**
 * Starts on these files, real ones, as the next server would, and stops.
 * @param forgotten the names that must not be there
 * @returns what is wrong; nothing, if all is well
 */
export async function restart(
  contents: Contents,
  acknowledged: ReadonlyMap<string, number>,
  forgotten: ReadonlySet<string> = new Set(),
): Promise<string[]> {
  await using folder = await temporaryFolder();
  for (const [name, bytes] of contents) await writeFile(folder.file(name), bytes);
  const path = folder.file(LOG);
  const log = recordedLog();
  try {
    const clientLog = await openClientLog(path, { log });
    const wrong = compare(clientLog.hosts, acknowledged, "opened");
    for (const name of forgotten) {
      if (clientLog.hosts.get(name)) wrong.push(`${name} was forgotten, and is there again`);
    }
    clientLog.begin();
    await clientLog.close();
    const hosts = hostsIn(await readFile(path, "utf8"));
    wrong.push(...compare(hosts, acknowledged, "closed"));
    const left = (await readdir(folder.path)).filter(
      (name) => name !== LOG && name !== `${LOG}.tmp`,
    );
    const setAside = left.filter((name) => JOURNALS.some((journal) => name === `${journal}.bad`));
    if (left.length > setAside.length) wrong.push(`left over: ${left}`);
    const said = log.lines.filter((line) => line.startsWith("warn"));
    const isNew = setAside.some((name) => !contents.has(name));
    if (said.length > Math.min(setAside.length, 1) || (isNew && said.length === 0)) {
      wrong.push(`set aside ${setAside}, and said ${said}`);
    }
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
