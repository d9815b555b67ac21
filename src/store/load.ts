/** Reads what the last server left: its client log and the lines of its journal. */
import { setImmediate } from "node:timers/promises";

import { readWhole } from "../system/atomic-file.ts";
import { decodeClientLog, decodeInSlices, decodeLine } from "./format.ts";
import { HostTable } from "./host-table.ts";
import { ClientLogFormatError } from "./members.ts";
import { cannot, EXIT, type UserError } from "../system/errors.ts";
import type { Files } from "../system/files.ts";
import type { JournalLine } from "./journal.ts";
import type { Host, HostStore } from "../host.ts";

/** A log as it was read. */
export interface ReadLog {
  readonly hosts: HostTable;
  /** How many of the hosts DynIP 0.1e recorded. */
  readonly carriedOver: number;
  /** Its content; undefined where there is no log. */
  readonly bytes: Buffer | undefined;
}

/**
 * Reads the log at `target`; a log that does not exist has no hosts.
 * @param path the log's path in messages, as the user configured it
 * @throws UserError (exit code 2) when it is not a client log
 */
export async function readLog(target: string, path: string, files: Files): Promise<ReadLog> {
  const hosts = newTable();
  const bytes = await readWhole(target, files);
  if (bytes === undefined) return { hosts, carriedOver: 0, bytes };
  try {
    const carriedOver = decodeClientLog(decodeText(bytes), hosts);
    return { hosts, carriedOver, bytes };
  } catch (error) {
    if (!(error instanceof ClientLogFormatError)) throw error;
    throw cannotOpen(path, error.message, {
      cause: error,
      hint: "it is left as it is; repair it, or move it away to start without hosts",
    });
  }
}

/**
 * The hosts in the content of a log. Other work gets its turn meanwhile.
 * @throws ClientLogFormatError when it is not a client log
 */
export async function decodeMeanwhile(bytes: Uint8Array): Promise<HostTable> {
  const hosts = newTable();
  for (const _ of decodeInSlices(decodeText(bytes), hosts)) await setImmediate();
  return hosts;
}

/**
 * Does to `hosts` what a line of the journal says: puts its host there, unless `hosts` has a newer
 * record, or forgets it. The journal has older records when a server was killed after a snapshot and
 * before it removed the journal.
 * @returns the name
 * @throws UserError (exit code 2) when the line is not one host
 */
export function replay({ text, where }: JournalLine, hosts: HostStore, path: string): string {
  try {
    const [name, host] = decodeLine(text);
    const known = hosts.get(name);
    if (host === undefined) hosts.delete(name);
    else if (known === undefined || !isOlder(host, known)) hosts.set(name, host);
    return name;
  } catch (error) {
    if (!(error instanceof ClientLogFormatError)) throw error;
    throw cannotOpen(path, `its journal ${where}: ${error.message}`, {
      cause: error,
      hint: "all is left as it is; repair the line, or move the journal away to start without it",
    });
  }
}

function newTable(): HostTable {
  return new HostTable((array) => {
    for (let at = 0; at < array.length; at += RANDOM_AT_ONCE) {
      crypto.getRandomValues(array.subarray(at, at + RANDOM_AT_ONCE));
    }
  });
}

/** crypto.getRandomValues fills at most 65,536 bytes. */
const RANDOM_AT_ONCE = 16_384;

function isOlder(host: Host, than: Host): boolean {
  if (host.counter !== than.counter) return (host.counter ?? -1) < (than.counter ?? -1);
  return lastSeen(host) < lastSeen(than);
}

/** When a host was last seen in any family: milliseconds since 1970, UTC. */
export function lastSeen({ ipv4, ipv6 }: Host): number {
  return Math.max(ipv4?.lastSeen ?? 0, ipv6?.lastSeen ?? 0);
}

function decodeText(bytes: Uint8Array): string {
  try {
    // A byte order mark stays in the text, so that it is refused: the next snapshot would lose it.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ClientLogFormatError("it is not UTF-8 text");
  }
}

/** The error for a client log that cannot be opened: exit code 2. */
export function cannotOpen(
  path: string,
  problem: string,
  options: { hint?: string | undefined; cause?: unknown } = {},
): UserError {
  return cannot("open client log", path, problem, { exitCode: EXIT.clientLog, ...options });
}
