/**
 * The history: a line of JSON each time that a host is new in a family or has moved.
 *
 * `{"time":"…","name":"nas","family":"ipv4","address":"…","previous":"…","how":"proven"}`: `time` is
 * UTC, ISO 8601; `previous` is the address before, left out if there was none; `how` is as in
 * {@link Change}.
 *
 * A line is durable before {@link History.append} resolves, so that a notice can follow it. If the disk
 * refuses, the line is kept in memory and tried again; then it may be in the file twice. If the server is
 * killed when a move is in the client log and not yet in the history, the next start appends it.
 */
import type { Change, Host, HostStore } from "../host.ts";
import { NameMap } from "../name-map.ts";
import { canonicalAddress, type Family } from "../protocol/address.ts";
import type { Log } from "../system/log.ts";
import { Attempts } from "./attempts.ts";
import { DailyLimit, NEWS_PER_DAY } from "./daily-limit.ts";
import { newsOf, shortName } from "./news.ts";

/** A host that is new or has moved. */
export interface Move {
  /** Milliseconds since 1970, UTC. */
  readonly time: number;
  readonly name: string;
  readonly family: Family;
  /** Canonical, see address.ts. */
  readonly address: string;
  /** The address before, in the same family. */
  readonly previous?: string;
  readonly how: Change["how"];
}

export interface HistoryParts {
  /** For messages. */
  path: string;
  file: {
    /** Appends whole lines, durably. */
    append(lines: string): Promise<void>;
    /** The lines in the last `maxBytes` bytes, without their newlines. */
    lastLines(maxBytes: number): Promise<string[]>;
  };
  /** The hosts as they are known. */
  hosts: Iterable<[name: string, host: Host]> & Pick<HostStore, "hashOf">;
  log: Log;
  /** The words of an error. */
  reasonOf: (error: unknown) => string;
  /** Milliseconds of a monotonic clock. */
  monotonic: () => number;
  /** Resolves after that time, or rejects when the signal is aborted. */
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;
}

/** What a change says of a move; undefined where the host is where it was. */
export function moveOf({ name, family, before, now, time, how }: Change): Move | undefined {
  const { address } = now[family]!;
  const previous = before?.[family]?.address;
  if (previous === address) return undefined;
  return { time, name, family, address, ...(previous !== undefined && { previous }), how };
}

