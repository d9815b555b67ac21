/** Reads what a server before this one has left: its client log, and the lines of its journal. */
import { readWhole } from "../system/atomic-file.ts";
import { ClientLogFormatError, decodeClientLog, decodeInto } from "./format.ts";
import { HostTable } from "./host-table.ts";
import { EXIT, UserError } from "../system/errors.ts";
import type { Files } from "../system/files.ts";
import type { JournalLine } from "./journal.ts";
import type { Host, HostStore } from "../host.ts";

/**
 * The hosts in the log at `target`, none where there is no log; how many of them DynIP 0.1e
 * recorded, and how large it is.
 * @param path as the user knows it
 * @throws UserError (exit code 2) when it is no client log
 */
export async function readLog(
  target: string,
  path: string,
  files: Files,
): Promise<{ hosts: HostTable; carriedOver: number; bytes: number }> {
  const bytes = await readWhole(target, files);
  if (bytes === undefined) return { hosts: newTable(), carriedOver: 0, bytes: 0 };
  const hosts = newTable();
  try {
    const carriedOver = decodeInto(hosts, decodeText(bytes));
    return { hosts, carriedOver, bytes: bytes.length };
  } catch (error) {
    if (!(error instanceof ClientLogFormatError)) throw error;
    throw cannotOpen(path, error.message, {
      cause: error,
      hint: "it is left as it is; mend it, or move it away to start with no hosts",
    });
  }
}

/**
 * Takes a line of the journal into `hosts`. A record that is older than the one there is already is
 * in the journal when a server was killed between a snapshot and the journal's cut.
 */
export function replay({ text, where }: JournalLine, hosts: HostStore, path: string): void {
  try {
    const [name, host] = decodeLine(text);
    const known = hosts.get(name);
    if (known === undefined || !isOlder(host, known)) hosts.set(name, host);
  } catch (error) {
    if (!(error instanceof ClientLogFormatError)) throw error;
    throw cannotOpen(path, `its journal ${where}: ${error.message}`, {
      cause: error,
      hint: "all is left as it is; mend the line, or move the journal away to do without it",
    });
  }
}

function decodeLine(text: string): [name: string, host: Host] {
  const [line, ...more] = decodeClientLog(`{${text}}`).hosts;
  if (!line || more.length > 0) throw new ClientLogFormatError("it is not one host");
  if (!line[0].isWellFormed()) throw new ClientLogFormatError("its name is not Unicode text");
  return line;
}

function newTable(): HostTable {
  return new HostTable(crypto.getRandomValues(new Uint32Array(1))[0]!);
}

function isOlder(host: Host, than: Host): boolean {
  if (host.counter !== than.counter) return (host.counter ?? -1) < (than.counter ?? -1);
  return lastSeen(host) < lastSeen(than);
}

function lastSeen({ ipv4, ipv6 }: Host): number {
  return Math.max(ipv4?.lastSeen ?? 0, ipv6?.lastSeen ?? 0);
}

function decodeText(bytes: Uint8Array): string {
  try {
    // A byte order mark is kept, so that it is refused: it would be lost at the next snapshot.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ClientLogFormatError("it is not UTF-8 text");
  }
}

/** Why a log cannot be opened, as the user is told: exit code 2. */
export function cannotOpen(
  path: string,
  problem: string,
  { hint, cause }: { hint?: string | undefined; cause?: unknown } = {},
): UserError {
  const message = `Cannot open client log "${path}": ${problem}`;
  return new UserError(message, { exitCode: EXIT.clientLog, hint, cause });
}
