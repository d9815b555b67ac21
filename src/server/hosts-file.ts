/**
 * The hosts file for a DNS server: `ADDRESS NAME.DOMAIN`, a line for each address of each signed host,
 * sorted by name (hosts(5)). It is replaced whole when an address changes or a host goes.
 *
 * Names that are no DNS names are left out, see isDnsName. So are plain hosts: anyone can forge their
 * addresses.
 */
import { setImmediate } from "node:timers/promises";

import type { Change, Edit, Host } from "../host.ts";
import { isDnsName } from "../protocol/name.ts";
import type { Log } from "../system/log.ts";
import { Attempts } from "./attempts.ts";

/** The first line. A file with another first line is not replaced: dynip did not write it. */
export const HOSTS_FILE_HEAD =
  "# The signed hosts of a dynip server, which replaces this file when an address changes.\n";

export interface HostsFileParts {
  /** The hosts as they are known. */
  hosts: Iterable<[name: string, host: Host]> & { get(name: string): Host | undefined };
  /** Appended to each name, without a dot at its beginning or end. */
  domain: string;
  /** For messages. */
  path: string;
  /** The file's content; undefined where there is no file. Rejects if it is no regular file. */
  read: () => Promise<Uint8Array | undefined>;
  /** Replaces the file whole or not at all. */
  replace: (chunks: Iterable<string>) => Promise<void>;
  log: Log;
  /** The words of an error. */
  reasonOf: (error: unknown) => string;
  /** A monotonic clock, in milliseconds. */
  now: () => number;
  /** Resolves after that time, or rejects when the signal is aborted. */
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;
}

/** Keeps the hosts file. */
export class HostsFile {
  readonly #parts: HostsFileParts;
  readonly #attempts: Attempts;
  /** The names that the file has, sorted. */
  readonly #names: string[] = [];
  #isStale = false;
  /** Whether this server has written the file, or found it as it would write it. */
  #isOurs = false;
  #writing: Promise<void> | undefined;
  readonly #closing = new AbortController();
  #hasWarned = false;

  constructor(parts: HostsFileParts) {
    this.#parts = parts;
    this.#attempts = new Attempts(`hosts file "${parts.path}"`, parts.log, parts.reasonOf);
    for (const [name, host] of parts.hosts) {
      if (host.counter !== undefined && this.#isListed(name)) this.#names.push(name);
    }
    this.#names.sort();
  }

  /** Begins to keep the file: writes it, if it is not what is known. Called once, before any change. */
  begin(): void {
    this.#changed();
  }

  /** A host was seen: see the recorder's `subscribe`. */
  changed({ name, family, before, now }: Change): void {
    if (now.counter === undefined) return;
    const isSigned = before?.counter !== undefined;
    if (isSigned && before[family]?.address === now[family]?.address) return;
    this.#add(name);
  }

  /** A host was added or removed: see the client log's `subscribe`. */
  edited({ name }: Edit): void {
    if (this.#parts.hosts.get(name)?.counter !== undefined) return this.#add(name);
    const at = this.#find(name);
    if (this.#names[at] !== name) return;
    this.#names.splice(at, 1);
    this.#changed();
  }

  /** Writes what is not written yet, and resolves when that is done or has failed. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#writing;
    if (this.#isStale) await this.#write();
  }

  #add(name: string): void {
    const at = this.#find(name);
    if (this.#names[at] !== name) {
      if (!this.#isListed(name)) return;
      this.#names.splice(at, 0, name);
    }
    this.#changed();
  }

  /** Where a name is, or where it belongs. */
  #find(name: string): number {
    let low = 0;
    let high = this.#names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#names[middle]! < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isListed(name: string): boolean {
    if (isDnsName(`${name}.${this.#parts.domain}`)) return true;
    if (!this.#hasWarned) {
      this.#parts.log.warn(
        `${name} is not in hosts file "${this.#parts.path}": it is no DNS name`,
        "a DNS name has letters, digits and hyphens, at most 63 between two dots; this is said of one name only",
      );
      this.#hasWarned = true;
    }
    return false;
  }

  #changed(): void {
    this.#isStale = true;
    this.#writing ??= this.#writeWhileStale();
  }

  async #writeWhileStale(): Promise<void> {
    const { now, sleep } = this.#parts;
    const { signal } = this.#closing;
    while (this.#isStale && !signal.aborted) {
      const start = now();
      await this.#write();
      const pause = Math.max(this.#attempts.pause, PAUSE_PER_COST * (now() - start));
      await sleep(pause, signal).catch(() => {});
    }
    this.#writing = undefined;
  }

  async #write(): Promise<void> {
    const { read, replace, path, log } = this.#parts;
    this.#isStale = false;
    const isWritten = await this.#attempts.attempt(async () => {
      const old = this.#isOurs ? undefined : await read();
      if (old && old.length > 0 && !beginsWith(old, HOSTS_FILE_HEAD)) {
        throw new Error("dynip did not write it; move it away, or change hosts_path");
      }
      if (old && (await isEqual(old, this.#chunks()))) return;
      await replace(this.#chunks());
      log.debug(`wrote hosts file "${path}"`);
    });
    if (isWritten) this.#isOurs = true;
    else this.#isStale = true;
  }

  /** The file's text, in parts that are quickly made, so that the event loop is not held up. */
  *#chunks(): Generator<string> {
    const { hosts, domain } = this.#parts;
    let chunk = HOSTS_FILE_HEAD;
    // A copy, since names come and go while a chunk is written.
    for (const [index, name] of [...this.#names].entries()) {
      const { ipv4, ipv6 } = hosts.get(name) ?? {};
      for (const sighting of [ipv4, ipv6]) {
        if (sighting) chunk += `${sighting.address} ${name}.${domain}\n`;
      }
      if (index % NAMES_PER_CHUNK !== NAMES_PER_CHUNK - 1) continue;
      yield chunk;
      chunk = "";
    }
    yield chunk;
  }
}

const NAMES_PER_CHUNK = 512;

/** The pause between two versions, as a multiple of the time that one takes. */
const PAUSE_PER_COST = 4;

function beginsWith(bytes: Uint8Array, text: string): boolean {
  const head = Buffer.from(text);
  return head.equals(bytes.subarray(0, head.length));
}

async function isEqual(bytes: Uint8Array, chunks: Iterable<string>): Promise<boolean> {
  let at = 0;
  for (const chunk of chunks) {
    await setImmediate();
    const part = Buffer.from(chunk);
    if (!part.equals(bytes.subarray(at, at + part.length))) return false;
    at += part.length;
  }
  return at === bytes.length;
}