/** Keeps the history. */
export class History {
  readonly #parts: HistoryParts;
  readonly #attempts: Attempts;
  readonly #limits: Readonly<Record<keyof typeof NEWS_PER_DAY, DailyLimit>>;
  /** The last moves of each host, oldest first; the host that moved last is the last one. */
  readonly #moves: NameMap<readonly Move[]>;
  /** What the file lacked when it was read. */
  #missed: Move[] = [];
  /** The lines that are not in the file yet, oldest first. */
  #waiting: string[] = [];
  /** Resolves when every line until now was tried once. Whether one more try is queued behind it. */
  #tried: Promise<void> = Promise.resolve();
  #isQueued = false;
  /** The pause after a failure. */
  #pausing: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(parts: HistoryParts) {
    this.#parts = parts;
    const { path, hosts, log, reasonOf, monotonic } = parts;
    this.#moves = new NameMap((name) => hosts.hashOf(name));
    this.#attempts = new Attempts(`history "${path}"`, log, reasonOf);
    this.#limits = {
      signed: new DailyLimit(NEWS_PER_DAY.signed, monotonic),
      plain: new DailyLimit(NEWS_PER_DAY.plain, monotonic),
    };
  }

  /**
   * Reads the last megabyte of the file, and finds the moves that it lacks: those of the client log that
   * are newer than the last line, or at most a minute older. Called once, before {@link begin}.
   */
  async read(): Promise<void> {
    const { file, path, log, reasonOf } = this.#parts;
    let lines: string[];
    try {
      lines = await file.lastLines(READ_BYTES);
    } catch (error) {
      log.error(`Cannot read history "${path}": ${reasonOf(error)}`);
      return;
    }
    let last: number | undefined;
    for (const line of lines) {
      const move = decode(line);
      if (move === undefined) continue;
      this.#remember(move);
      last = move.time;
    }
    // Without a line it is not known since when there is a history.
    if (last !== undefined) this.#missed = this.#findMissed(last);
  }

  /** Begins to keep the file. Called once, before any change. */
  begin(): void {
    for (const move of this.#missed) this.#add(move);
    this.#missed = [];
  }

  /**
   * Appends a line if a host was new or has moved.
   * @returns resolves when the lines of this change and of all before it are durable, or the disk has
   *   refused them once; undefined where the change is no news, so that pings do not pile up behind a
   *   disk that hangs
   */
  append(change: Change): Promise<void> | undefined {
    if (newsOf(change, change.name) === undefined) return undefined;
    const move = moveOf(change);
    if (move) this.#add(move);
    return this.#tried;
  }

  /** The last moves of a host, at most five, oldest first. */
  lastMoves(name: string): readonly Move[] {
    return this.#moves.get(name) ?? [];
  }

  /** Tries once more to append what is not in the file yet. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#queue();
    await this.#tried;
  }

  #add(move: Move): void {
    this.#remember(move);
    const line = `${encode(move)}\n`;
    if (!this.#isAllowed(move, line)) return;
    // What a disk refuses for days must not use up the memory.
    if (this.#waiting.length === MAX_WAITING) this.#waiting.shift();
    this.#waiting.push(line);
    this.#queue();
  }

  #isAllowed({ name, how }: Move, line: string): boolean {
    const { log } = this.#parts;
    const kind = how === "plain" ? "plain" : "signed";
    const verdict = this.#limits[kind].take(name, Buffer.byteLength(line));
    if (verdict === "last of key") {
      log.warn(`no more lines about ${shortName(name)} in the history today: too many`);
    } else if (verdict === "last of all") {
      log.warn(`no more lines in the history today about ${kind} hosts: too many`);
    }
    return verdict !== "left out";
  }

  #remember(move: Move): void {
    const moves = this.#moves.get(move.name) ?? [];
    this.#moves.delete(move.name);
    this.#moves.set(move.name, [...moves.slice(1 - MOVES_PER_HOST), move]);
    if (this.#moves.size <= MAX_HOSTS) return;
    for (const [name] of this.#moves) return this.#moves.delete(name);
  }

  /** @param last the time of the last line, before which nothing is missing but what waited with it */
  #findMissed(last: number): Move[] {
    const missed: Move[] = [];
    for (const [name, host] of this.#parts.hosts) {
      for (const family of FAMILIES) {
        const sighting = host[family];
        if (sighting === undefined || sighting.since < last - WAITED_MS) continue;
        const latest = this.lastMoves(name).findLast((move) => move.family === family);
        const { address, since: time } = sighting;
        if (latest?.address === address && latest.time === time) continue;
        // A host that went away and came back has no address before that is known.
        const isOther = latest !== undefined && latest.address !== address;
        const how = host.counter === undefined ? "plain" : sighting.claimed ? "claimed" : "proven";
        const previous = isOther ? { previous: latest.address } : {};
        missed.push({ time, name, family, address, ...previous, how });
      }
    }
    return missed.sort((one, other) => one.time - other.time);
  }

  #queue(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#tried = this.#tried.then(() => this.#write());
  }

  async #write(): Promise<void> {
    this.#isQueued = false;
    const lines = this.#waiting;
    if (lines.length === 0) return;
    this.#waiting = [];
    const { file } = this.#parts;
    if (await this.#attempts.attempt(() => file.append(lines.join("")))) return;
    this.#waiting = [...lines, ...this.#waiting].slice(-MAX_WAITING);
    this.#pausing ??= this.#retryLater();
  }

  async #retryLater(): Promise<void> {
    const { signal } = this.#closing;
    await this.#parts.sleep(this.#attempts.pause, signal).catch(() => {});
    this.#pausing = undefined;
    if (!signal.aborted) this.#queue();
  }
}

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];
const HOWS: readonly Change["how"][] = ["proven", "claimed", "plain"];

/** What is read at the start: some 7,000 lines. */
const READ_BYTES = 1_000_000;

/** Lines are appended in the order in which changes become durable, which may not be that of their times. */
const WAITED_MS = 60_000;

/** What is kept in memory. */
const MOVES_PER_HOST = 5;
const MAX_HOSTS = 10_000;
const MAX_WAITING = 10_000;

function encode({ time, ...move }: Move): string {
  return JSON.stringify({ time: new Date(time).toISOString(), ...move });
}

/** The reverse of {@link encode}; undefined for any other line, such as the part that a crash left. */
function decode(line: string): Move | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { time, name, family, address, previous, how } = value as Partial<Record<string, unknown>>;
  const at = typeof time === "string" ? Date.parse(time) : Number.NaN;
  const isWhole =
    Number.isFinite(at) &&
    typeof name === "string" &&
    isCanonical(address) &&
    (previous === undefined || isCanonical(previous)) &&
    isOneOf(FAMILIES, family) &&
    isOneOf(HOWS, how);
  if (!isWhole) return undefined;
  return { time: at, name, family, address, ...(previous !== undefined && { previous }), how };
}

/** The page shows addresses as they are: a file that somebody edited must not bring it HTML. */
function isCanonical(value: unknown): value is string {
  return typeof value === "string" && canonicalAddress(value) === value;
}

function isOneOf<T>(list: readonly T[], value: unknown): value is T {
  return (list as readonly unknown[]).includes(value);
}
