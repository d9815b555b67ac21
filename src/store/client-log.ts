/**
 * The client log on disk: a JSON file that the server keeps, and the journal beside it.
 *
 * A change is durable first: it is appended to the journal and synced, see group-commit.ts. The log
 * follows as a snapshot, which replaces the file whole; what the snapshot has, the journal need not
 * keep.
 *
 * - News (a new host, another address, a first signature) is in the log at once, or half a second
 *   after the last snapshot. A snapshot that takes long is followed by a pause of four times as long,
 *   so that snapshots take at most a fifth of the time.
 * - That a host is still where it was is no news: it can wait, because each snapshot wears the disk.
 *   A small log follows within a minute; a large one within five, or when the journal has grown to
 *   half its size.
 *
 * What a person edits in the log meanwhile is taken over, see edits.ts.
 */
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { crc32 } from "node:zlib";

import { type Access, findFile, replaceFile } from "../system/atomic-file.ts";
import { Edits, LOOK_MS, stampOf } from "./edits.ts";
import { encodeClientLog } from "./format.ts";
import { cannotOpen, type ReadLog, readLog, replay } from "./load.ts";
import { LookAlikes } from "./look-alikes.ts";
import { cannot, errorCode, EXIT, reasonOf, UserError } from "../system/errors.ts";
import { type Files, realFiles } from "../system/files.ts";
import { acquireLock, type Lock, LockError } from "./lock.ts";
import { type Done, GroupCommit } from "./group-commit.ts";
import { JournalError, openJournal, type OpenedJournal } from "./recover.ts";
import { canOthersReplace, isMountPoint } from "./surroundings.ts";
import type { HostTable } from "./host-table.ts";
import { NameMap } from "../name-map.ts";
import type { Log } from "../system/log.ts";
import type { Edit, Host } from "../host.ts";

/** What the log uses of the world; the real one unless a test says otherwise. */
export interface ClientLogParts {
  log: Log;
  /** A monotonic clock, in milliseconds. */
  now?: () => number;
  /** For snapshots: resolves after that time, or rejects when the signal is aborted. */
  sleep?: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;
  /** For the journal: the same. */
  gather?: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;
  /** Between two looks at the file, see edits.ts: the same. */
  look?: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;
  replace?: typeof replaceFile;
  files?: Files;
}

/**
 * Opens the log for one server; there need not be one. Nothing is written before
 * {@link ClientLog.begin}. A symbolic link is followed: the file it names is the one that is kept.
 * @param path absolute
 * @throws UserError (exit code 2) when it cannot be read, is not a client log, another server keeps
 *   it, it cannot be replaced, or its folder cannot be written to; all files stay as they are
 */
