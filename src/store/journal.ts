/**
 * The journal beside the client log: accepted pings, synced before they are acknowledged, so that none
 * is lost whatever happens before the next snapshot.
 *
 * Two files take turns, `….journal.1` and `….journal.2`. When a snapshot begins, appends go to the
 * other file, with a higher generation, if that file is not needed any more: the snapshot before is
 * durable, and the current file says so. While the server runs nothing is renamed, cut or removed. The
 * bytes are those of seal.ts; recover.ts reads them.
 */
import { dirname } from "node:path";

import { syncFolder } from "../system/atomic-file.ts";
import type { Files } from "../system/files.ts";
import { openOwn } from "./own-file.ts";
import { encodeSeal } from "./seal.ts";
import { ChangedError, type Slot } from "./slot.ts";

/** A line of a journal, and where it stands. */
export interface JournalLine {
  readonly text: string;
  /** `"dynip.json.journal.1", line 3`. */
  readonly where: string;
}

/** What stands in a file behind its last good seal. */
export interface Tail {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A journal as it was found. */
export interface FoundJournal {
  readonly slots: readonly [Slot, Slot];
  /** The index of the file that appends go to. */
  readonly current: number;
  readonly generation: number;
  /** The lowest generation that is in no durable snapshot; `generation` or one less. */
  readonly oldest: number;
  /** The offset behind the last seal of the current file. */
  readonly end: number;
  /** Files of dynip 0.2.0, to be removed in this order when a snapshot has what is in them. */
  readonly obsolete: readonly string[];
  readonly tails: readonly Tail[];
  readonly files: Files;
}

/** Appends to a journal. One call at a time is under way; the others wait their turn. */
export class Journal {
  readonly #slots: readonly [Slot, Slot];
  readonly #files: Files;
  #current: number;
  #generation: number;
  #oldest: number;
  #end: number;
  /** What the last seal of the current file says that `#oldest` is. */
  #sealedOldest: number;
  #obsolete: readonly string[];
  #tails: readonly Tail[];
  /** How the files were changed from outside; nothing is appended until a snapshot has all. */
  #changed: ChangedError | undefined;
  /** Whether the snapshot that is being written began after that. */
  #isMadeGood = false;
  #turn: Promise<unknown> = Promise.resolve();

  /** For recover.ts alone. */
  constructor(found: FoundJournal) {
    this.#slots = found.slots;
    this.#files = found.files;
    this.#current = found.current;
    this.#generation = found.generation;
    this.#oldest = this.#sealedOldest = found.oldest;
    this.#end = found.end;
    this.#obsolete = found.obsolete;
    this.#tails = found.tails;
  }

  /**
   * Keeps what was found behind the last good seals: copies it to `….bad`, before it is overwritten.
   * @returns the paths of the copies
   * @throws the operating system's error; the journal can be used all the same
   */
  setAside(): Promise<string[]> {
    return this.#inTurn(async () => {
      const copies: string[] = [];
      for (const { path, bytes } of this.#tails) {
        copies.push(`${path}.bad`);
        await this.#keep(`${path}.bad`, bytes);
      }
      if (copies.length > 0) await syncFolder(dirname(copies[0]!), this.#files);
      this.#tails = [];
      return copies;
    });
  }

  /**
   * Appends whole lines, durably: one sync for all of them.
   * @param lines in parts, each written off the main thread before the next is asked for
   * @throws ChangedError when something else changed the files: nothing can be appended then until a
   *   snapshot that begins later is durable. The operating system's error: the journal is as it was
   *   before.
   */
  append(lines: Iterable<string>): Promise<void> {
    return this.#inTurn(() => this.#append(lines));
  }

  /** A snapshot begins: what is appended from now on need not be in it. */
  rotate(): Promise<void> {
    return this.#inTurn(async () => {
      this.#isMadeGood = this.#changed !== undefined;
      // The other file is needed while the snapshot before is not durable.
      if (this.#isMadeGood || this.#end === 0 || this.#oldest < this.#generation) return;
      // The current file has to say that the other is not needed before that is overwritten.
      if (this.#sealedOldest < this.#generation) await this.#append([]);
      const other = 1 - this.#current;
      await this.#slots[other]!.prepare();
      this.#current = other;
      this.#generation++;
      this.#end = 0;
    });
  }

  /** The snapshot is durable that began with the last {@link rotate}. */
  cover(): Promise<void> {
    return this.#inTurn(async () => {
      this.#oldest = this.#generation;
      await this.#removeObsolete();
      if (!this.#isMadeGood) return;
      await this.#removeSlots();
      this.#generation = this.#oldest = this.#generation + 1;
      this.#end = 0;
      this.#changed = undefined;
      this.#isMadeGood = false;
    });
  }

  /** Removes the files: all that is in them is in a durable snapshot. Ends its use. */
  remove(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#removeObsolete();
      await this.#removeSlots();
    });
  }

  /** Ends its use and leaves the files. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      for (const slot of this.#slots) await slot.close();
    });
  }

  async #append(lines: Iterable<string>): Promise<void> {
    if (this.#changed) throw this.#changed;
    const generation = this.#generation;
    const oldest = this.#oldest;
    try {
      if (oldest < generation) await this.#slots[1 - this.#current]!.verify();
      this.#end = await this.#slots[this.#current]!.write(this.#end, lines, (bytes, crc) =>
        encodeSeal({ bytes, generation, oldest }, crc),
      );
      this.#sealedOldest = oldest;
    } catch (error) {
      if (error instanceof ChangedError) this.#changed = error;
      throw error;
    }
  }

  /**
   * The older file first, durably: left alone, it would be replayed over what the newer one changed, and
   * forget a host that has come back. The current file is the older one until something is appended.
   */
  async #removeSlots(): Promise<void> {
    const older = this.#end === 0 ? this.#current : 1 - this.#current;
    await this.#slots[older]!.remove();
    await syncFolder(dirname(this.#slots[older]!.path), this.#files);
    await this.#slots[1 - older]!.remove();
  }

  async #removeObsolete(): Promise<void> {
    for (const path of this.#obsolete) await this.#files.rm(path, { force: true });
    this.#obsolete = [];
  }

  async #keep(path: string, bytes: Uint8Array): Promise<void> {
    await this.#files.rm(path, { force: true });
    const { handle } = await openOwn(path, "create", this.#files);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act);
    this.#turn = result.catch(() => {});
    return result;
  }
}
