/**
 * What a person does to the client log while the server runs. A host whose line was removed is
 * forgotten, and a host that was added is taken over; a line whose name was changed is both. Changes of
 * other lines are not taken over: the server's records are newer.
 *
 * The file is looked at every two seconds and before it is replaced: its inode, size and time tell
 * whether the server wrote it, and where they differ, its content does.
 *
 * A host is kept although its line is missing
 * - if it is not in the log that the server wrote last;
 * - if it pinged after the file was written, or a ping of it is on its way to the disk;
 * - if it was new or moved at most five seconds before: the editor may have read an older log.
 *
 * A file that is no client log may be half written, so the log is not replaced for five minutes; then
 * the file is kept as `….edited`.
 */
import type { BigIntStats } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";

import { readWhole, syncFolder } from "../system/atomic-file.ts";
import { errorCode, reasonOf } from "../system/errors.ts";
import type { Files } from "../system/files.ts";
import type { Log } from "../system/log.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { HostTable } from "./host-table.ts";
import { decodeMeanwhile, lastSeen } from "./load.ts";
import { openOwn } from "./own-file.ts";
import type { Edit, Host } from "../host.ts";

/** How often the file is looked at, in milliseconds. */
export const LOOK_MS = 2000;

export interface EditsParts {
  /** The log, as the user knows it and as it is. */
  path: string;
  target: string;
  hosts: HostTable;
  commits: GroupCommit;
  /** Whether a host is not in the log that the server wrote last. */
  isUnwritten: (name: string) => boolean;
  /** Called for each host that was added to `hosts`, or removed from them. */
  edited: (edit: Edit) => void;
  log: Log;
  /** A monotonic clock, in milliseconds. */
  now: () => number;
  files: Files;
}

/** A file that the server wrote or read. */
interface Version {
  readonly stamp: string;
  readonly crc: number;
}

/** What a file is where there is none. */
const MISSING = "missing";

/** What the log's file is: see {@link Edits}. */
export async function stampOf(target: string, files: Files): Promise<string> {
  try {
    return stampIn(await files.stat(target, { bigint: true }));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return MISSING;
    throw error;
  }
}

/** Finds and takes over what a person does to the log. */
export class Edits {
  readonly #parts: EditsParts;
  /** What the file is without an edit: the last version, or the one that is about to be. */
  #last: Version;
  #next: Version | undefined;
  /** Since when the file cannot be taken over, and how often it was looked at since then. */
  #heldBack: { since: number; looks: number } | undefined;

  /** @param stamp of the file, before `bytes` were read from it */
  constructor(parts: EditsParts, stamp: string, bytes: Uint8Array | undefined) {
    this.#parts = parts;
    this.#last = { stamp, crc: crc32(bytes ?? "") };
  }

