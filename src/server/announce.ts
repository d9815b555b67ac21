/**
 * What the log says of changes and of datagrams that were dropped: the words, which level, and how
 * often. A message costs more than a ping, so one that is not shown is not made.
 *
 * What clients do writes less than a megabyte a day at the normal level, whatever they do: a stolen
 * key, or a plain ping that anyone can forge, must not fill a disk. The limits below allow half of
 * it, since 24 hours may have the end of one day and the beginning of the next.
 */
import type { Change } from "../host.ts";
import { familyOf, isPrivate } from "../protocol/address.ts";
import type { Log } from "../system/log.ts";
import type { Reason } from "./counters.ts";
import { DailyLimit, NEWS_PER_DAY } from "./daily-limit.ts";
import { ALL, limitPerSecond } from "./limit.ts";
import { newsOf, PLAIN_NEWS_PER_SECOND, shortName } from "./news.ts";

/** What is limited by itself, so that one kind of message leaves the others their share. */
type LimitedKind = "signed" | "plain" | "wrong MAC" | "login" | "return";

export interface AnnouncerParts {
  log: Log;
  /** Whether clients are on the internet, where an address of a private network is a mistake. */
  isPublic: boolean;
  /** Milliseconds of a monotonic clock. */
  monotonic: () => number;
}

/** What a dropped datagram with a name is, in the words of its message. */
export type DroppedKind = "ping" | "question";

/** Says in the log what happens to pings and questions. */
export class Announcer {
  readonly #log: Log;
  readonly #isPublic: boolean;
  readonly #info: Log["info"] | undefined;
  readonly #debug: Log["debug"] | undefined;
  readonly #mayShowPlain: (key: number) => boolean;
  readonly #mayWarnOfMac: (key: number) => boolean;
  readonly #mayWarnOfLogin: (key: number) => boolean;
  readonly #limits: Readonly<Record<LimitedKind, DailyLimit>>;
  /** What was warned of already: once is enough, since one sender can repeat it for ever. */
  readonly #warned = new Set<Reason>();
  readonly #behindNat = new Set<string>();
  readonly #nowhere = new Set<string>();
  /** By name and family, the address that it left last, and when, by the monotonic clock. */
  readonly #left = new Map<string, { address: string; at: number }>();
  readonly #monotonic: () => number;

