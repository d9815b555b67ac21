/**
 * When a host is silent, and when that is told. Pure: the clock and the hosts are passed in.
 *
 * A host is silent from
 *
 *     due = max(last_seen + after, listening_since + min(after, 15 min))
 *
 * on, where `after` is its time in `silent_after`. `listening_since` is the start of the server, or the
 * end of a gap of more than 60 s between two ticks (the machine slept, or its clock was set): who was
 * not listening cannot say that a host was silent.
 *
 * The first host that falls silent or comes back opens a window of min(5 min, shortest `after` / 3). At
 * its end one digest names every host whose state differs from what was told last. A host that fell
 * silent and came back within the window is not in it.
 */
import type { Host } from "../host.ts";

/** Milliseconds after which a host is silent, by name; `*` for every other host. */
export type SilentAfter = ReadonlyMap<string, number>;

/** A host that was not heard of, as a digest tells of it. Times are milliseconds since 1970, UTC. */
export interface Silence {
  readonly name: string;
  /** Its last time before the silence. */
  readonly lastSeen: number;
}

/** What is told at the end of a window; one of the two lists has a host. */
export interface Digest {
  /** The end of the window: milliseconds since 1970, UTC. */
  readonly time: number;
  readonly silent: readonly Silence[];
  readonly back: readonly Silence[];
  /** Whether every host that is watched is silent: then it may be the server that is cut off. */
  readonly isEveryone: boolean;
}

/** The hosts as the watch sees them. */
export interface WatchedHosts extends Iterable<[name: string, host: Host]> {
  get(name: string): Host | undefined;
}

/** When a host was last seen in any family: milliseconds since 1970, UTC. */
export function lastSeenOf({ ipv4, ipv6 }: Host): number {
  return Math.max(ipv4?.lastSeen ?? 0, ipv6?.lastSeen ?? 0);
}

/**
 * Whether a host is silent: what the page shows. A host with counter 0 never is, unless `silentAfter`
 * names it: its router reports on change alone. A host that was silent before this server was started,
 * while the one before it listened, still is.
 * @param heardUntil the newest time of any host at the start: until then somebody listened
 */
export function isSilent(
  silentAfter: SilentAfter,
  [name, host]: readonly [name: string, host: Host],
  now: Now & { readonly heardUntil: number },
): boolean {
  const all = host.counter === 0 ? Infinity : (silentAfter.get(ALL) ?? Infinity);
  const after = ownAfter(silentAfter, name) ?? all;
  const lastSeen = lastSeenOf(host);
  return lastSeen + after <= now.heardUntil || now.time >= dueOf(lastSeen, after, now);
}

/** The time of a look. Milliseconds since 1970, UTC. */
export interface Now {
  readonly time: number;
  /** See the head of this file. */
  readonly listeningSince: number;
}

/** How long a window is, in milliseconds: see the head of this file. */
export function windowOf(silentAfter: SilentAfter): number {
  return Math.min(LONGEST_WINDOW_MS, Math.min(...silentAfter.values()) / 3);
}

export interface WatchParts {
  silentAfter: SilentAfter;
  /** The hosts that were told to be silent, each with its last time before: what an earlier run kept. */
  told: Iterable<readonly [name: string, lastSeen: number]>;
  /** Whether a host may be named in one more digest today. */
  mayTell: (name: string) => boolean;
  /** The start: milliseconds since 1970, UTC. */
  time: number;
}

/** Watches the hosts of a server. */
export class Watch {
  readonly #silentAfter: SilentAfter;
  readonly #mayTell: (name: string) => boolean;
  readonly #told: Map<string, number>;
  #listeningSince: number;
  #lastTick: number;
  /** When the window ends that is open. */
  #windowEnd: number | undefined;
  /** When the hosts are to be looked through again. */
  #nextScan = Number.NEGATIVE_INFINITY;
  #version = 0;
  /** The last times of hosts that were told to be silent and are no longer there. */
  readonly #gone = new Set<number>();

  constructor({ silentAfter, told, mayTell, time }: WatchParts) {
    this.#silentAfter = silentAfter;
    this.#mayTell = mayTell;
    this.#told = new Map(told);
    this.#listeningSince = time;
    this.#lastTick = time;
  }

  /** The hosts that were told to be silent, each with its last time before. */
  get told(): ReadonlyMap<string, number> {
    return this.#told;
  }

  /** Rises whenever {@link told} changes. */
  get version(): number {
    return this.#version;
  }

  /** Since when the server has listened without a gap: milliseconds since 1970, UTC. */
  get listeningSince(): number {
    return this.#listeningSince;
  }

  /**
   * Looks at the hosts. To be called every {@link tickOf} milliseconds.
   * @param time milliseconds since 1970, UTC
   * @param isFree whether a digest can be told now; otherwise the open window stays open
   * @returns what to tell now; {@link told} takes it as told
   */
  tick(time: number, hosts: WatchedHosts, isFree = true): Digest | undefined {
    this.#noteGap(time);
    this.#dropUnwatched(hosts);
    if (this.#windowEnd !== undefined) {
      return time >= this.#windowEnd && isFree ? this.#closeWindow(time, hosts) : undefined;
    }
    const isDue = time >= this.#nextScan && this.#scan(time, hosts).length > 0;
    if (isDue || this.#returned(time, hosts).length > 0) {
      this.#windowEnd = time + windowOf(this.#silentAfter);
    }
    return undefined;
  }