export async function openClientLog(path: string, parts: ClientLogParts): Promise<ClientLog> {
  const { files = realFiles } = parts;
  let lock: Lock | undefined;
  try {
    const { target, mode } = await findFile(path, files);
    if (await isMountPoint(target, files)) throw cannotOpen(path, ...MOUNTED);
    lock = await takeLock(`${target}.lock`, path);
    const stamp = await stampOf(target, files);
    const found = await readLog(target, path, files);
    const journal = await openJournal(`${target}.journal`, files);
    const replayed = journal.lines.map((line) => replay(line, found.hosts, path));
    return new ClientLog({
      path,
      target,
      mode: mode ?? NEW_FILE_MODE,
      stamp,
      found,
      replayed,
      isNew: mode === undefined,
      isExposed: await canOthersReplace(dirname(target), files),
      journal,
      lock,
      parts,
    });
  } catch (error) {
    await lock?.release();
    if (error instanceof UserError) throw error;
    const hint = error instanceof JournalError ? error.hint : HINTS[errorCode(error) ?? ""];
    throw cannotOpen(path, reasonOf(error), { cause: error, hint });
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
  /** What the file was before it was read, see edits.ts. */
  stamp: string;
  found: ReadLog;
  /** The names that the journal had lines of. */
  replayed: readonly string[];
  isNew: boolean;
  /** Whether another user can replace files in its folder. */
  isExposed: boolean;
  journal: OpenedJournal;
  lock: Lock;
  parts: ClientLogParts;
}

/** An open client log, see {@link openClientLog}. */
export class ClientLog {
  /** The hosts it keeps. Every change of them goes through {@link note} or {@link commit}. */
  readonly hosts: HostTable;
  readonly #opened: OpenedLog;
  readonly #parts: Required<ClientLogParts>;
  readonly #commits: GroupCommit;
  #begun = false;
  #isClosing = false;
  /** When the log began to lack something that is known, by the clock; undefined: it has all. */
  #staleSince: number | undefined;
  /** Aborted when a snapshot should not wait longer. */
  #due = new AbortController();
  /** Aborted to end the pause after a snapshot. */
  #pause = new AbortController();
  /** The size of the last snapshot, and of what the journal got since then. */
  #snapshotBytes: number;
  #journalBytes = 0;
  readonly #failing = new Set<string>();
  #writing: Promise<void> | undefined;
  readonly #edits: Edits;
  readonly #watch = new AbortController();
  #watching: Promise<void> | undefined;
  /** The hosts that are new since the last snapshot. */
  #unwritten: NameMap<true>;
  readonly #lookAlikes: LookAlikes;
  readonly #listeners: ((edit: Edit) => void)[] = [];
  /** The log of DynIP 0.1e until it is kept. */
  #old: Uint8Array | undefined;

  constructor(opened: OpenedLog) {
    const { hosts, bytes, carriedOver } = opened.found;
    this.hosts = hosts;
    this.#opened = opened;
    this.#snapshotBytes = bytes?.length ?? 0;
    if (carriedOver > 0) this.#old = bytes;
    this.#parts = { ...REAL_PARTS, ...opened.parts };
    this.#commits = new GroupCommit({
      hosts: this.hosts,
      write: (lines) => this.#journal(lines),
      committed: (hasNews, firsts) => this.#committed(hasNews, firsts),
      now: this.#parts.now,
      gather: this.#parts.gather,
    });
    this.#unwritten = this.#noNames();
    for (const name of opened.replayed) this.#unwritten.set(name, true);
    this.#lookAlikes = new LookAlikes(hosts);
    this.#edits = new Edits(
      {
        ...this.#parts,
        path: opened.path,
        target: opened.target,
        hosts,
        commits: this.#commits,
        isUnwritten: (name) => this.#unwritten.get(name) !== undefined,
        edited: (edit) => this.#tell(edit),
      },
      opened.stamp,
      bytes,
    );
  }

  /** The file that is kept: the one that a symbolic link names. */
  get target(): string {
    return this.#opened.target;
  }

  /**
   * Begins to keep the log: makes a new one; carries over one of DynIP 0.1e; writes what the journal
   * had into it. Called when the server is sure to run, so that a server that cannot start changes
   * nothing.
   */
  begin(): void {
    const { path, found, isNew, isExposed, journal } = this.#opened;
    const { carriedOver } = found;
    const { log } = this.#parts;
    this.#begun = true;
    if (isExposed) {
      log.warn(
        `other users can write to the folder of client log "${path}", and this server is root`,
        "run the server as a user of its own, or give the log a folder that only root can write to",
      );
    }
    if (carriedOver > 0) log.log(`carried over ${hostCount(carriedOver)} that DynIP 0.1e recorded`);
    if (journal.lines.length > 0) log.info(`replayed ${journal.lines.length} lines of the journal`);
    if (journal.tails > 0) void this.#setAside();
    if (isNew || carriedOver > 0 || journal.isLeftOver) this.#changed(true);
    for (const [name, host] of this.hosts) this.#forgetLookAlikes(name, host);
    this.#watching = this.#watchFile();
  }

  /**
   * Has a listener told of every host that is added or removed without a ping, from now on, once
   * `hosts` has it or has it no more. If the disk refuses, that is durable with the next snapshot.
   */
  subscribe(listener: (edit: Edit) => void): void {
    this.#listeners.push(listener);
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
   * @throws UserError (exit code 2) when the last snapshot cannot be written; what was durable is in
   *   the journal then
   */
  async close(): Promise<void> {
    const { path, lock } = this.#opened;
    const { journal } = this.#opened.journal;
    this.#isClosing = true;
    this.#due.abort();
    this.#pause.abort();
    this.#watch.abort();
    await this.settled();
    await this.#writing;
    await this.#watching;
    try {
      if (this.#begun && (await this.#edits.isEdited())) this.#staleSince ??= this.#parts.now();
      while (this.#staleSince !== undefined) await this.#snapshot(true);
      // A log that never began has the lines of the journal in no snapshot.
      await (this.#begun ? journal.remove() : journal.close());
    } catch (error) {
      await journal.close();
      throw cannot("write client log", path, reasonOf(error), {
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
    const wasFailing = this.#failing.has(JOURNAL);
    const isDurable = await this.#attempt(JOURNAL, UNACKNOWLEDGED, () =>
      this.#opened.journal.journal.append(parts),
    );
    // What the journal does not have is in the log soon. When the disk works again, so does a snapshot.
    if (isDurable === wasFailing) this.#hurry();
    return isDurable;
  }

  async #setAside(): Promise<void> {
    const { path, journal } = this.#opened;
    const { log } = this.#parts;
    const what = `the end of the journal of client log "${path}" is damaged; no ping in it was acknowledged`;
    try {
      const copies = (await journal.journal.setAside()).map((copy) => `"${copy}"`).join(" and ");
      log.warn(what, `it is set aside as ${copies}; delete that when you do not need it`);
    } catch (error) {
      log.warn(what, `it could not be set aside: ${reasonOf(error)}`);
    }
  }

  /** Looks now and then whether somebody edited the log. */
  async #watchFile(): Promise<void> {
    const { signal } = this.#watch;
    while (!this.#isClosing) {
      await this.#parts.look(LOOK_MS, signal).catch(() => {});
      if (!this.#isClosing && (await this.#edits.isEdited())) this.#changed(true);
    }
  }

  #committed(hasNews: boolean, firsts: readonly [name: string, host: Host][]): void {
    for (const [name, host] of firsts) {
      this.#unwritten.set(name, true);
      this.#forgetLookAlikes(name, host);
    }
    this.#changed(hasNews);
  }

  #forgetLookAlikes(name: string, host: Host): void {
    const alike = this.#lookAlikes.add(name, host);
    for (const plain of alike?.plain ?? []) {
      void this.#commits.forget(plain).then((isForgotten) => {
        if (!isForgotten) return;
        this.#parts.log.log(`forgot ${plain}: the signed name ${alike!.signed} replaces it`);
        this.#tell({ name: plain, kind: "removed" });
      });
    }
  }

  #tell(edit: Edit): void {
    for (const listener of this.#listeners) {
      try {
        listener(edit);
      } catch (error) {
        this.#parts.log.error(`This is a bug in dynip: ${String(error)}`);
      }
    }
  }

  #changed(hasNews: boolean): void {
    this.#staleSince ??= this.#parts.now();
    const isLarge = this.#snapshotBytes > SMALL_BYTES;
    const isGrown = this.#journalBytes >= this.#snapshotBytes * JOURNAL_PER_SNAPSHOT;
    if (hasNews || (isLarge && isGrown)) this.#due.abort();
    this.#writing ??= this.#writeWhileStale();
  }

  /** The next snapshot neither waits for news nor for the end of a pause after a failure. */
  #hurry(): void {
    this.#due.abort();
    if (this.#failing.has(LOG)) this.#pause.abort();
  }

  async #writeWhileStale(): Promise<void> {
    const { now, sleep } = this.#parts;
    let failures = 0;
    while (this.#staleSince !== undefined && !this.#isClosing) {
      const maxAge = this.#snapshotBytes > SMALL_BYTES ? MAX_AGE_MS : MAX_AGE_OF_SMALL_MS;
      const age = now() - this.#staleSince;
      if (!this.#due.signal.aborted) await sleep(maxAge - age, this.#due.signal).catch(() => {});
      if (this.#isClosing) break;
      // Without a journal nothing is acknowledged before the next snapshot, so it cannot wait.
      const isUrgent = this.#failing.has(JOURNAL);
      if (!isUrgent && !(await this.#edits.takeOver(true))) {
        this.#due.abort();
        this.#pause = new AbortController();
        if (!this.#isClosing) await sleep(LOOK_MS, this.#pause.signal).catch(() => {});
        continue;
      }
      const start = now();
      const isWritten = await this.#attempt(LOG, RETRIED, () => this.#snapshot(isUrgent));
      failures = isWritten ? 0 : failures + 1;
      if (!isWritten) this.#due.abort();
      const cost = now() - start;
      const backOff = Math.min(MIN_PAUSE_MS * 2 ** Math.max(0, failures - 1), MAX_BACK_OFF_MS);
      this.#pause = new AbortController();
      if (this.#isClosing) break;
      await sleep(Math.max(backOff, PAUSE_PER_COST * cost), this.#pause.signal).catch(() => {});
    }
    this.#writing = undefined;
  }

  /**
   * Writes a snapshot, unless the file is edited meanwhile: then another one is due.
   * @param isUrgent whether an edited file is taken over at once, or was by now
   */
  async #snapshot(isUrgent: boolean): Promise<void> {
    const { path, target, mode } = this.#opened;
    const { journal } = this.#opened.journal;
    if (isUrgent) await this.#edits.takeOver(false);
    await this.#keepOld();
    const staleSince = this.#staleSince;
    const unwritten = this.#unwritten;
    this.#staleSince = undefined;
    this.#unwritten = this.#noNames();
    this.#due = new AbortController();
    this.#journalBytes = 0;
    let bytes = 0;
    let crc = 0;
    try {
      // What the journal has is in `hosts` already, so that the snapshot will have it, too.
      await journal.rotate();
      const slices = encodeClientLog(this.hosts).map((slice) => {
        bytes += slice.length;
        crc = crc32(slice, crc);
        return slice;
      });
      const access: Access = {
        mode,
        onOwnerLost: (error) => this.#ownerLost(error),
        beforeRename: async (written) => {
          if (!(await this.#edits.isAboutToReplace(written, crc))) throw new EditedError();
        },
      };
      await this.#parts.replace(target, slices, access, this.#parts.files);
      this.#edits.hasReplaced();
      await journal.cover();
    } catch (error) {
      this.#staleSince = staleSince ?? this.#parts.now();
      for (const [name] of unwritten) this.#unwritten.set(name, true);
      if (!(error instanceof EditedError)) throw error;
      this.#due.abort();
      return;
    }
    this.#snapshotBytes = bytes;
    this.#parts.log.debug(`wrote client log "${path}": ${hostCount(this.hosts.size)}`);
  }

  /** Keeps the log of DynIP 0.1e beside the first snapshot, unless one was kept before. */
  async #keepOld(): Promise<void> {
    if (this.#old === undefined) return;
    const { target, mode } = this.#opened;
    const { files, log, replace } = this.#parts;
    const copy = `${target}.0.1e`;
    if (await isThere(copy, files)) {
      log.log(`the log of DynIP 0.1e is not kept: there is a "${copy}" already`);
    } else {
      await replace(copy, [new TextDecoder().decode(this.#old)], { mode }, files);
      log.log(`kept the log of DynIP 0.1e as "${copy}"`);
    }
    this.#old = undefined;
  }

  #noNames(): NameMap<true> {
    return new NameMap((name) => this.hosts.hashOf(name));
  }

  /** Whether the disk took it. A failure is said once, until it works again. */
  async #attempt(part: string, hint: string, write: () => Promise<void>): Promise<boolean> {
    const { path } = this.#opened;
    const { log } = this.#parts;
    try {
      await write();
    } catch (error) {
      if (!this.#failing.has(part)) {
        log.error(`Cannot write ${part} "${path}": ${reasonOf(error)}`, hint);
      }
      this.#failing.add(part);
      return false;
    }
    if (this.#failing.delete(part)) log.warn(`${part} "${path}" is written again`);
    return true;
  }

  #ownerLost(error: unknown): void {
    this.#parts.log.warn(
      `Cannot keep the owner of client log "${this.#opened.path}": ${reasonOf(error)}`,
      "it belongs to the server's user now; run the server as its owner, or as root",
    );
  }
}

const REAL_PARTS: Omit<Required<ClientLogParts>, "log"> = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal }),
  gather: (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal }),
  look: (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal }),
  replace: replaceFile,
  files: realFiles,
};

