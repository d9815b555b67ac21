/**
 * Writes reproducible tar archives in the ustar format (POSIX.1-1988). All entries have user and
 * group 0 and the same time. Bun.Archive writes the current time and cannot set permissions.
 */
import { type Entry, modeOf } from "./archive.ts";

/**
 * A tar archive of files.
 * @param time the modification time of all entries, in seconds since 1970
 * @throws Error when a name has more than 100 bytes
 */
export function tar(entries: readonly Entry[], time: number): Uint8Array<ArrayBuffer> {
  const size = entries.reduce((sum, { bytes }) => sum + BLOCK + padded(bytes.length), 2 * BLOCK);
  const archive = new Uint8Array(size);
  let offset = 0;
  for (const entry of entries) {
    archive.set(header(entry, time), offset);
    archive.set(entry.bytes, offset + BLOCK);
    offset += BLOCK + padded(entry.bytes.length);
  }
  return archive; // ends with two empty blocks
}

const BLOCK = 512;
const NAME_BYTES = 100;

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function header(entry: Entry, time: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const text = (offset: number, value: string): void => {
    new TextEncoder().encodeInto(value, block.subarray(offset));
  };
  const octal = (offset: number, digits: number, value: number): void =>
    text(offset, value.toString(8).padStart(digits, "0"));
  if (entry.name.length > NAME_BYTES)
    throw new Error(`Cannot archive "${entry.name}": too long a name for tar`);
  text(0, entry.name);
  octal(100, 7, modeOf(entry));
  octal(108, 7, 0); // user
  octal(116, 7, 0); // group
  octal(124, 11, entry.bytes.length);
  octal(136, 11, time);
  text(148, " ".repeat(8)); // the checksum field counts as spaces in the checksum
  text(156, "0"); // a regular file
  text(257, "ustar\0" + "00");
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}