  /** A gap: nothing is known of the time before, and a window that was open in it means nothing. */
  #noteGap(time: number): void {
    if (Math.abs(time - this.#lastTick) > MAX_GAP_MS) {
      this.#listeningSince = time;
      this.#windowEnd = undefined;
      this.#nextScan = time;
    }
    this.#lastTick = time;
  }

  /** Nothing more is told of a host that was removed, or is not watched any more. */
  #dropUnwatched(hosts: WatchedHosts): void {
    for (const [name, lastSeen] of this.#told) {
      const host = hosts.get(name);
      if (host && watchedAfter(this.#silentAfter, name, host) < Infinity) continue;
      this.#told.delete(name);
      this.#version++;
      if (!host) this.#gone.add(lastSeen);
      if (!host) this.#nextScan = Math.min(this.#nextScan, this.#lastTick);
    }
  }

  #closeWindow(time: number, hosts: WatchedHosts): Digest | undefined {
    this.#windowEnd = undefined;
    const silent = this.#scan(time, hosts);
    const back = this.#returned(time, hosts);
    for (const { name } of back) this.#told.delete(name);
    for (const { name, lastSeen } of silent) this.#told.set(name, lastSeen);
    if (silent.length + back.length === 0) return undefined;
    this.#version++;
    const isEveryone = silent.length > 0 && this.#isEveryoneSilent(time, hosts);
    return { time, silent, back, isEveryone };
  }

  /** The hosts that are silent, and were not told to be. Says when to look again. */
  #scan(time: number, hosts: WatchedHosts): Silence[] {
    const now = { time, listeningSince: this.#listeningSince };
    const silent: Silence[] = [];
    // A host that is new since then may have a shorter time, or an older one of a person's making.
    this.#nextScan = time + Math.min(LONGEST_SCAN_PAUSE_MS, windowOf(this.#silentAfter));
    for (const [name, host] of hosts) {
      const after = watchedAfter(this.#silentAfter, name, host);
      if (after === Infinity || this.#told.has(name)) continue;
      const lastSeen = lastSeenOf(host);
      const due = dueOf(lastSeen, after, now);
      // It has the record of a silent host that is gone: it was renamed.
      if (this.#gone.delete(lastSeen)) {
        this.#told.set(name, lastSeen);
        this.#version++;
      } else if (due > time) this.#nextScan = Math.min(this.#nextScan, due);
      else if (this.#mayTell(name)) silent.push({ name, lastSeen });
    }
    return silent;
  }

  /** The hosts that were told to be silent and have been heard of since. */
  #returned(time: number, hosts: WatchedHosts): Silence[] {
    const back: Silence[] = [];
    for (const [name, lastSeen] of this.#told) {
      const host = hosts.get(name)!;
      const seen = lastSeenOf(host);
      // After a start no host is overdue for a while. That is no return.
      const isHeard =
        seen !== lastSeen && time < seen + watchedAfter(this.#silentAfter, name, host);
      if (isHeard && this.#mayTell(name)) back.push({ name, lastSeen });
    }
    return back;
  }

  #isEveryoneSilent(time: number, hosts: WatchedHosts): boolean {
    const now = { time, listeningSince: this.#listeningSince };
    for (const [name, host] of hosts) {
      const after = watchedAfter(this.#silentAfter, name, host);
      if (after < Infinity && time < dueOf(lastSeenOf(host), after, now)) return false;
    }
    return true;
  }
}

/** The time between two ticks, in milliseconds: a third of the window, where that is short. */
export function tickOf(silentAfter: SilentAfter): number {
  return Math.min(LONGEST_TICK_MS, windowOf(silentAfter) / 3);
}

/**
 * How long a host may be not heard of before that is told, in milliseconds; Infinity: it is not watched.
 * Like a host with counter 0, one that sends plain pings is watched only if it is named: anyone can
 * invent ten thousand of them, and keep one alive that is dead.
 */
function watchedAfter(silentAfter: SilentAfter, name: string, { counter }: Host): number {
  const all = counter ? silentAfter.get(ALL) : undefined;
  return ownAfter(silentAfter, name) ?? all ?? Infinity;
}

function ownAfter(silentAfter: SilentAfter, name: string): number | undefined {
  return name === ALL ? undefined : silentAfter.get(name);
}

function dueOf(lastSeen: number, after: number, { time, listeningSince }: Now): number {
  // A time far ahead is from before the clock was set back.
  const seen = lastSeen > time + MAX_GAP_MS ? listeningSince : lastSeen;
  return Math.max(seen + after, listeningSince + Math.min(after, LONGEST_GRACE_MS));
}

/** The name in `silent_after` that is every host. */
const ALL = "*";

const MAX_GAP_MS = 60_000;
const LONGEST_GRACE_MS = 15 * 60_000;
const LONGEST_WINDOW_MS = 5 * 60_000;
const LONGEST_TICK_MS = 5000;
const LONGEST_SCAN_PAUSE_MS = 60_000;
