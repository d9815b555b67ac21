/**
 * The client log on disk: the JSON file that the server keeps, and its journal.
 *
 * Durable first: a change is appended to the journal and synced, see group-commit.ts. Then it gets into
 * the log.
 *
 * The log itself is a snapshot, replaced whole; when it is durable, the journal is cut. News, such as
 * another address, is written at once, unless a snapshot has just been: then half a second later, or
 * four times as long as the last one took, so that writing never takes more than a fifth of the time.
 * That a host is still where it was is no news: a large log waits until the journal has grown to a
 * part of its size, or for five minutes. Ten thousand hosts at a ping each in five minutes would
 * otherwise have 1.5 MB written every half second.
 */
import { setTimeout } from "node:timers/promises";

import { findFile, replaceFile } from "../system/atomic-file.ts";
import { encodeClientLog } from "./format.ts";
import { cannotOpen, readLog, replay } from "./load.ts";
import { errorCode, EXIT, reasonOf, UserError } from "../system/errors.ts";
import { type Files, realFiles } from "../system/files.ts";
import { type Journal, openJournal } from "./journal.ts";
import { acquireLock, type Lock, LockError } from "./lock.ts";
import { type Done, GroupCommit } from "./group-commit.ts";
import type { HostTable } from "./host-table.ts";
import type { Log } from "../system/log.ts";
import type { Host } from "../host.ts";

/** What the log uses of the world; the real one unless a test says otherwise. */
export interface ClientLogParts {
  log: Log;
  /** A monotonic clock, in milliseconds. */
  now?: () => number;
  /** Resolves after so many milliseconds, or rejects when the signal is aborted: for snapshots. */
  sleep?: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;
  /** The same, for what is gathered to be journalled. */
  gather?: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;
  replace?: typeof replaceFile;
  files?: Files;
}

/**
 * Opens the log for one server; there need not be one. Nothing is written before
 * {@link ClientLog.begin}. A symbolic link is followed: the file it names is the one that is kept.
 * @param path absolute
 * @throws UserError (exit code 2) when it cannot be read, is not a client log, another server keeps
 *   it, or its folder cannot be written to; whatever is there stays as it is
 */
export async function openClientLog(path: string, parts: ClientLogParts): Promise<ClientLog> {
  const { files = realFiles } = parts;
  let lock: Lock | undefined;
  try {
    const { target, mode } = await findFile(path, files);
    lock = await takeLock(`${target}.lock`, path);
    const { hosts, carriedOver, bytes } = await readLog(target, path, files);
    const { journal, lines } = await openJournal(`${target}.journal`, files);
    for (const line of lines) replay(line, hosts, path);
    return new ClientLog({
      path,
      target,
      mode: mode ?? NEW_FILE_MODE,
      hosts,
      carriedOver,
      bytes,
      replayed: lines.length,
      isNew: mode === undefined,
      journal,
      lock,
      parts,
    });
  } catch (error) {
    await lock?.release();
    if (error instanceof UserError) throw error;
    throw cannotOpen(path, reasonOf(error), { cause: error, hint: HINTS[errorCode(error) ?? ""] });
  }
}

/** `3 hosts`, as a person counts. */
export function hostCount(count: number): string {
  return count === 1 ? "1 host" : `${count} hosts`;
}

interface OpenedLog {
  /** As the user knows it. */
  path: string;
  /** The file behind it. */
  target: string;
  mode: number;
  hosts: HostTable;
  carriedOver: number;
  /** The log's size. */
  bytes: number;
  replayed: number;
  isNew: boolean;
  journal: Journal;
  lock: Lock;
  parts: ClientLogParts;
}

/** An open client log, see {@link openClientLog}. */
export class ClientLog {
  /** The hosts it keeps. Every change of them goes through {@link note} or {@link commit}. */
  readonly hosts: HostTable;
  readonly #opened: OpenedLog;
  readonly #parts: Required<ClientLogParts>;
  readonly #closing = new AbortController();
  readonly #commits: GroupCommit;
  #begun = false;
  /** The log does not say all that is known. */
  #dirty = false;
  /** Aborted when that is worth a snapshot. */
  #due = new AbortController();
  /** Bytes of the last snapshot, and of the journal since. */
  #snapshotBytes: number;
  #journalBytes = 0;
  readonly #failing = new Set<string>();
  #writing: Promise<void> | undefined;

