/**
 * One of the two files of the journal. It is made once, grows in steps of 64 kB of zeros and is then
 * written over and over, never cut: overwriting costs the disk one flush, growing two. Behind what was
 * written last are zeros.
 */
import type { FileHandle } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { crc32 } from "node:zlib";

import { NotAFileError, syncFolder } from "../system/atomic-file.ts";
import { errorCode } from "../system/errors.ts";
import type { Files } from "../system/files.ts";
import { identityOf, openOwn } from "./own-file.ts";

/** Something other than this server changed a journal file while it was in use. */
export class ChangedError extends Error {}

/** A file of the journal as it was found at the start. */
export interface FoundFile {
  /** See {@link identityOf}. */
  readonly identity: string;
  readonly size: number;
  /** Behind this offset are zeros. */
  readonly used: number;
}

/** A file that is written at given offsets. One call at a time. */
export class Slot {
  readonly path: string;
  readonly #files: Files;
  #handle: FileHandle | undefined;
  /** See {@link identityOf}; undefined until the file was opened. */
  #identity: string | undefined;
  /** The size of the file; after a write that failed it may be up to `#maxSize`. */
  #size = 0;
  #maxSize = 0;
  /** Bytes that are not zero may stand up to here. */
  #used = 0;
  /** Whether the folder has the file, durably. */
  #isInFolder = false;

  /** @param found the file, if it was read at the start */
  constructor(path: string, files: Files, found?: FoundFile) {
    this.path = path;
    this.#files = files;
    if (found === undefined) return;
    this.#identity = found.identity;
    this.#size = this.#maxSize = found.size;
    this.#used = found.used;
  }

  /**
   * Opens the file, or makes it. Nothing that it holds is needed: what was changed is made anew.
   * @throws the operating system's error
   */
  async prepare(): Promise<void> {
    try {
      await this.verify();
      await this.#open();
    } catch (error) {
      if (!(error instanceof ChangedError)) throw error;
      await this.remove();
      await this.#open();
    }
  }

  /**
   * Writes a batch at `at`, durably: its lines, then its seal.
   * @param lines in parts, each written off the main thread before the next is asked for
   * @param sealOf makes the seal of lines of this length in bytes, with this CRC-32
   * @returns the offset behind the seal
   * @throws ChangedError; the operating system's error. Bytes may stand behind `at` then, which the
   *   next batch overwrites.
   */
  async write(
    at: number,
    lines: Iterable<string>,
    sealOf: (bytes: number, crc: number) => string,
  ): Promise<number> {
    await this.verify();
    const handle = await this.#open();
    try {
      let end = at;
      let crc = 0;
      let part: Buffer = Buffer.alloc(0);
      for (const text of lines) {
        end = await this.#writeAt(handle, end, part);
        part = Buffer.from(text);
        crc = crc32(part, crc);
      }
      const seal = Buffer.from(sealOf(end + part.length - at, crc));
      const sealed = end + part.length + seal.length;
      const target = this.#endOfZeros(sealed);
      const zeros = Buffer.alloc(Math.min(target - sealed, MAX_ZEROS));
      end = await this.#writeAt(handle, end, Buffer.concat([part, seal, zeros]));
      while (end < target) {
        end = await this.#writeAt(handle, end, Buffer.alloc(Math.min(target - end, MAX_ZEROS)));
      }
      await handle.datasync();
      this.#size = this.#maxSize;
      this.#used = sealed;
      return sealed;
    } catch (error) {
      // The file system may have gone and come back: the next write opens the file anew.
      await this.close().catch(() => {});
      throw error;
    }
  }

  /**
   * Checks that the file is as this slot left it, if it was opened before.
   * @throws ChangedError when it is not; the operating system's error
   */
  async verify(): Promise<void> {
    if (this.#identity === undefined) return;
    const stats = await this.#files.lstat(this.path, { bigint: true }).catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") throw this.#changed("removed");
      throw error;
    });
    if (identityOf(stats) !== this.#identity) throw this.#changed("replaced");
    if (stats.nlink > 1n) throw this.#changed("given a second name");
    const size = Number(stats.size);
    if (size < this.#size) throw this.#changed("cut off");
    if (size > this.#maxSize) throw this.#changed("written to");
  }

  /** Removes the file and forgets it. */
  async remove(): Promise<void> {
    await this.#forget().catch(() => {});
    await this.#files.rm(this.path, { force: true });
  }

  /** Closes the file; the next write opens it again. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle === undefined) {
      const { handle, stats } = await this.#openOrMake();
      this.#handle = handle;
      if (this.#identity === undefined) {
        this.#identity = identityOf(stats);
        this.#size = this.#maxSize = this.#used = Number(stats.size);
      } else if (this.#identity !== identityOf(stats)) {
        await this.close();
        throw this.#changed("replaced");
      }
    }
    const handle = this.#handle;
    try {
      if (!this.#isInFolder) await syncFolder(dirname(this.path), this.#files);
      this.#isInFolder = true;
      return handle;
    } catch (error) {
      await this.close().catch(() => {});
      throw error;
    }
  }

  async #openOrMake() {
    try {
      return await openOwn(this.path, "write", this.#files);
    } catch (error) {
      if (error instanceof NotAFileError) throw this.#changed(`replaced: ${error.message}`);
      if (errorCode(error) !== "ENOENT" || this.#identity !== undefined) throw error;
      return await openOwn(this.path, "create", this.#files);
    }
  }

  async #forget(): Promise<void> {
    this.#identity = undefined;
    this.#isInFolder = false;
    await this.close();
  }

  /** Up to where zeros are written behind a batch: over what stands there, or to the next step. */
  #endOfZeros(end: number): number {
    const size = end > this.#size ? Math.ceil(end / STEP) * STEP : end;
    return Math.max(size, this.#used);
  }

  async #writeAt(handle: FileHandle, at: number, bytes: Buffer): Promise<number> {
    const end = at + bytes.length;
    this.#maxSize = Math.max(this.#maxSize, end);
    this.#used = Math.max(this.#used, end);
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done);
      done += bytesWritten;
    }
    return end;
  }

  #changed(how: string): ChangedError {
    return new ChangedError(`while the server ran, its file "${basename(this.path)}" was ${how}`);
  }
}

const STEP = 65_536;
const MAX_ZEROS = 1_048_576;
