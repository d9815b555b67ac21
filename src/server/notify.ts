/**
 * Tells of hosts: at once of new ones and of those that moved, as a digest of those that fell silent or
 * came back, see watch.ts. Each way of telling has a queue of its own.
 *
 * A digest is kept in a file before it is told, so that a restart neither repeats nor forgets it. For
 * each way the file says when telling begins, and that it has ended. If the server is killed between the
 * two it cannot know whether the receiver has heard: the next start tells the digest again, with the same
 * time, and says that it may have been told before. A digest of which telling had not begun is told as it
 * is; what was told is not told again.
 *
 * News that waits at a stop is not told: a warning names it. The client log has it.
 */
import type { Change } from "../host.ts";
import { DailyLimit, NEWS_PER_DAY, type Verdict } from "./daily-limit.ts";
import { ALL, limitPerSecond } from "./limit.ts";
import { newsOf, PLAIN_NEWS_PER_SECOND } from "./news.ts";
import { harmless, noticeOfDigest, noticeOfNews } from "./notices.ts";
import { type Hooks, NoticeQueue, type NoticeQueueParts, type Way } from "./notice-queue.ts";
import {
  type Digest,
  type Silence,
  type SilentAfter,
  tickOf,
  Watch,
  type WatchedHosts,
} from "./watch.ts";

/** What is kept, see store/silence-file.ts. */
export interface KeptSilence {
  readonly silent: ReadonlyMap<string, number>;
  readonly telling?: {
    readonly time: number;
    readonly silent: ReadonlyMap<string, number>;
    readonly back: ReadonlyMap<string, number>;
    readonly isEveryone: boolean;
    readonly ways: ReadonlyMap<string, TellingState>;
  };
}

type TellingState = "waiting" | "begun";

export interface NotifierParts extends NoticeQueueParts {
  /** By name: `command`, `url`. */
  ways: ReadonlyMap<string, Way>;
  silentAfter: SilentAfter;
  hosts: WatchedHosts;
  /** What an earlier run kept. */
  kept: KeptSilence | undefined;
  /** Replaces what is kept, durably. */
  keep: (state: KeptSilence) => Promise<void>;
  /** The words of an operating system's error. */
  reasonOf: (error: unknown) => string;
  /** Milliseconds since 1970, UTC. */
  now: () => number;
}

/** The digest that is not told by every way yet. */
interface Telling {
  readonly digest: Digest;
  readonly ways: Map<string, TellingState>;
}

/** Tells of changes, of silence and of return. */
export class Notifier {
  readonly #parts: NotifierParts;
  readonly #queues: ReadonlyMap<string, NoticeQueue>;
  readonly #watch: Watch;
  readonly #limits: Readonly<Record<"signed" | "plain" | "silence", DailyLimit>>;
  readonly #mayTellPlain: (key: number) => boolean;
  readonly #stopping = new AbortController();
  #telling: Telling | undefined;
  #ticking: Promise<void> = Promise.resolve();
  #keeping: Promise<void> = Promise.resolve();
  /** The version of what was kept last, see {@link Watch.version}. */
  #keptVersion = 0;
  #isKeepFailing = false;

