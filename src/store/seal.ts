/**
 * The bytes of a journal file: batches, each of them lines and a seal.
 *
 *     "nas": {"ipv4":{"address":"203.0.113.7",…},"counter":"000640f8d1c2b3a5"}
 *     "attic-pi": {"ipv4":{…}}
 *     = 312 17 16 0b5c3a9e
 *
 * The seal says how many bytes of lines it closes, the generation of the file, the lowest generation
 * that was in no durable snapshot at that time, and a CRC-32 of all that precedes it in the batch. A
 * batch without a good seal never came to its end: a disk may write the pages of a file in any order,
 * so a power cut can leave old bytes or zeros in the middle of it. Behind the last batch are zeros.
 * Pure.
 */
import { crc32 } from "node:zlib";

/** What a seal says of its batch. */
export interface Seal {
  /** How many bytes of lines it closes. */
  readonly bytes: number;
  /** Counts how often the two files took turns. */
  readonly generation: number;
  /** Batches of a lower generation are in a durable snapshot. */
  readonly oldest: number;
}

/** A batch whose seal is good, and where it stands in the file. */
export interface Batch extends Seal {
  readonly start: number;
  /** The offset behind the seal. */
  readonly end: number;
}

/** What a journal file holds. */
export interface Contents {
  /** The batches from the beginning of the file, all of one generation. */
  readonly batches: readonly Batch[];
  /** The offset behind the last of them. */
  readonly end: number;
  /** The offset behind the last byte that is not zero; at least `end`. */
  readonly tailEnd: number;
  /** Whole batches behind `end`: older ones that were being overwritten, or a sign of damage. */
  readonly stray: readonly Batch[];
}

/**
 * The seal of a batch.
 * @param linesCrc the CRC-32 of its lines
 */
export function encodeSeal({ bytes, generation, oldest }: Seal, linesCrc: number): string {
  const head = `= ${bytes} ${generation} ${oldest} `;
  return `${head}${crc32(head, linesCrc).toString(16).padStart(8, "0")}\n`;
}

/** Reads a journal file, which may be damaged anywhere. */
export function readContents(file: Buffer): Contents {
  const batches: Batch[] = [];
  let end = 0;
  for (;;) {
    const batch = decodeBatch(file, findSeal(file, end), end);
    if (batch?.start !== end) break;
    if (batch.generation !== (batches[0] ?? batch).generation) break;
    batches.push(batch);
    end = batch.end;
  }
  return {
    batches,
    end,
    tailEnd: Math.max(end, lengthWithoutZeros(file)),
    stray: strays(file, end),
  };
}

/** The most bytes that a line can have that is a seal. */
const MAX_SEAL_BYTES = 64;
const SEAL = /^= (\d{1,15}) (\d{1,15}) (\d{1,15}) [0-9a-f]{8}\n$/;
const LINE_END = 10;

/** The offset of the first line from `from` on that begins as a seal; -1 when there is none. */
function findSeal(file: Buffer, from: number): number {
  if (from === 0 && file.indexOf("= ") === 0) return 0;
  // From the newline before `from`, so that the line at `from` itself counts.
  const newline = file.indexOf("\n= ", Math.max(0, from - 1));
  return newline === -1 ? -1 : newline + 1;
}

/** The batch whose seal stands at this offset, if it is good and begins at `from` or behind it. */
function decodeBatch(file: Buffer, sealStart: number, from: number): Batch | undefined {
  if (sealStart === -1) return undefined;
  const line = file.subarray(sealStart, sealStart + MAX_SEAL_BYTES);
  const text = line.subarray(0, line.indexOf(LINE_END) + 1).toString("latin1");
  const match = SEAL.exec(text);
  if (!match) return undefined;
  const [bytes, generation, oldest] = match.slice(1).map(Number) as [number, number, number];
  const start = sealStart - bytes;
  if (start < from) return undefined;
  const seal = { bytes, generation, oldest };
  if (encodeSeal(seal, crc32(file.subarray(start, sealStart))) !== text) return undefined;
  return { ...seal, start, end: sealStart + text.length };
}

function strays(file: Buffer, from: number): Batch[] {
  const found: Batch[] = [];
  for (let at = findSeal(file, from); at !== -1; at = findSeal(file, at + 1)) {
    const batch = decodeBatch(file, at, from);
    if (batch) found.push(batch);
  }
  return found;
}

function lengthWithoutZeros(file: Buffer): number {
  let length = file.length;
  while (length > 0 && file[length - 1] === 0) length--;
  return length;
}
