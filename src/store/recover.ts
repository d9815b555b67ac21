/**
 * Reads the journal that a server before this one left: its two files, see seal.ts, and those of dynip
 * 0.2.0, `….journal.old` and `….journal`, whose lines have no seals.
 *
 * What follows the last good seal of a file was never acknowledged: it is kept as `….bad` and passed
 * over. A whole batch behind a break says that the disk, or somebody, damaged what was acknowledged:
 * then nothing is touched and the server does not start.
 */
import { isUtf8 } from "node:buffer";

import { NotAFileError } from "../system/atomic-file.ts";
import { type Files, realFiles } from "../system/files.ts";
import { Journal, type JournalLine, type Tail } from "./journal.ts";
import { identityOf, readOwn } from "./own-file.ts";
import { type Contents, readContents } from "./seal.ts";
import { Slot } from "./slot.ts";

export interface OpenedJournal {
  readonly journal: Journal;
  /** What servers before this one left, oldest first. */
  readonly lines: readonly JournalLine[];
  /** How many files {@link Journal.setAside} has something to keep of. */
  readonly tails: number;
  /** Whether there are files that a snapshot makes superfluous. */
  readonly isLeftOver: boolean;
}

/** The journal cannot be read: what was acknowledged is damaged, or no file of ours stands there. */
export class JournalError extends Error {
  /** What to do about it. */
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/**
 * Opens the journal whose files are named `path` and a number; there need not be any. Nothing is
 * written.
 * @throws JournalError; the operating system's error
 */
export async function openJournal(path: string, files: Files = realFiles): Promise<OpenedJournal> {
  const old = await readOldJournal(path, files);
  const found = [await readSlot(`${path}.1`, files), await readSlot(`${path}.2`, files)] as const;
  const [first, second] = found;
  const isFirstNewer = generationOf(first) >= generationOf(second);
  const [newer, older] = isFirstNewer ? [first, second] : [second, first];
  const last = newer.contents.batches.at(-1);
  const oldest = last?.oldest ?? FIRST_GENERATION;
  refuseDamage(newer, oldest);
  refuseDamage(older, oldest);
  if (last && oldest < last.generation) refuseLoss(older, newer);

  const lines = [...old.lines];
  if (generationOf(older) >= oldest) lines.push(...linesOf(older));
  lines.push(...linesOf(newer));
  const tails = found.flatMap(tailOf);
  const journal = new Journal({
    slots: [slotOf(first, files), slotOf(second, files)],
    current: isFirstNewer ? 0 : 1,
    generation: last?.generation ?? FIRST_GENERATION,
    oldest,
    end: newer.contents.end,
    obsolete: old.paths,
    tails,
    files,
  });
  const isLeftOver = old.paths.length > 0 || found.some(({ identity }) => identity !== undefined);
  return { journal, lines, tails: tails.length, isLeftOver };
}

const FIRST_GENERATION = 1;

const NOT_OURS = "all is left as it is; find out where that comes from, and move it away";

/** One of the two files, as it was found. */
interface Found {
  readonly path: string;
  readonly bytes: Buffer;
  /** See {@link identityOf}; undefined where there is no file. */
  readonly identity: string | undefined;
  readonly contents: Contents;
}

async function readSlot(path: string, files: Files): Promise<Found> {
  const file = await readFile(path, files);
  const bytes = file?.bytes ?? Buffer.alloc(0);
  const identity = file && identityOf(file.stats);
  return { path, bytes, identity, contents: readContents(bytes) };
}

function slotOf({ path, identity, bytes, contents }: Found, files: Files): Slot {
  if (identity === undefined) return new Slot(path, files);
  return new Slot(path, files, { identity, size: bytes.length, used: contents.tailEnd });
}

/** The generation of a file; 0 where it has no whole batch. */
function generationOf({ contents }: Found): number {
  return contents.batches[0]?.generation ?? 0;
}

function tailOf({ path, bytes, contents: { end, tailEnd } }: Found): Tail[] {
  return tailEnd === end ? [] : [{ path, bytes: bytes.subarray(end, tailEnd) }];
}

/** @param oldest the lowest generation that is in no durable snapshot */
function refuseDamage({ path, bytes, contents }: Found, oldest: number): void {
  // A stray batch of a lower generation is one that was being overwritten.
  const whole = contents.stray.find(({ generation }) => generation >= oldest);
  if (whole === undefined) return;
  const from = lineAt(bytes, contents.end);
  const next = lineAt(bytes, whole.start);
  const damaged = from >= next - 1 ? `line ${from}` : `lines ${from} to ${next - 1}`;
  throw new JournalError(
    `its journal "${path}", line ${from}: a damaged batch, with a whole one behind it in line ${next}`,
    `all is left as it is; delete ${damaged} to do without them, or move that file away to do without all of it`,
  );
}

/** The older file is needed, and has been there since the newer one was begun. */
function refuseLoss({ path, identity, contents }: Found, newer: Found): void {
  if (identity === undefined || contents.batches.length > 0) return;
  throw new JournalError(
    `its journal "${path}", line 1: a damaged batch, and "${newer.path}" builds on it`,
    "all is left as it is; move that file away to do without what was in it",
  );
}

function linesOf({ path, bytes, contents }: Found): JournalLine[] {
  const lines: JournalLine[] = [];
  let number = 1;
  for (const { start, bytes: length } of contents.batches) {
    const texts = bytes
      .subarray(start, start + length)
      .toString("utf8")
      .split("\n");
    texts.pop(); // behind the last newline
    for (const text of texts) lines.push({ text, where: `"${path}", line ${number++}` });
    number++; // the seal
  }
  return lines;
}

/** The number of the line that an offset is in, counted from 1. */
function lineAt(bytes: Buffer, offset: number): number {
  let number = 1;
  for (let at = bytes.indexOf("\n"); at !== -1 && at < offset; at = bytes.indexOf("\n", at + 1)) {
    number++;
  }
  return number;
}

interface OldJournal {
  readonly lines: readonly JournalLine[];
  /** The files that are there, in the order in which they are to be removed. */
  readonly paths: readonly string[];
}

/** The journal of dynip 0.2.0. A last line without its newline was never acknowledged. */
async function readOldJournal(path: string, files: Files): Promise<OldJournal> {
  const lines: JournalLine[] = [];
  const paths: string[] = [];
  for (const name of [`${path}.old`, path]) {
    const file = await readFile(name, files);
    if (file === undefined) continue;
    paths.push(name);
    const whole = file.bytes.subarray(0, file.bytes.lastIndexOf("\n") + 1);
    if (!isUtf8(whole)) throw new Error(`its journal "${name}" is not UTF-8 text`);
    const texts = whole.toString("utf8").split("\n").slice(0, -1);
    lines.push(...texts.map((text, index) => ({ text, where: `"${name}", line ${index + 1}` })));
  }
  return { lines, paths };
}

async function readFile(path: string, files: Files): ReturnType<typeof readOwn> {
  try {
    return await readOwn(path, files);
  } catch (error) {
    if (!(error instanceof NotAFileError)) throw error;
    throw new JournalError(`its journal "${path}": ${error.message}`, NOT_OURS, { cause: error });
  }
}
