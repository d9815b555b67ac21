/**
 * A lock on a file, so that two servers never keep the same one.
 *
 * It is the operating system's own lock, by way of SQLite, which Bun ships and which locks on
 * every system that Bun runs on. It ends with its process, however that ends: what a killed server
 * leaves behind is in nobody's way.
 */
import { lstat, open, readFile, rm, stat } from "node:fs/promises";

import { Database, SQLiteError } from "bun:sqlite";

/** The file is one that cannot be locked, such as one that was made for something else. */
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
  /** The other process, if it has said so already. */
  readonly pid: number | undefined;
}

/**
 * Locks the file at `path`, which is made for that and holds nothing else.
 * @returns the lock, or who holds it
 * @throws the operating system's error when the file cannot be made; LockError
 */
export async function acquireLock(path: string): Promise<Lock | Refusal> {
  for (;;) {
    const there = await lstat(path).catch(() => undefined);
    if (there && !there.isFile()) throw new LockError("it is not a regular file");
    await (await open(path, "a", 0o600)).close();
    await removeIfBlank(path);
    const before = await inode(path);
    const database = lockDatabase(path);
    if (database === undefined) return { isHeld: false, pid: await readHolder(path) };
    // The holder before may have removed its file since: a lock on that keeps nobody out.
    if (before !== undefined && before === (await inode(path))) {
      held.add(database);
      return { isHeld: true, release: () => release(path, database) };
    }
    database.close();
  }
}

/** The databases behind the locks: one that nothing refers to is closed by the collector. */
const held = new Set<Database>();

function lockDatabase(path: string): Database | undefined {
  let database: Database | undefined;
  try {
    database = new Database(path);
    database.run("PRAGMA journal_mode = MEMORY"); // no second file beside it
    database.run("PRAGMA locking_mode = EXCLUSIVE"); // held from the first write on
    database.run(`PRAGMA user_version = ${process.pid}`);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof SQLiteError && error.code === "SQLITE_BUSY") return undefined;
    throw new LockError((error as Error).message, { cause: error });
  }
}

async function release(path: string, database: Database): Promise<void> {
  // Removed while still held, so that nobody's lock is on a file that goes away; Windows removes
  // no open file, and there a file that somebody has opened meanwhile just stays.
  if (process.platform !== "win32") await rm(path, { force: true });
  held.delete(database);
  database.close();
  if (process.platform === "win32") await rm(path, { force: true }).catch(() => {});
}

/** A power cut may leave the file with its length and without its content, which is no database. */
async function removeIfBlank(path: string): Promise<void> {
  const bytes = await readFile(path);
  if (bytes.length > 0 && bytes.every((byte) => byte === 0)) await rm(path, { force: true });
}

/** The process that {@link lockDatabase} wrote into the file: SQLite's file format, 1.3.13. */
async function readHolder(path: string): Promise<number | undefined> {
  const header = await readFile(path).catch(() => undefined);
  const pid = header && header.length >= 64 ? header.readInt32BE(60) : 0;
  return pid > 0 ? pid : undefined;
}

/** What tells a file from another that took its name; undefined when there is none. */
async function inode(path: string): Promise<bigint | undefined> {
  try {
    return (await stat(path, { bigint: true })).ino;
  } catch {
    return undefined;
  }
}
