/**
 * Writes reproducible zip archives (PKWARE's APPNOTE.TXT). Entries are deflated and have the same time.
 * An entry must be smaller than 4 GiB. Neither Bun nor Node can write zip archives.
 */
import { promisify } from "node:util";
import { crc32, deflateRaw } from "node:zlib";

import { type Entry, modeOf } from "./archive.ts";

/**
 * A zip archive of files.
 * @param time the modification time of all entries, in seconds since 1970; written as UTC
 */
export async function zip(entries: readonly Entry[], time: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = new TextEncoder().encode(entry.name);
    const data = await promisify(deflateRaw)(entry.bytes);
    const shared = fields(
      [2, VERSION],
      [2, 0], // flags
      [2, DEFLATED],
      [4, dosTime(time)],
      [4, crc32(entry.bytes)],
      [4, data.length],
      [4, entry.bytes.length],
      [2, name.length],
      [2, 0], // no extra fields
    );
    directory.push(
      fields([4, 0x02014b50], [2, (UNIX << 8) | VERSION]),
      shared,
      fields([2, 0], [2, 0], [2, 0], [4, (REGULAR_FILE | modeOf(entry)) * 2 ** 16], [4, offset]),
      name,
    );
    const local = [fields([4, 0x04034b50]), shared, name, data];
    parts.push(...local);
    offset += lengthOf(local);
  }
  const count = entries.length;
  const end = fields(
    [4, 0x06054b50],
    [2, 0], // this disk, and the directory's
    [2, 0],
    [2, count],
    [2, count],
    [4, lengthOf(directory)],
    [4, offset],
    [2, 0], // no comment
  );
  return Buffer.concat([...parts, ...directory, end]);
}

const VERSION = 20; // 2.0: deflate
const DEFLATED = 8;
const UNIX = 3; // the attributes are Unix permissions
const REGULAR_FILE = 0o100000;

/** Writes numbers in little-endian order, each with its size in bytes. */
function fields(...numbers: readonly (readonly [size: 2 | 4, value: number])[]): Uint8Array {
  const bytes = new Uint8Array(numbers.reduce((sum, [size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const [size, value] of numbers) {
    if (size === 2) view.setUint16(offset, value, true);
    else view.setUint32(offset, value, true);
    offset += size;
  }
  return bytes;
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/** The date (upper 16 bits) and the time of MS-DOS, in steps of two seconds. */
function dosTime(seconds: number): number {
  const time = new Date(seconds * 1000);
  const date =
    ((time.getUTCFullYear() - 1980) << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate();
  const clock =
    (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1);
  return date * 2 ** 16 + clock;
}
