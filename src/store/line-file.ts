/**
 * A file of lines that dynip only appends to. It is opened anew each time, so that a person may rename
 * it or cut it off while the server runs. A crash may leave the beginning of a line at its end: the
 * next line begins behind it, on a line of its own.
 */
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

import { syncFolder } from "../system/atomic-file.ts";
import { errorCode } from "../system/errors.ts";
import { type Files, realFiles } from "../system/files.ts";
import { openOwn } from "./own-file.ts";

/** A file of lines, which need not be there. */
export class LineFile {
  readonly #path: string;
  readonly #files: Files;

  /** @param path absolute; its folder must be there */
  constructor(path: string, files: Files = realFiles) {
    this.#path = path;
    this.#files = files;
  }

  /**
   * Appends whole lines, durably. Makes the file, for its owner alone, if there is none.
   * @param lines each with its newline
   * @throws NotAFileError when it is a link or no file of ours; the operating system's error. Part of
   *   the lines may be in the file then
   */
  async append(lines: string): Promise<void> {
    const { handle, stats } = await openOwn(this.#path, "append", this.#files);
    const size = Number(stats.size);
    try {
      const isTorn = size > 0 && (await readAt(handle, size - 1, 1))[0] !== NEWLINE;
      await handle.writeFile(isTorn ? `\n${lines}` : lines);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (size === 0) await syncFolder(dirname(this.#path), this.#files);
  }

  /**
   * The whole lines at the end of the file, without their newlines; none where there is no file. The
   * last line counts although it has no newline: it may be whole.
   * @param maxBytes from how many bytes at the end
   * @throws NotAFileError, as {@link append}; the operating system's error
   */
  async lastLines(maxBytes: number): Promise<string[]> {
    const file = await openOwn(this.#path, "read", this.#files).catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (file === undefined) return [];
    const { handle, stats } = file;
    try {
      const from = Math.max(0, Number(stats.size) - maxBytes);
      const lines = new TextDecoder()
        .decode(await readAt(handle, from, Number(stats.size) - from))
        .split("\n");
      return from === 0 ? lines : lines.slice(1);
    } finally {
      await handle.close();
    }
  }
}

const NEWLINE = 0x0a;

/** Fewer bytes than `length` where the file ends before. */
async function readAt(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.alloc(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await handle.read(bytes, at, length - at, position + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}