  constructor(parts: NotifierParts) {
    this.#parts = parts;
    const { ways, kept, monotonic, silentAfter } = parts;
    this.#queues = new Map([...ways].map(([name, way]) => [name, new NoticeQueue(way, parts)]));
    this.#limits = {
      signed: new DailyLimit(NEWS_PER_DAY.signed, monotonic),
      plain: new DailyLimit(NEWS_PER_DAY.plain, monotonic),
      silence: new DailyLimit({ bytes: Infinity, perKey: NEWS_PER_DAY.signed.perKey }, monotonic),
    };
    this.#mayTellPlain = limitPerSecond(PLAIN_NEWS_PER_SECOND, monotonic);
    const silent = kept?.silent ?? new Map<string, number>();
    const mayTell = (name: string): boolean => this.#limits.silence.has(name);
    this.#watch = new Watch({ silentAfter, told: silent, mayTell, time: parts.now() });
  }

  /** Since when the server has listened without a gap: milliseconds since 1970, UTC. */
  get listeningSince(): number {
    return this.#watch.listeningSince;
  }

  /** Begins to watch, and tells the digest that an earlier run did not tell. */
  begin(): void {
    const { kept, ways } = this.#parts;
    if (kept?.telling) {
      const { time, isEveryone, ways: states } = kept.telling;
      const silent = silencesIn(kept.telling.silent);
      const back = silencesIn(kept.telling.back);
      const left = [...states].filter(([name]) => ways.has(name));
      if (left.length > 0) this.#tell({ time, silent, back, isEveryone }, new Map(left));
    }
    this.#ticking = this.#tickUntilStopped();
  }

  /** Tells of a change that is news. Returns at once. */
  changed(change: Change): void {
    const news = newsOf(change, harmless(change.name));
    const verdict = news && this.#take(change, news.message);
    if (news === undefined || verdict === "left out") return;
    const notice = noticeOfNews(change, news, verdict === "last of key");
    for (const queue of this.#queues.values()) queue.add(notice);
  }

  /** Ends what is being told, within a second. What waits is not told, but a digest after the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const stopped = Promise.all([...this.#queues.values()].map((queue) => queue.stop()));
    await Promise.race([stopped, Bun.sleep(STOP_MS)]);
    await this.#ticking;
    await this.#keeping;
  }

  async #tickUntilStopped(): Promise<void> {
    const { silentAfter, hosts, now, sleep } = this.#parts;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const digest = this.#watch.tick(now(), hosts, this.#telling === undefined);
      if (digest) await this.#tellNew(digest);
      else if (this.#watch.version !== this.#keptVersion) await this.#keep();
      await sleep(tickOf(silentAfter), signal);
    }
  }

  async #tellNew(digest: Digest): Promise<void> {
    const { ways } = this.#parts;
    for (const { name } of [...digest.silent, ...digest.back]) this.#limits.silence.take(name, 0);
    const states = new Map<string, TellingState>();
    for (const name of ways.keys()) states.set(name, "waiting");
    this.#telling = { digest, ways: states };
    await this.#keep();
    this.#tell(digest, states);
  }

  /** Hands a digest to the queues of these ways. */
  #tell(digest: Digest, ways: Map<string, TellingState>): void {
    this.#telling = { digest, ways };
    for (const [name, state] of ways) {
      const notice = noticeOfDigest(digest, this.#addressOf, state === "begun");
      this.#queues.get(name)?.add(notice, this.#hooksOf(name, ways));
    }
  }

  #hooksOf(name: string, ways: Map<string, TellingState>): Hooks {
    return {
      begin: async () => {
        if (ways.get(name) === "begun") return;
        ways.set(name, "begun");
        await this.#keep();
      },
      end: () => {
        ways.delete(name);
        if (ways.size === 0) this.#telling = undefined;
        void this.#keep();
      },
    };
  }

  readonly #addressOf = (name: string): string | undefined => {
    const host = this.#parts.hosts.get(name);
    return (host?.ipv4 ?? host?.ipv6)?.address;
  };

  /** Keeps the state as it is when the writes before are done. A failure is said once. */
  #keep(): Promise<void> {
    this.#keeping = this.#keeping.then(async () => {
      const { keep, log, reasonOf } = this.#parts;
      this.#keptVersion = this.#watch.version;
      try {
        await keep({
          silent: this.#watch.told,
          ...(this.#telling && { telling: keptOf(this.#telling) }),
        });
        this.#isKeepFailing = false;
      } catch (error) {
        if (!this.#isKeepFailing) {
          const hint = "until it can, a restart may tell of silent hosts again";
          log.error(`Cannot write which hosts are silent: ${reasonOf(error)}`, hint);
        }
        this.#isKeepFailing = true;
      }
    });
    return this.#keeping;
  }

  /** Counts a message. What anyone can send is told ten times a second at most. */
  #take({ name, how }: Change, message: string): Verdict {
    if (how === "plain" && !this.#mayTellPlain(ALL)) return "left out";
    const kind = how === "plain" ? "plain" : "signed";
    return this.#limits[kind].take(name, Buffer.byteLength(message));
  }
}

/** How long a stop waits for what cannot be ended. */
const STOP_MS = 1000;

function silencesIn(times: ReadonlyMap<string, number>): Silence[] {
  return [...times].map(([name, lastSeen]) => ({ name, lastSeen }));
}

function timesOf(silences: readonly Silence[]): Map<string, number> {
  return new Map(silences.map(({ name, lastSeen }) => [name, lastSeen]));
}

function keptOf({ digest, ways }: Telling): NonNullable<KeptSilence["telling"]> {
  const { time, silent, back, isEveryone } = digest;
  return { time, silent: timesOf(silent), back: timesOf(back), isEveryone, ways };
}
