/**
 * Group commit: collects changes and writes them to the journal in batches, with one sync per batch and
 * one line per host.
 *
 * A batch that a ping waits for is written at once; on a slow disk not before a moment after the last
 * one, since clients that were acknowledged by that send again, and would wait for every second batch.
 * Under load, a batch of notes alone is gathered for a tenth of a second.
 */
import { encodeForgotten, encodeHost } from "./format.ts";
import type { HostTable } from "./host-table.ts";
import { lastSeen } from "./load.ts";
import type { Host, Sighting } from "../host.ts";
import { NameMap } from "../name-map.ts";

/** Told whether a change is durable. */
export type Done = (isDurable: boolean) => void;

export interface GroupCommitParts {
  /** The hosts as they are known. */
  hosts: HostTable;
  /** Appends whole lines to the journal, durably; resolves to whether that has worked. */
  write: (lines: IteratorObject<string>) => Promise<boolean>;
  /**
   * Called after each batch. News is a new host, another address, a first signature or a forgotten host
   * that became durable; `firsts` are the hosts that are new or signed for the first time.
   */
  committed: (hasNews: boolean, firsts: readonly [name: string, host: Host][]) => void;
  /** A monotonic clock, in milliseconds. */
  now: () => number;
  /** Resolves after that time, or rejects when the signal is aborted. */
  gather: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;
}

/** Commits changes in batches. */
export class GroupCommit {
  readonly #parts: GroupCommitParts;
  #pending: NameMap<Pending>;
  /** The batch that is being written. */
  #writing: NameMap<Pending>;
  /** A ping waits for the next batch, so that nothing more is gathered for it. */
  #isAwaited = false;
  /** Aborted to end the gathering. */
  #gathering = new AbortController();
  /** Not before this time, by the clock, is a batch written; a batch of notes alone. */
  #batchFrom = Number.NEGATIVE_INFINITY;
  #notesFrom = Number.NEGATIVE_INFINITY;
  #committing: Promise<void> | undefined;

  constructor(parts: GroupCommitParts) {
    this.#parts = parts;
    this.#pending = newPending(parts);
    this.#writing = newPending(parts);
  }

  /**
   * Has a host's record written soon. It is in `hosts` already and is no news: only its time moved on.
   * Nothing tells when it is durable.
   */
  note(name: string): void {
    this.#parts.hosts.mark(name);
    this.#committing ??= this.#commitWhilePending();
  }

  /**
   * Has a record made durable. Returns at once.
   * @param done called when it is durable or that failed; in the first case it puts the record in `hosts`
   */
  commit(name: string, host: Host, done: Done): void {
    this.#await(name, host, done);
    this.#committing ??= this.#commitWhilePending();
  }

  /** Whether a change of this host waits for the disk. */
  isUnderWay(name: string): boolean {
    return (this.#pending.get(name) ?? this.#writing.get(name)) !== undefined;
  }

  /**
   * Has a host forgotten: durably, and then removed from `hosts`. If the disk refuses, it is removed all
   * the same, and the next snapshot makes that durable. A ping of the host wins: one that is under way,
   * and one that comes meanwhile.
   * @returns whether the host was removed
   */
  forget(name: string): Promise<boolean> {
    const before = this.#parts.hosts.get(name);
    if (before === undefined || this.isUnderWay(name)) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#await(name, undefined, () => resolve(this.#remove(name, entry, before)));
    const entry = this.#pending.get(name)!;
    this.#committing ??= this.#commitWhilePending();
    return promise;
  }

  /** Resolves when everything noted and committed is durable, or has failed. */
  async settled(): Promise<void> {
    this.#hurry();
    await this.#committing;
  }

  #remove(name: string, { host }: Pending, before: Host): boolean {
    const { hosts } = this.#parts;
    const known = hosts.get(name);
    if (host !== undefined || known === undefined) return false; // a ping took its place, or it is gone
    if (this.#pending.get(name)) return false; // a ping is in the next batch
    if (lastSeen(known) !== lastSeen(before)) {
      hosts.mark(name); // behind the line that says that it is forgotten
      return false;
    }
    hosts.delete(name);
    return true;
  }

  #await(name: string, host: Host | undefined, done: Done): void {
    const pending = this.#pending.get(name);
    if (pending) {
      pending.host = host;
      pending.done.push(done);
      // On a slow disk the pings of one client must not pile up; it sends them again.
      if (pending.done.length > MAX_WAITING) pending.done.shift()!(false);
    } else {
      this.#pending.set(name, { host, done: [done] });
    }
    this.#hurry();
  }