  constructor({ log, isPublic, monotonic }: AnnouncerParts) {
    this.#log = log;
    this.#isPublic = isPublic;
    this.#info = isShown("info", log) ? log.info : undefined;
    this.#debug = isShown("debug", log) ? log.debug : undefined;
    this.#monotonic = monotonic;
    this.#mayShowPlain = limitPerSecond(PLAIN_NEWS_PER_SECOND, monotonic);
    this.#mayWarnOfMac = limitPerSecond(1, monotonic);
    this.#mayWarnOfLogin = limitPerSecond(1, monotonic);
    this.#limits = {
      signed: new DailyLimit(NEWS_PER_DAY.signed, monotonic),
      plain: new DailyLimit(NEWS_PER_DAY.plain, monotonic),
      "wrong MAC": new DailyLimit({ bytes: 50_000, perKey: 50 }, monotonic),
      login: new DailyLimit({ bytes: 50_000, perKey: 50 }, monotonic),
      return: new DailyLimit({ bytes: 50_000, perKey: 1 }, monotonic),
    };
  }

  /** Says that a record changed: news at the normal level, all else with `-v`. */
  changed(change: Change): void {
    const { name, how } = change;
    const source = how === "claimed" ? ", as its router says" : "";
    const news = newsOf(change);
    if (news === undefined) {
      const { address } = change.now[change.family]!;
      return this.#info?.(`${shortName(name)} is still at ${address}${source}`);
    }
    const { address, previous } = news;
    const message = news.message + source;
    // Anyone can send plain pings: they must not fill the log in a minute, either.
    const isAllowed = how !== "plain" || this.#mayShowPlain(ALL);
    const kind = how === "plain" ? "plain" : "signed";
    if (!isAllowed || !this.#write(kind, name, "log", message)) return this.#info?.(message);
    if (this.#isPublic && isPrivate(address)) this.#warnOfNat(name, address);
    if (previous !== undefined) this.#warnOfReturn(name, previous, address);
  }

  /**
   * Says that a name and password were wrong: one line a second at most, for programs that block the
   * address as well.
   * @param name undefined where there is none to show
   * @param address of the client, canonical
   */
  loginFailed(name: string | undefined, address: string): void {
    const who = name === undefined ? "" : ` for ${shortName(name)}`;
    const message = `wrong name or password${who} by HTTP from ${address}`;
    if (this.#mayWarnOfLogin(ALL)) this.#write("login", address, "warn", message);
  }

  /**
   * Warns, once for each name, that a report named no address that can be recorded.
   * @param name has the password, so that this takes no more memory than there are names
   * @param source the address that the report came from, canonical
   */
  reportedNowhere(name: string, source: string): void {
    if (this.#nowhere.has(name)) return;
    this.#nowhere.add(name);
    this.#log.warn(
      `${shortName(name)} reported no address of the internet, from ${source}`,
      "have the router send its address as myip; a proxy in front has to send X-Forwarded-For",
    );
  }

  /** Says that a question was answered. */
  asked(asker: string, name: string, isTold: boolean): void {
    const unknown = isTold ? "" : `, which is unknown, or not for ${shortName(asker)}`;
    this.#info?.(`${shortName(asker)} asked for ${shortName(name)}${unknown}`);
  }

  /** Says that a signed ping or a question was challenged. */
  challenged(name: string, address: string): void {
    this.#debug?.(`challenged ${shortName(name)} at ${address}`);
  }

  /**
   * Says that a datagram was dropped: a warning where a person can do something about it.
   * @param what the name in the ping, the asker's in a question, or the size in bytes of anything else
   */
  dropped(
    reason: Reason,
    what: string | number,
    address: string,
    kind: DroppedKind = "ping",
  ): void {
    if (typeof what === "string") this.#warn(reason, what, address, kind);
    this.#debug?.(
      `dropped ${typeof what === "number" ? `${what} bytes` : shortName(what)} from ${address}: ${reason}`,
    );
  }

  #warn(reason: Reason, name: string, address: string, kind: DroppedKind): void {
    if (reason === "wrong MAC") {
      if (!this.#mayWarnOfMac(ALL)) return;
      const message = `dropped a ${kind} from ${address}: wrong MAC for ${shortName(name)}`;
      const hint = this.#warned.has(reason) ? undefined : WRONG_MAC_HINT;
      if (this.#write("wrong MAC", address, "warn", message, hint)) this.#warned.add(reason);
      return;
    }
    const words = WARNINGS[reason];
    if (words === undefined || this.#warned.has(reason)) return;
    this.#warned.add(reason);
    const [message, hint] = words(shortName(name), address, kind);
    this.#log.warn(message, hint);
  }

  /**
   * Writes a message, if that kind and key have something left for today.
   * @param key the name or the address that the message is about
   * @returns whether it is written
   */
  #write(
    kind: keyof typeof SEE,
    key: string,
    level: "log" | "warn",
    message: string,
    hint?: string,
  ): boolean {
    const verdict = this.#limits[kind].take(key, Buffer.byteLength(message) + LINE_OVERHEAD);
    if (verdict === "left out") return false;
    this.#log[level](message, hint);
    if (verdict === "last of key") {
      this.#log.warn(`no more messages about ${shortName(key)} today: too many`, SEE[kind]);
    } else if (verdict === "last of all") {
      this.#log.warn("no more messages like this one today: too many", SEE[kind]);
    }
    return true;
  }

  /** Warns once a day of a name that goes to and fro, as it does when two machines ping as it. */
  #warnOfReturn(name: string, previous: string, address: string): void {
    const now = this.#monotonic();
    const key = `${familyOf(address)} ${name}`;
    const left = this.#left.get(key);
    if (this.#left.size >= MAX_LEFT) this.#left.clear();
    this.#left.set(key, { address: previous, at: now });
    if (left?.address !== address || now - left.at > HOUR_MS) return;
    const shown = shortName(name);
    const minutes = Math.max(1, Math.round((now - left.at) / 60_000));
    const when = minutes === 1 ? "a minute" : `${minutes} minutes`;
    const message = `${shown} is back at ${address}, which it left ${when} ago`;
    const hint = `do two machines ping as ${shown}? Then give each its own client_name`;
    const bytes = Buffer.byteLength(message + hint) + 2 * LINE_OVERHEAD;
    if (this.#limits.return.take(name, bytes) !== "left out") this.#log.warn(message, hint);
  }

  #warnOfNat(name: string, address: string): void {
    if (this.#behindNat.has(name)) return;
    this.#log.warn(
      `${shortName(name)} is recorded at ${address}, an address of a private network or of this machine`,
      this.#behindNat.size > 0
        ? undefined
        : "if it is not in this network, a gateway or a container bridge hides its own address",
    );
    this.#behindNat.add(name);
  }
}

const HOUR_MS = 3_600_000;

/** The names whose last address is kept; more that move at once are not two machines of one name. */
const MAX_LEFT = 10_000;

/** The time, the level and the newline of a line in the log. */
const LINE_OVERHEAD = 40;

/** Where to see what is left out. */
const SEE: Readonly<Record<Exclude<LimitedKind, "return">, string>> = {
  signed: "the client log has the newest address, and -v shows every change",
  plain: "the client log has the newest address, and -v shows every change",
  "wrong MAC": "--debug shows them",
  login: "the password of a name is in the file that dynip init --name writes",
};

const WRONG_MAC_HINT =
  "the client has another secret, or an older key of this name; or somebody else sent this";

/** A warning and its hint. */
type Warning = (
  name: string,
  address: string,
  kind: DroppedKind,
) => readonly [message: string, hint: string];

/** What is warned of once. */
const WARNINGS: Partial<Record<Reason, Warning>> = {
  plain: (name, address) => [
    `dropped a ping of ${name} from ${address}: it is not signed`,
    "allow_plain = true in [server] accepts the pings of DynIP 0.1e",
  ],
  full: (name, address) => [
    `dropped the new name ${name} from ${address}: as many as max_clients are known`,
    "raise max_clients in [server], or remove names from the client log while it is stopped",
  ],
  "no secret": (name, address, kind) => [
    `dropped a signed ${kind} of ${name} from ${address}: this server has no secret`,
    "is the secret missing here? It belongs in the configuration or in DYNIP_SECRET. A server that " +
      "shall have none needs clients without one",
  ],
};

/** Whether a log shows a level; one that does not say so shows all. */
function isShown(level: "info" | "debug", { shown = "debug" }: Log): boolean {
  return shown === "debug" || shown === level;
}
