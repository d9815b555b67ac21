/**
 * The journal beside the client log: one line per accepted ping, synced, so that what has been
 * acknowledged survives whatever comes before the next snapshot.
 *
 * Two files: lines are appended to `….journal`; when a snapshot begins, that becomes
 * `….journal.old`, which is removed once the snapshot is durable. After a crash both are read, the
 * old one first. A last line without its newline is what an append leaves that did not come to its
 * end; it was never acknowledged.
 */
import { isUtf8 } from "node:buffer";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

import { NotAFileError, readWhole, syncFolder } from "../system/atomic-file.ts";
import { errorCode } from "../system/errors.ts";
import { type Files, realFiles } from "../system/files.ts";

/** Appends to a journal. One call at a time is under way; the others wait their turn. */
export class Journal {
  readonly #path: string;
  readonly #files: Files;
  #file: FileHandle | undefined;
  /** How much of the file is whole lines, in bytes. */
  #length: number;
  /** Bytes of an append that failed may stand behind `#length`. */
  #isTorn: boolean;
  /** Whether the folder is known to have the file, durably. */
  #isInFolder = false;
  #turn: Promise<unknown> = Promise.resolve();

  /** For {@link openJournal} alone. */
  constructor(path: string, length: number, isTorn: boolean, files: Files) {
    this.#path = path;
    this.#files = files;
    this.#length = length;
    this.#isTorn = isTorn;
  }

  /**
   * Appends whole lines, durably: one sync for all of them.
   * @param lines in parts, each written off the main thread before the next is asked for
   * @throws the operating system's error; the journal is then as it was before, and can be used
   */
  append(lines: string | Iterable<string>): Promise<void> {
    return this.#inTurn(async () => {
      try {
        const file = (this.#file ??= await this.#open());
        if (!this.#isInFolder) await syncFolder(dirname(this.#path), this.#files);
        this.#isInFolder = true;
        if (this.#isTorn) await file.truncate(this.#length);
        this.#isTorn = true;
        let end = this.#length;
        for (const part of typeof lines === "string" ? [lines] : lines) {
          const bytes = Buffer.from(part);
          for (let done = 0; done < bytes.length;) {
            const { bytesWritten } = await file.write(bytes, done, bytes.length - done, end);
            done += bytesWritten;
            end += bytesWritten;
          }
        }
        await file.datasync();
        this.#length = end;
        this.#isTorn = false;
      } catch (error) {
        // The file system may have gone and come back: the next append opens the file anew.
        await this.#close().catch(() => {});
        throw error;
      }
    });
  }

  /**
   * Begins a new file; what has been appended is in the old one. Does nothing while there is an old
   * one already, whose snapshot did not come to its end.
   */
  rotate(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#length === 0 || (await this.#exists(oldPath(this.#path)))) return;
      if (this.#isTorn) {
        await (this.#file ??= await this.#open()).truncate(this.#length);
        this.#isTorn = false;
      }
      await this.#close(); // Windows renames no open file
      if (await this.#exists(this.#path)) {
        await this.#files.rename(this.#path, oldPath(this.#path));
        // Before a new one takes the name: a disk that kept only that would have lost the old one.
        await syncFolder(dirname(this.#path), this.#files);
      }
      this.#length = 0;
      this.#isInFolder = false;
    });
  }

  /** Removes the old file: what is in it is in a durable snapshot. */
  dropOld(): Promise<void> {
    return this.#inTurn(() => this.#files.rm(oldPath(this.#path), { force: true }));
  }

  /** Removes all of the journal, and ends its use. */
  remove(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#close();
      // The older first: left alone, it would be replayed over what the newer had changed.
      await this.#files.rm(oldPath(this.#path), { force: true });
      await this.#files.rm(this.#path, { force: true });
    });
  }

  /** Ends its use and leaves the files. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#close());
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #open(): Promise<FileHandle> {
    // Not for appending: a torn append is written over, at its place.
    if (await this.#exists(this.#path)) return await this.#files.open(this.#path, "r+");
    const file = await this.#files.open(this.#path, "wx+", 0o600);
    // Whoever took the old one away has taken what was in it; the next snapshot has that.
    this.#length = 0;
    this.#isInFolder = false;
    return file;
  }

  async #exists(path: string): Promise<boolean> {
    try {
      await this.#files.stat(path);
      return true;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    }
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act);
    this.#turn = result.catch(() => {});
    return result;
  }
}

/** A line of a journal, and where it stands. */
export interface JournalLine {
  readonly text: string;
  /** `"dynip.json.journal", line 3`. */
  readonly where: string;
}

/**
 * Opens the journal at `path`, where there need not be one.
 * @returns it, and the lines that a server before left there, oldest first
 * @throws the operating system's error
 */
export async function openJournal(
  path: string,
  files: Files = realFiles,
): Promise<{ journal: Journal; lines: JournalLine[] }> {
  const old = await readLines(oldPath(path), files);
  const { lines, length, isTorn } = await readLines(path, files);
  return { journal: new Journal(path, length, isTorn, files), lines: [...old.lines, ...lines] };
}

function oldPath(path: string): string {
  return `${path}.old`;
}

async function readLines(
  path: string,
  files: Files,
): Promise<{ lines: JournalLine[]; length: number; isTorn: boolean }> {
  const bytes = await readWhole(path, files).catch((error: unknown) => {
    if (!(error instanceof NotAFileError)) throw error;
    throw new NotAFileError(`its journal "${path}": ${error.message}`);
  });
  if (bytes === undefined) return { lines: [], length: 0, isTorn: false };
  const length = bytes.lastIndexOf("\n") + 1;
  if (!isUtf8(bytes.subarray(0, length)))
    throw new Error(`its journal "${path}" is not UTF-8 text`);
  const whole = bytes.subarray(0, length).toString("utf8");
  const texts = length === 0 ? [] : whole.slice(0, -1).split("\n");
  const lines = texts.map((text, index) => ({ text, where: `"${path}", line ${index + 1}` }));
  return { lines, length, isTorn: length < bytes.length };
}