  /** Commits what is pending without gathering more. */
  #hurry(): void {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    this.#gathering.abort();
  }

  async #commitWhilePending(): Promise<void> {
    const { hosts, write, committed, now } = this.#parts;
    await Promise.resolve(); // so that all changes of this turn of the event loop share a sync
    while (this.#pending.size > 0 || hosts.markedSize > 0) {
      if (!this.#isAwaited) await this.#gather(this.#notesFrom, this.#gathering.signal);
      await this.#gather(this.#batchFrom, new AbortController().signal);
      const start = now();
      const batch = this.#pending;
      this.#pending = newPending(this.#parts);
      this.#isAwaited = false;
      this.#gathering = new AbortController();
      const isLoaded = hosts.markedSize >= MANY;
      this.#writing = batch;
      const isDurable = await write(encodeLines(hosts.takeMarked(), batch));
      const firsts: [string, Host][] = [];
      let hasNews = false;
      for (const [name, { host }] of isDurable ? batch : []) {
        const before = hosts.get(name);
        hasNews ||= isNews(before, host);
        if (host && isFirst(before, host)) firsts.push([name, host]);
      }
      for (const [, { done }] of batch) for (const tell of done) tell(isDurable);
      this.#writing = newPending(this.#parts);
      const end = now();
      this.#notesFrom = isLoaded ? end + GATHER_MS : end;
      this.#batchFrom = end - start < SLOW_MS ? end : end + (end - start) * GATHER_PER_COST;
      committed(hasNews, firsts);
    }
    this.#committing = undefined;
  }

  /** Waits until a time, by the clock, or until the signal is aborted. */
  async #gather(until: number, signal: AbortSignal): Promise<void> {
    const wait = until - this.#parts.now();
    if (wait > 0) await this.#parts.gather(wait, signal).catch(() => {});
  }
}

/** Whether a record says more than that the host is where it was; undefined: it is forgotten. */
function isNews(before: Host | undefined, now: Host | undefined): boolean {
  if (before === undefined || now === undefined) return before !== now;
  if ((before.counter === undefined) !== (now.counter === undefined)) return true;
  return hasMoved(before.ipv4, now.ipv4) || hasMoved(before.ipv6, now.ipv6);
}

function isFirst(before: Host | undefined, now: Host): boolean {
  return before === undefined || (before.counter === undefined && now.counter !== undefined);
}

function hasMoved(before: Sighting | undefined, now: Sighting | undefined): boolean {
  // A host that moved and came back within one batch has its old address and another `since`.
  return before?.address !== now?.address || before?.since !== now?.since;
}

function newPending({ hosts }: GroupCommitParts): NameMap<Pending> {
  return new NameMap((name) => hosts.hashOf(name));
}

/** A change that somebody waits for. */
interface Pending {
  /** Undefined: the host is to be forgotten. */
  host: Host | undefined;
  done: Done[];
}

/** At most this many pings of one host wait for one sync. */
const MAX_WAITING = 16;

/** After a batch with this many notes, the next batch of notes alone comes at least this much later. */
const MANY = 64;
const GATHER_MS = 100;

/** After a batch that took this long, the next one waits for this share of that time. */
const SLOW_MS = 10;
const GATHER_PER_COST = 0.2;

/** About 60 kB of the journal, made in less than a millisecond. */
const LINES_PER_PART = 512;

/** The lines of a batch, in parts that are quickly made, so that the event loop is not held up. */
function* encodeLines(
  marked: Iterable<[string, Host]>,
  batch: Iterable<[name: string, pending: Pending]>,
): Generator<string> {
  let part = "";
  let count = 0;
  for (const [name, host] of marked) {
    part += `${encodeHost(name, host)}\n`;
    if (++count % LINES_PER_PART !== 0) continue;
    yield part;
    part = "";
  }
  for (const [name, { host }] of batch) {
    part += `${host ? encodeHost(name, host) : encodeForgotten(name)}\n`;
    if (++count % LINES_PER_PART !== 0) continue;
    yield part;
    part = "";
  }
  if (part !== "") yield part;
}
