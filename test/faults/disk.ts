/**
 * A disk for tests: the real one, whose every operation is counted and may fail, with a model beside
 * it of what a power cut would leave.
 *
 * The model is what POSIX promises and no more. Of what was written to a file since it was last synced,
 * each page of 4 KiB may be there or not, in any order; a page that is not there is as it was when the
 * file was last synced, or zero where the file had no such page. A file that was made, renamed or
 * removed since its folder was last synced may be so or not, each for itself; the changes of one name
 * keep their order, as on every file system with a journal, unless told otherwise. One folder, with no
 * folders in it.
 */
import { type BigIntStats, constants, fstatSync, readFileSync, readSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { basename, join } from "node:path";

import { type Files, realFiles } from "../../src/system/files.ts";
import type { Random } from "../fuzz/random.ts";

/** The error that an operation, counted from 1, ends with; undefined for none. */
export type Fault = (index: number, operation: string) => Error | undefined;

/**
 * What becomes of that which was not synced: all of it is lost, or kept, or nothing but removals
 * (which is bad luck for those who remove too early), or as it happens.
 */
export type Luck = "none" | "all" | "removals" | Random;

/** Files by name. */
export type Contents = Map<string, Buffer>;

/** A page of a file that is not synced. */
export interface Page {
  readonly name: string;
  /** Counted from 0. */
  readonly index: number;
}

export const PAGE_BYTES = 4096;

/** An operating system's error. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export class Disk {
  readonly files: Files;
  /** The operations so far: `write dynip.json.journal.1`. */
  readonly operations: string[] = [];
  /** Handles that were opened and not closed. */
  openHandles = 0;
  readonly #folder: string;
  readonly #fault: Fault;
  /** Nothing has an effect from now on: the power is gone. */
  #isOff = false;
  readonly #now = new Map<string, Inode>();
  readonly #durable = new Map<string, Inode>();
  #unsynced: Move[] = [];

  /** @param names the files that are in the folder, durably */
  constructor(folder: string, names: readonly string[], fault: Fault) {
    this.#folder = folder;
    this.#fault = fault;
    for (const name of names) {
      const inode = { durable: readFileSync(join(folder, name)), unsynced: [] };
      this.#now.set(name, inode);
      this.#durable.set(name, inode);
    }
    this.files = {
      lstat: this.#counted("lstat"),
      realpath: this.#counted("realpath"),
      readFile: this.#counted("readFile"),
      stat: this.#counted("stat"),
      open: (path: string, flags: string | number, mode?: number) => this.#open(path, flags, mode),
      rename: (from: string, to: string) => this.#rename(from, to),
      rm: (path: string) => this.#rm(path),
    } as unknown as Files;
  }

  /** Whatever is done after this has no effect; what an operation did by then stays. */
  powerOff(): void {
    this.#isOff = true;
  }

  /**
   * What is in the folder after a power cut now.
   * @param isOrdered false: of two changes of one name the later may be kept alone
   */
  cut(luck: Luck, isOrdered = true): Contents {
    const entries = new Map(this.#durable);
    const lost = new Set<string>();
    for (const move of this.#unsynced) {
      const isKept = isLucky(move, luck);
      if (isKept && !(isOrdered && move.some(([name]) => lost.has(name)))) apply(move, entries);
      else for (const [name] of move) lost.add(name);
    }
    return new Map([...entries].map(([name, inode]) => [name, contentOf(inode, luck)]));
  }

  /**
   * The pages that are not as they were when their file was last synced, and what a power cut now
   * leaves if all files survive it, and of these pages only some.
   */
  image(): { pages: Page[]; cut: (kept: readonly Page[]) => Contents } {
    const files = [...this.#now].map(([name, { durable, unsynced }]) => ({
      name,
      durable,
      now: unsynced.at(-1) ?? durable,
    }));
    const pages = files.flatMap(({ name, durable, now }) =>
      Array.from({ length: Math.ceil(now.length / PAGE_BYTES) }, (_, index) => ({
        name,
        index,
      })).filter(({ index }) => !pageOf(now, index).equals(pageOf(durable, index))),
    );
    const cut = (kept: readonly Page[]): Contents =>
      new Map(
        files.map(({ name, durable, now }) => {
          const bytes = Buffer.alloc(now.length);
          durable.copy(bytes);
          for (const page of kept) {
            if (page.name === name) pageOf(now, page.index).copy(bytes, page.index * PAGE_BYTES);
          }
          return [name, bytes];
        }),
      );
    return { pages, cut };
  }

  /** Counts an operation, and does it or has it fail, in part where it has parts. */
  async #operate<T>(
    operation: string,
    path: string,
    act: () => Promise<T>,
    part?: () => Promise<unknown>,
  ): Promise<T> {
    this.operations.push(`${operation} ${basename(path)}`);
    const wasOff = this.#isOff;
    const error = this.#fault(this.operations.length, operation);
    if (error === undefined) return await act();
    if (!wasOff) await part?.();
    throw error;
  }

  #counted(operation: "lstat" | "readFile" | "realpath" | "stat") {
    const act = realFiles[operation] as (...args: unknown[]) => Promise<unknown>;
    return (path: string, ...args: unknown[]) =>
      this.#operate(operation, path, () => act(path, ...args));
  }

  async #open(path: string, flags: string | number, mode?: number): Promise<FileHandle> {
    // Readable, so that the model can see what was written.
    const readable = flags === "w" || flags === "wx" || flags === "a" ? `${flags}+` : flags;
    const handle = await this.#operate("open", path, () => realFiles.open(path, readable, mode));
    this.openHandles++;
    const isFolder = path === this.#folder;
    const isReadOnly =
      typeof flags === "number" && (flags & (constants.O_WRONLY | constants.O_RDWR)) === 0;
    const name = basename(path);
    if (!isFolder && !isReadOnly && !this.#now.has(name)) {
      this.#move([[name, { durable: Buffer.alloc(0), unsynced: [] }]]);
    }
    return this.#wrap(handle, path, isFolder ? undefined : this.#now.get(name));
  }

  /** The calls that src/ makes of a handle; any other is a TypeError, to be added here. */
  #wrap(handle: FileHandle, path: string, inode: Inode | undefined): FileHandle {
    const change = (
      operation: string,
      act: () => Promise<unknown>,
      part?: () => Promise<unknown>,
    ) => this.#operate(operation, path, act, part).finally(() => note(handle, inode!));
    const sync = (operation: string) => {
      const seen = inode ? inode.unsynced.length : this.#unsynced.length;
      return this.#operate(operation, path, async () => {
        await handle.sync();
        if (inode) {
          inode.durable = inode.unsynced.splice(0, seen).at(-1) ?? inode.durable;
        } else {
          for (const move of this.#unsynced.splice(0, seen)) apply(move, this.#durable);
        }
      });
    };
    const close = async () => {
      this.openHandles--;
      await handle.close();
    };
    return {
      stat: (): Promise<BigIntStats> =>
        this.#operate("fstat", path, () => handle.stat({ bigint: true })),
      readFile: () => this.#operate("read", path, () => handle.readFile()),
      write: (bytes: Buffer, offset: number, length: number, position: number) =>
        change(
          "write",
          () => handle.write(bytes, offset, length, position),
          () => handle.write(bytes, offset, length >> 1, position),
        ),
      writeFile: (data: string | Uint8Array) =>
        change(
          "writeFile",
          () => handle.writeFile(data),
          () => handle.writeFile(data.slice(0, data.length >> 1)),
        ),
      chown: (uid: number, gid: number) =>
        this.#operate("chown", path, () => handle.chown(uid, gid)),
      chmod: (mode: number) => this.#operate("chmod", path, () => handle.chmod(mode)),
      sync: () => sync("sync"),
      datasync: () => sync("datasync"),
      // The system has closed the file even where it reports an error (close(2), "NOTES").
      close: () => (this.#isOff ? close() : this.#operate("close", path, close, close)),
    } as unknown as FileHandle;
  }

  #rename(from: string, to: string): Promise<void> {
    return this.#operate("rename", from, async () => {
      await realFiles.rename(from, to);
      const inode = this.#now.get(basename(from))!;
      this.#move([
        [basename(from), undefined],
        [basename(to), inode],
      ]);
    });
  }

  #rm(path: string): Promise<void> {
    return this.#operate("rm", path, async () => {
      await realFiles.rm(path, { force: true });
      if (this.#now.has(basename(path))) this.#move([[basename(path), undefined]]);
    });
  }

  #move(move: Move): void {
    apply(move, this.#now);
    this.#unsynced.push(move);
  }
}

