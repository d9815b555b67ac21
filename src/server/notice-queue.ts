/**
 * The notices that wait for one way of telling, such as a command. Nothing piles up: one is told at a
 * time, a newer notice of the same host and family replaces one that waits, and there are never more
 * than {@link MAX_WAITING}.
 */
import type { Log } from "../system/log.ts";
import { DailyLimit } from "./daily-limit.ts";
import { DIGEST, type Notice } from "./notices.ts";

/** A way of telling. */
export interface Way {
  /** For messages, without a secret: `command "/usr/local/bin/on-dynip"`. */
  readonly what: string;
  /** How many notices are told together. */
  readonly batch: number;
  /** The pauses before the tries that follow one that failed, in milliseconds. */
  readonly pauses: readonly number[];
  /**
   * Tells notices. Never rejects.
   * @param signal ends it at once when it is aborted
   */
  tell(notices: readonly Notice[], signal: AbortSignal): Promise<Told>;
}

/** What became of notices. */
export interface Told {
  readonly isTold: boolean;
  /** What came back, for a person: `exit code 1: no such host`. */
  readonly answer: string;
}

/** Called around the telling of one notice: before its first try, and when it is told or given up. */
export interface Hooks {
  begin(): Promise<void>;
  end(): void;
}

export interface NoticeQueueParts {
  log: Log;
  /** Milliseconds of a monotonic clock. */
  monotonic: () => number;
  /** Resolves after that time, or when the signal is aborted. */
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

interface Entry {
  readonly notice: Notice;
  readonly hooks: Hooks | undefined;
  tries: number;
}

/** Tells notices, one after the other. */
export class NoticeQueue {
  readonly #way: Way;
  readonly #parts: NoticeQueueParts;
  readonly #waiting = new Map<string, Entry>();
  readonly #stopping = new AbortController();
  #telling: Promise<void> | undefined;
  #isFailing = false;
  #isFull = false;
  /** What this writes in the log in a day: a receiver that works now and then must not fill a disk. */
  readonly #limit: DailyLimit;

  constructor(way: Way, parts: NoticeQueueParts) {
    this.#way = way;
    this.#parts = parts;
    this.#limit = new DailyLimit({ bytes: LOGGED_BYTES, perKey: LOGGED_BYTES }, parts.monotonic);
  }

  /** Tells a notice soon. Returns at once. */
  add(notice: Notice, hooks?: Hooks): void {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    // A key that is there keeps its place.
    this.#waiting.set(notice.key, { notice, hooks, tries: 0 });
    if (this.#waiting.size > MAX_WAITING) this.#dropOldest();
    this.#telling ??= this.#tellAll();
  }

  /** Ends what is being told. What waits is not told; a warning says how much that is. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#telling;
    const lost = [...this.#waiting.values()].filter(({ hooks }) => hooks === undefined);
    if (lost.length === 0) return;
    const first = lost.slice(0, 3).map(({ notice }) => notice.message);
    const rest = lost.length > first.length ? `; and ${lost.length - first.length} more` : "";
    this.#parts.log.warn(`not told by ${this.#way.what}: ${first.join("; ")}${rest}`);
  }

  async #tellAll(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (this.#waiting.size > 0 && !signal.aborted) {
      const entries = this.#next();
      for (const { hooks, tries } of entries) if (tries === 0) await hooks?.begin();
      const told = await this.#way.tell(
        entries.map(({ notice }) => notice),
        signal,
      );
      if (signal.aborted && !told.isTold) break;
      this.#report(told, entries);
      const { pauses } = this.#way;
      for (const entry of entries) {
        entry.tries++;
        if (told.isTold || entry.tries > pauses.length) this.#remove(entry);
      }
      failures = told.isTold ? 0 : failures + 1;
      if (failures > pauses.length) failures = 0;
      if (failures > 0) await this.#parts.sleep(pauses[failures - 1]!, signal);
    }
    this.#telling = undefined;
  }

  /** The digest first: it says that something is wrong. */
  #next(): Entry[] {
    const digest = this.#waiting.get(DIGEST);
    const others = this.#waiting.values().filter((entry) => entry !== digest);
    return [...(digest ? [digest] : []), ...others.take(this.#way.batch)].slice(0, this.#way.batch);
  }

  #remove(entry: Entry): void {
    entry.hooks?.end();
    const { key } = entry.notice;
    // Otherwise it was replaced while it was told, and the newer one is next.
    if (this.#waiting.get(key) === entry) this.#waiting.delete(key);
    if (this.#waiting.size === 0) this.#isFull = false;
  }

  /** A failure is said once, until it works again. */
  #report({ isTold, answer }: Told, entries: readonly Entry[]): void {
    const { log } = this.#parts;
    const { what } = this.#way;
    for (const { notice } of entries) {
      log.info(`${isTold ? "told" : "not told"} by ${what}: ${notice.message}: ${answer}`);
    }
    if (isTold !== this.#isFailing) return;
    this.#isFailing = !isTold;
    const message = isTold ? `${what} works again` : `Cannot tell by ${what}: ${answer}`;
    if (this.#limit.take("", Buffer.byteLength(message)) === "left out") return;
    log.warn(message, isTold ? undefined : "dynip serve --test-notify tries it");
  }

  #dropOldest(): void {
    const oldest = this.#waiting.values().find(({ hooks }) => hooks === undefined)!;
    this.#waiting.delete(oldest.notice.key);
    if (this.#isFull) return;
    this.#isFull = true;
    this.#parts.log.warn(
      `${MAX_WAITING} notices wait for ${this.#way.what}: the oldest are not told`,
    );
  }
}

/** How many notices wait at most. */
export const MAX_WAITING = 10_000;

const LOGGED_BYTES = 20_000;