  /** Whether the file is another one than the server wrote; false where that cannot be seen. */
  async isEdited(): Promise<boolean> {
    try {
      const stamp = await this.#stamp();
      if (this.#isKnown(stamp)) return false;
      const bytes = await readWhole(this.#parts.target, this.#parts.files);
      if (bytes === undefined || crc32(bytes) !== this.#last.crc) return true;
      // It was touched, or the file system sets its time late.
      this.#accept({ stamp, crc: this.#last.crc });
      return false;
    } catch {
      return true; // it is there, and no file that can be read
    }
  }

  /**
   * The server's next version of the file is complete; it is about to be renamed over the last one.
   * @param crc of its content
   * @returns whether it may: false when the file was edited
   */
  async isAboutToReplace(written: BigIntStats, crc: number): Promise<boolean> {
    const stamp = await this.#stamp().catch(() => this.#last.stamp);
    if (!this.#isKnown(stamp)) return false;
    if (stamp === this.#next?.stamp) this.#last = this.#next;
    this.#next = { stamp: stampIn(written), crc };
    return true;
  }

  /** The version of {@link isAboutToReplace} is the log now, durably. */
  hasReplaced(): void {
    this.#last = this.#next ?? this.#last;
    this.#next = undefined;
  }

  /**
   * Takes over what was edited, if anything was.
   * @param isPatient whether the log's next version can wait for a file that is half written
   * @returns whether the log may be replaced now
   * @throws the operating system's error, unless it is patient
   */
  async takeOver(isPatient: boolean): Promise<boolean> {
    try {
      const stats = await this.#statsIfAny();
      const stamp = stats ? stampIn(stats) : MISSING;
      if (this.#isKnown(stamp)) return this.#accept();
      if (!stats) return this.#missing(isPatient);
      const bytes = (await readWhole(this.#parts.target, this.#parts.files)) ?? Buffer.alloc(0);
      const crc = crc32(bytes);
      if (crc !== this.#last.crc) {
        const edited = await decodeMeanwhile(bytes).catch((error: unknown) => error as Error);
        if (edited instanceof Error) {
          return await this.#holdBack({ stamp, crc }, bytes, edited.message, isPatient);
        }
        if ((await this.#stamp()) !== stamp && isPatient) return false; // it is being written
        await this.#compare(edited, Number(stats.mtimeNs / 1_000_000n));
      }
      return this.#accept({ stamp, crc });
    } catch (error) {
      if (!isPatient) throw error;
      return this.#wait(reasonOf(error));
    }
  }

  #accept(version?: Version): true {
    if (version) this.#last = version;
    if (version) this.#next = undefined;
    this.#heldBack = undefined;
    return true;
  }

  #missing(isPatient: boolean): boolean {
    // Many editors rename the old file first.
    if (isPatient && this.#looked() < 2) return false;
    this.#parts.log.warn(`client log "${this.#parts.path}" is gone; it is written again`);
    return this.#accept({ stamp: MISSING, crc: crc32("") });
  }

  async #holdBack(
    version: Version,
    bytes: Buffer,
    problem: string,
    isPatient: boolean,
  ): Promise<boolean> {
    const isOver = this.#parts.now() - (this.#heldBack?.since ?? Infinity) >= PATIENCE_MS;
    if (isPatient && !isOver) return this.#wait(problem);
    const copy = `${this.#parts.target}.edited`;
    await this.#keep(copy, bytes);
    this.#parts.log.warn(
      `client log "${this.#parts.path}" was edited and cannot be read: ${problem}`,
      `it is kept as "${copy}", and the server's own log is written; remove lines from that`,
    );
    return this.#accept(version);
  }

  /** Waits for a file that may be half written; says so at the second look. */
  #wait(problem: string): false {
    const { log, path } = this.#parts;
    if (this.#looked() === 2) {
      log.warn(
        `client log "${path}" was edited and cannot be read: ${problem}`,
        'correct it; in five minutes the server keeps it as "….edited" and writes its own log',
      );
    }
    return false;
  }

  #looked(): number {
    this.#heldBack ??= { since: this.#parts.now(), looks: 0 };
    return ++this.#heldBack.looks;
  }

  async #compare(edited: HostTable, writtenAt: number): Promise<void> {
    const { hosts, commits, isUnwritten, edited: tell, path } = this.#parts;
    const story = new Story(this.#parts.log);
    const changes: Promise<void>[] = [];
    let count = 0;
    for (const [name, host] of hosts) {
      if (++count % HOSTS_AT_ONCE === 0) await setImmediate();
      if (edited.get(name) !== undefined || isUnwritten(name)) continue;
      const isNewer = isSeenSince(host, writtenAt);
      const change = isNewer ? Promise.resolve(false) : commits.forget(name);
      changes.push(
        change.then((isForgotten) => {
          if (isForgotten) tell({ name, kind: "removed" });
          story.say(
            isForgotten
              ? `forgot ${name}: it was removed from "${path}"`
              : `kept ${name}, which was removed from "${path}": it has just pinged`,
            isForgotten ? undefined : "remove it again if it is to be forgotten",
          );
        }),
      );
    }
    for (const [name, host] of edited) {
      if (++count % HOSTS_AT_ONCE === 0) await setImmediate();
      if (hosts.get(name) !== undefined || commits.isUnderWay(name)) continue;
      changes.push(this.#add(name, host).then(() => story.say(`took over ${name} from "${path}"`)));
    }
    await Promise.all(changes);
    story.end();
  }

  /** If the disk refuses, the next snapshot makes it durable. */
  #add(name: string, host: Host): Promise<void> {
    const { hosts, commits, edited } = this.#parts;
    return new Promise((resolve) => {
      commits.commit(name, host, () => {
        // A ping that came meanwhile is in the same batch, and is told of later.
        hosts.set(name, host);
        edited({ name, kind: "added" });
        resolve();
      });
    });
  }

  async #keep(path: string, bytes: Buffer): Promise<void> {
    const { files } = this.#parts;
    await files.rm(path, { force: true });
    const { handle } = await openOwn(path, "create", files);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncFolder(dirname(path), files);
  }

  async #statsIfAny(): Promise<BigIntStats | undefined> {
    const { target, files } = this.#parts;
    try {
      return await files.stat(target, { bigint: true });
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  #stamp(): Promise<string> {
    return stampOf(this.#parts.target, this.#parts.files);
  }

  #isKnown(stamp: string): boolean {
    return stamp === this.#last.stamp || stamp === this.#next?.stamp;
  }
}

const PATIENCE_MS = 300_000;

/** How old the log may be that an editor has read when it writes. */
const EDITOR_MS = 5000;

const HOSTS_AT_ONCE = 256;

/** How many messages there are about one edit, at most. */
const MAX_SAID = 100;

function stampIn({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}`;
}

/** Whether a host has news that somebody who wrote a file at this time could not know. */
function isSeenSince(host: Host, writtenAt: number): boolean {
  const { ipv4, ipv6 } = host;
  const since = Math.min(ipv4?.since ?? Infinity, ipv6?.since ?? Infinity);
  return lastSeen(host) > writtenAt || since > writtenAt - EDITOR_MS;
}

/** What is said about one edit. */
class Story {
  readonly #log: Log;
  #count = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  say(message: string, hint?: string): void {
    if (++this.#count <= MAX_SAID) this.#log.log(message, hint);
  }

  end(): void {
    if (this.#count > MAX_SAID) this.#log.log(`and ${this.#count - MAX_SAID} more hosts likewise`);
  }
}