  constructor(opened: OpenedLog) {
    this.hosts = opened.hosts;
    this.#opened = opened;
    this.#snapshotBytes = opened.bytes;
    this.#parts = { ...REAL_PARTS, ...opened.parts };
    this.#commits = new GroupCommit({
      hosts: this.hosts,
      write: (lines) => this.#journal(lines),
      committed: (isNews) => this.#changed(isNews),
      now: this.#parts.now,
      gather: this.#parts.gather,
    });
  }

  /**
   * Begins to keep the log: a new one is made; one of DynIP 0.1e is written in our format, and what
   * a journal had for it into it. Called when the server is sure to run, so that one that could not
   * start has changed nothing.
   */
  begin(): void {
    const { carriedOver, replayed, isNew } = this.#opened;
    this.#begun = true;
    if (carriedOver > 0) {
      this.#parts.log.log(`carried over ${hostCount(carriedOver)} that DynIP 0.1e recorded`);
    }
    if (replayed > 0) this.#parts.log.info(`replayed ${replayed} lines of the journal`);
    if (isNew || carriedOver > 0 || replayed > 0) this.#changed(true);
  }

  /**
   * Writes a host's record soon. It is in `hosts` already and is no news: only its `lastSeen` moved on.
   * Returns at once; nothing tells when it is durable.
   */
  note(name: string): void {
    this.#commits.note(name);
  }

  /**
   * Makes a host's record durable, then calls `done`, which puts it in `hosts`. Returns at once. News
   * (a new host, another address, a first signature) is in the log within a second.
   * @param done told whether the record is durable; a failure was logged already
   */
  commit(name: string, host: Host, done: Done): void {
    this.#commits.commit(name, host, done);
  }

  /** Resolves when everything noted and committed is durable, or has failed. */
  async settled(): Promise<void> {
    await this.#commits.settled();
  }

  /**
   * Writes what is not written yet and gives the log up. Nothing may be noted or committed after this.
   * @throws UserError (exit code 2) when the last snapshot cannot be written; what was durable is
   *   in the journal then
   */
  async close(): Promise<void> {
    const { journal, lock } = this.#opened;
    this.#closing.abort();
    this.#due.abort();
    await this.settled();
    await this.#writing;
    try {
      if (this.#dirty) await this.#snapshot();
      // One that was replayed and never begun has the journal of the server before in no snapshot.
      await (this.#begun ? journal.remove() : journal.close());
    } catch (error) {
      await journal.close();
      throw new UserError(this.#failure(error), {
        exitCode: EXIT.clientLog,
        hint: "what was acknowledged is in the journal beside it, which the next start reads",
        cause: error,
      });
    } finally {
      await lock.release();
    }
  }

  async #journal(lines: IteratorObject<string>): Promise<boolean> {
    const parts = lines.map((part) => {
      this.#journalBytes += part.length;
      return part;
    });
    return await this.#attempt("the journal of ", UNACKNOWLEDGED, () =>
      this.#opened.journal.append(parts),
    );
  }

  #changed(isNews: boolean): void {
    this.#dirty = true;
    const isSmall = this.#snapshotBytes <= SMALL_BYTES;
    if (isNews || isSmall || this.#journalBytes >= this.#snapshotBytes * JOURNAL_PER_SNAPSHOT) {
      this.#due.abort();
    }
    this.#writing ??= this.#writeWhileDirty();
  }

  async #writeWhileDirty(): Promise<void> {
    const { now, sleep } = this.#parts;
    while (this.#dirty && !this.#closing.signal.aborted) {
      if (!this.#due.signal.aborted) await sleep(MAX_AGE_MS, this.#due.signal).catch(() => {});
      if (this.#closing.signal.aborted) break;
      const start = now();
      if (!(await this.#attempt("", "it is tried again until it works", () => this.#snapshot()))) {
        this.#dirty = true;
        this.#due.abort();
      }
      const cost = now() - start;
      const pause = Math.max(MIN_PAUSE_MS, PAUSE_PER_COST * cost);
      await sleep(pause, this.#closing.signal).catch(() => {});
    }
    this.#writing = undefined;
  }

  async #snapshot(): Promise<void> {
    const { path, target, mode, journal } = this.#opened;
    this.#dirty = false;
    this.#due = new AbortController();
    this.#journalBytes = 0;
    let bytes = 0;
    // What the journal has is in `hosts` already, so that the snapshot will have it, too.
    await journal.rotate();
    const slices = encodeClientLog(this.hosts).map((slice) => {
      bytes += slice.length;
      return slice;
    });
    const access = { mode, onOwnerLost: (error: unknown) => this.#ownerLost(error) };
    await this.#parts.replace(target, slices, access, this.#parts.files);
    await journal.dropOld();
    this.#snapshotBytes = bytes;
    this.#parts.log.debug(`wrote client log "${path}": ${hostCount(this.hosts.size)}`);
  }

  /** Whether the disk took it. A failure is said once, or a full disk would fill up with it. */
  async #attempt(part: string, hint: string, write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
    } catch (error) {
      if (!this.#failing.has(part)) this.#parts.log.error(this.#failure(error, part), hint);
      this.#failing.add(part);
      return false;
    }
    if (this.#failing.delete(part)) {
      this.#parts.log.warn(`${part}client log "${this.#opened.path}" is written again`);
    }
    return true;
  }

  #ownerLost(error: unknown): void {
    this.#parts.log.warn(
      `Cannot keep the owner of client log "${this.#opened.path}": ${reasonOf(error)}`,
      "it belongs to the server's user now; run the server as its owner, or as root",
    );
  }

  #failure(error: unknown, part = ""): string {
    return `Cannot write ${part}client log "${this.#opened.path}": ${reasonOf(error)}`;
  }
}