/** Somebody edited the log after it was taken over last. */
class EditedError extends Error {}

async function isThere(path: string, files: Files): Promise<boolean> {
  try {
    await files.lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** What is written, as messages call it. */
const LOG = "client log";
const JOURNAL = "the journal of client log";

const UNACKNOWLEDGED = "signed pings are not acknowledged until it works again; each tries it";
const RETRIED = "it is tried again until it works, at least once a minute";

/** The pause between two snapshots: with the snapshot itself, news is in the log within a second. */
const MIN_PAUSE_MS = 500;
const PAUSE_PER_COST = 4;
/** After failures the pause doubles each time, up to this: each try writes the whole log. */
const MAX_BACK_OFF_MS = 60_000;

/** A log up to this size, about a hundred hosts, is small. */
const SMALL_BYTES = 16_384;
/** How late a snapshot without news may be. */
const MAX_AGE_OF_SMALL_MS = 60_000;
const MAX_AGE_MS = 300_000;
/** A large log is written when the journal has this share of its size. */
const JOURNAL_PER_SNAPSHOT = 1 / 2;

/** The log tells where people live: only the user of the server may read it, until its owner opens it. */
const NEW_FILE_MODE = 0o600;

const MOUNTED: [problem: string, options: { hint: string }] = [
  "it is a mount point, so that it cannot be replaced",
  { hint: "mount its folder instead of the single file" },
];

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