interface Inode {
  durable: Buffer;
  /** What it was after each change since then. */
  unsynced: Buffer[];
}

/** What a change of the folder makes of its names, at once. */
type Move = [name: string, inode: Inode | undefined][];

function apply(move: Move, entries: Map<string, Inode>): void {
  for (const [name, inode] of move) {
    if (inode) entries.set(name, inode);
    else entries.delete(name);
  }
}

function isLucky(move: Move, luck: Luck): boolean {
  if (luck === "removals") return move.every(([, inode]) => inode === undefined);
  return luck === "all" || (luck !== "none" && luck.once(2));
}

/** Remembers what a file is now. */
function note({ fd }: FileHandle, inode: Inode): void {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  for (let done = 0; done < bytes.length;) {
    done += readSync(fd, bytes, done, bytes.length - done, done);
  }
  const last = inode.unsynced.at(-1) ?? inode.durable;
  if (!bytes.equals(last)) inode.unsynced.push(bytes);
}

/** Each page as it was at some time since the last sync, and the length of some other time. */
function contentOf({ durable, unsynced }: Inode, luck: Luck): Buffer {
  const versions = [durable, ...unsynced];
  if (luck === "none" || luck === "removals") return durable;
  if (luck === "all") return versions.at(-1)!;
  const bytes = Buffer.alloc(luck.pick(versions).length);
  for (let index = 0; index * PAGE_BYTES < bytes.length; index++) {
    pageOf(luck.pick(versions), index).copy(bytes, index * PAGE_BYTES);
  }
  return bytes;
}

/** A page of a file as it was, zeros where it had none. */
function pageOf(bytes: Buffer, index: number): Buffer {
  const page = Buffer.alloc(PAGE_BYTES);
  bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES).copy(page);
  return page;
}
