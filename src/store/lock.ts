/**
 * A lock file, so that two servers never keep one client log.
 *
 * The lock is the operating system's, taken by SQLite, which Bun ships and which locks on every
 * system that Bun runs on. It ends with its process, however that ends: the file that a killed server
 * leaves behind does not stop the next one.
 */
import { lstat, readFile, realpath, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { constants, Database, SQLiteError } from "bun:sqlite";

import { NotAFileError } from "../system/atomic-file.ts";
import { errorCode } from "../system/errors.ts";
import { realFiles } from "../system/files.ts";
import { identityOf, type OpenMode, openOwn } from "./own-file.ts";

/** The file at the lock's path was not made for the lock. */
export class LockError extends Error {}

/** A lock that is held. */
export interface Lock {
  readonly isHeld: true;
  /** Gives the lock up and removes its file. */
  release(): Promise<void>;
}

/** A lock that another process holds. */
export interface Refusal {
  readonly isHeld: false;
  /** The other process; undefined when it has not written that yet. */
  readonly pid: number | undefined;
}

/**
 * Locks the file at `path`, which exists for the lock only and is made when it is missing.
 * @returns the lock, or who holds it
 * @throws LockError when the file is not a lock: a symbolic link, a second name of another file, another
 *   user's file, or a file with other content; the operating system's error, such as ENOSPC
 */
export async function acquireLock(path: string): Promise<Lock | Refusal> {
  for (let attempt = 1; ; attempt++) {
    const before = await openFile(path);
    if (before === undefined) continue;
    let database: Database | undefined;
    try {
      database = await lockDatabase(path);
    } catch (error) {
      // The last holder may have removed the file meanwhile.
      const isGone = error instanceof SQLiteError && error.code?.startsWith("SQLITE_CANTOPEN");
      if (!isGone || attempt >= MAX_ATTEMPTS) throw error;
      continue;
    }
    if (database === undefined) return { isHeld: false, pid: await readHolder(path) };
    // Removed after it was opened? A lock on that file stops no other server.
    if (before === (await identityAt(path))) {
      held.add(database);
      return { isHeld: true, release: () => release(path, database) };
    }
    database.close();
  }
}

const MAX_ATTEMPTS = 100;

/** Refers to the databases of the locks that are held: the collector closes others. */
const held = new Set<Database>();

/**
 * Makes the file unless it is there.
 * @returns its identity; undefined when it was made or removed meanwhile: to be tried again
 */
async function openFile(path: string): Promise<string | undefined> {
  const file = (await openIfPossible(path, "write")) ?? (await openIfPossible(path, "create"));
  if (file === undefined) return undefined;
  try {
    // A power cut can leave the length of the file without its content, and that is no database.
    const bytes = await file.handle.readFile();
    if (bytes.length === 0 || bytes.some((byte) => byte !== 0)) return identityOf(file.stats);
    await rm(path, { force: true });
    return undefined;
  } finally {
    await file.handle.close();
  }
}

async function openIfPossible(path: string, mode: OpenMode) {
  try {
    return await openOwn(path, mode, realFiles);
  } catch (error) {
    if (error instanceof NotAFileError) throw new LockError(error.message, { cause: error });
    if (errorCode(error) === (mode === "create" ? "EEXIST" : "ENOENT")) return undefined;
    throw error;
  }
}

/** The database at `path`, locked; undefined when another process has locked it. */
async function lockDatabase(path: string): Promise<Database | undefined> {
  // SQLite follows no symbolic link then, in the folder's path neither.
  const real = join(await realpath(dirname(path)), basename(path));
  let database: Database | undefined;
  try {
    const { SQLITE_OPEN_READWRITE, SQLITE_OPEN_NOFOLLOW } = constants;
    database = new Database(real, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW);
    database.run("PRAGMA journal_mode = MEMORY"); // no second file beside it
    database.run("PRAGMA locking_mode = EXCLUSIVE"); // held from the first write on
    database.run(`PRAGMA user_version = ${process.pid}`);
    return database;
  } catch (error) {
    const code = error instanceof SQLiteError ? error.code : undefined;
    // Removed while locked, see release().
    if (code === "SQLITE_FULL") await rm(path, { force: true });
    database?.close();
    switch (code) {
      case "SQLITE_BUSY":
        return undefined;
      case "SQLITE_FULL":
        throw Object.assign(new Error("the disk is full", { cause: error }), { code: "ENOSPC" });
      case "SQLITE_NOTADB":
      case "SQLITE_CORRUPT":
        throw new LockError("it has other content", { cause: error });
      default:
        throw error;
    }
  }
}

async function release(path: string, database: Database): Promise<void> {
  // Removed while locked, so that no other process has locked a file that goes away. Windows removes no
  // open file; there a file that another process has opened meanwhile stays.
  if (process.platform !== "win32") await rm(path, { force: true });
  held.delete(database);
  database.close();
  if (process.platform === "win32") await rm(path, { force: true }).catch(() => {});
}

/** The process that wrote its id by {@link lockDatabase}: SQLite's file format, 1.3.13. */
async function readHolder(path: string): Promise<number | undefined> {
  const header = await readFile(path).catch(() => undefined);
  const pid = header && header.length >= 64 ? header.readInt32BE(60) : 0;
  return pid > 0 ? pid : undefined;
}

/** Tells a file from another one that took its name; undefined when there is none. */
async function identityAt(path: string): Promise<string | undefined> {
  try {
    return identityOf(await lstat(path, { bigint: true }));
  } catch {
    return undefined;
  }
}
