/**
 * The client log on disk: the JSON file that the server keeps, loaded at start and replaced whole
 * after changes.
 *
 * A change is written at once, unless the log has just been written: then the next snapshot waits
 * half a second, or four times as long as the last one took, so that writing never takes more than
 * a fifth of the time. What could not be written stays in memory and is tried again.
 */
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

import { findFile, replaceFile } from "./atomic-file.ts";
import { ClientLogFormatError, decodeClientLog, encodeClientLog } from "./client-log-format.ts";
import { errorCode, EXIT, reasonOf, UserError } from "./errors.ts";
import { acquireLock, type Lock, LockError } from "./lock.ts";
import type { Log } from "./log.ts";
import type { Hosts } from "./registry.ts";

/** What the log uses of the world; the real one unless a test says otherwise. */
export interface ClientLogParts {
  log: Log;
  /** A monotonic clock, in milliseconds. */
  now?: () => number;
  /** Resolves after so many milliseconds, or rejects when the signal is aborted. */
  sleep?: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;
  replace?: typeof replaceFile;
}

/**
 * Opens the log for one server; there need not be one. Nothing is written before
 * {@link ClientLog.begin}. A symbolic link is followed: the file it names is the one that is kept.
 * @param path absolute
 * @throws UserError (exit code 2) when it cannot be read, is not a client log, another server keeps
 *   it, or its folder cannot be written to; whatever is there stays as it is
 */
export async function openClientLog(path: string, parts: ClientLogParts): Promise<ClientLog> {
  let lock: Lock | undefined;
  try {
    const { target, mode } = await findFile(path);
    lock = await takeLock(`${target}.lock`, path);
    if (!lock) {
      throw cannotOpen(path, "another dynip server keeps it", {
        hint: "stop that server, or give this one a client_log_path of its own",
      });
    }
    const { hosts, carriedOver } = await readLog(target, path);
    return new ClientLog({
      path,
      target,
      mode: mode ?? NEW_FILE_MODE,
      hosts,
      carriedOver,
      isNew: mode === undefined,
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
  hosts: Hosts;
  carriedOver: number;
  isNew: boolean;
  lock: Lock;
  parts: ClientLogParts;
}

/** An open client log, see {@link openClientLog}. */
export class ClientLog {
  /** The hosts it keeps: whoever changes them calls {@link changed}. */
  readonly hosts: Hosts;
  readonly #opened: OpenedLog;
  readonly #parts: Required<ClientLogParts>;
  readonly #closing = new AbortController();
  #dirty = false;
  #failing = false;
  #writing: Promise<void> | undefined;

  constructor(opened: OpenedLog) {
    this.hosts = opened.hosts;
    this.#opened = opened;
    this.#parts = { ...REAL_PARTS, ...opened.parts };
  }

  /**
   * Begins to keep the log: a new one is made, one of DynIP 0.1e is written in our format. Called
   * when the server is sure to run, so that one that could not start has changed nothing.
   */
  begin(): void {
    const { carriedOver, isNew } = this.#opened;
    if (carriedOver > 0) {
      this.#parts.log.log(`carried over ${hostCount(carriedOver)} that DynIP 0.1e recorded`);
    }
    if (isNew || carriedOver > 0) this.changed();
  }

  /** Says that `hosts` has changed: a snapshot of it is written soon. Returns at once. */
  changed(): void {
    this.#dirty = true;
    this.#writing ??= this.#writeWhileDirty();
  }

  /**
   * Writes what is not written yet and gives the log up. Nothing may change after this.
   * @throws UserError (exit code 2) when the last snapshot cannot be written
   */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing;
    try {
      if (this.#dirty) await this.#snapshot();
    } catch (error) {
      throw new UserError(this.#failure(error), {
        exitCode: EXIT.clientLog,
        hint: "the pings that were accepted since it was written last are lost",
        cause: error,
      });
    } finally {
      await this.#opened.lock.release();
    }
  }

  async #writeWhileDirty(): Promise<void> {
    while (this.#dirty && !this.#closing.signal.aborted) {
      const start = this.#parts.now();
      await this.#trySnapshot();
      const cost = this.#parts.now() - start;
      const pause = Math.max(MIN_PAUSE_MS, PAUSE_PER_COST * cost);
      await this.#parts.sleep(pause, this.#closing.signal).catch(() => {});
    }
    this.#writing = undefined;
  }

  async #trySnapshot(): Promise<void> {
    try {
      await this.#snapshot();
      if (this.#failing) this.#parts.log.warn(`client log "${this.#opened.path}" is written again`);
      this.#failing = false;
    } catch (error) {
      this.#dirty = true;
      // Said once: a full disk would fill up with the news of itself.
      if (!this.#failing)
        this.#parts.log.error(this.#failure(error), "it is tried again until it works");
      this.#failing = true;
    }
  }

  async #snapshot(): Promise<void> {
    this.#dirty = false;
    const { target, mode } = this.#opened;
    await this.#parts.replace(target, encodeClientLog(this.hosts), mode);
    this.#parts.log.debug(`wrote client log "${this.#opened.path}": ${hostCount(this.hosts.size)}`);
  }

  #failure(error: unknown): string {
    return `Cannot write client log "${this.#opened.path}": ${reasonOf(error)}`;
  }
}

const REAL_PARTS: Omit<Required<ClientLogParts>, "log"> = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal }),
  replace: replaceFile,
};

/** At least so long between snapshots: with their own cost, under a second stale. */
const MIN_PAUSE_MS = 500;
const PAUSE_PER_COST = 4;

/** Names and addresses of people's homes: for the server's user alone, until its owner opens it. */
const NEW_FILE_MODE = 0o600;

const HINTS: Readonly<Record<string, string>> = {
  EACCES: "the server's user must be able to read the log and to write in its folder",
  ENOENT: "make the folder first, or change client_log_path",
  ENOTDIR: "change client_log_path",
  EROFS: "change client_log_path to a folder that can be written to",
};

async function takeLock(lockPath: string, path: string): Promise<Lock | undefined> {
  try {
    return await acquireLock(lockPath);
  } catch (error) {
    if (error instanceof LockError) {
      throw cannotOpen(path, `"${lockPath}" is not its lock: ${error.message}`, {
        cause: error,
        hint: "move that file away, or change client_log_path",
      });
    }
    throw error;
  }
}

async function readLog(target: string, path: string): Promise<ReturnType<typeof decodeClientLog>> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(target);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return { hosts: new Map(), carriedOver: 0 };
    throw error;
  }
  try {
    return decodeClientLog(decodeText(bytes));
  } catch (error) {
    if (!(error instanceof ClientLogFormatError)) throw error;
    throw cannotOpen(path, error.message, {
      cause: error,
      hint: "it is left as it is; mend it, or move it away to start with no hosts",
    });
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    // A byte order mark is kept, so that it is refused: it would be lost at the next snapshot.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ClientLogFormatError("it is not UTF-8 text");
  }
}

function cannotOpen(
  path: string,
  problem: string,
  { hint, cause }: { hint?: string | undefined; cause?: unknown } = {},
): UserError {
  const message = `Cannot open client log "${path}": ${problem}`;
  return new UserError(message, { exitCode: EXIT.clientLog, hint, cause });
}