const REAL_PARTS: Omit<Required<ClientLogParts>, "log"> = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal }),
  gather: (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal }),
  replace: replaceFile,
  files: realFiles,
};

const UNACKNOWLEDGED = "signed pings are not acknowledged until it works again; each tries it";

/** At least so long between snapshots: with their own cost, under a second stale. */
const MIN_PAUSE_MS = 500;
const PAUSE_PER_COST = 4;

/** A snapshot of so many bytes, a hundred hosts, costs no more than the syncs around it. */
const SMALL_BYTES = 16_384;
/** Without news, a snapshot is worth so much of the journal: four bytes are written for each there. */
const JOURNAL_PER_SNAPSHOT = 1 / 3;
/** Without news, a snapshot comes after so long at the latest. */
const MAX_AGE_MS = 300_000;

/** Names and addresses of people's homes: for the server's user alone, until its owner opens it. */
const NEW_FILE_MODE = 0o600;

const HINTS: Readonly<Record<string, string>> = {
  EACCES: "the server's user must be able to read the log and to write in its folder",
  ENOENT: "make the folder first, or change client_log_path",
  ENOSPC: "make room on the disk: the server could acknowledge nothing",
  ENOTDIR: "change client_log_path",
  EROFS: "change client_log_path to a folder that can be written to",
};

async function takeLock(lockPath: string, path: string): Promise<Lock> {
  try {
    const lock = await acquireLock(lockPath);
    if (lock.isHeld) return lock;
    const who = lock.pid === undefined ? "" : `, process ${lock.pid}`;
    throw cannotOpen(path, `another dynip server keeps it${who}`, {
      hint: "stop that server, or give this one a client_log_path of its own",
    });
  } catch (error) {
    if (!(error instanceof LockError)) throw error;
    throw cannotOpen(path, `"${lockPath}" is not its lock: ${error.message}`, {
      cause: error,
      hint: "move that file away, or change client_log_path",
    });
  }
}
