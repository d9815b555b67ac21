/**
 * Notices: what is told of hosts, in the words of people, the JSON that is posted, and the environment
 * of a command. Pure.
 */
import { describeAge } from "../config/duration.ts";
import type { Change } from "../host.ts";
import type { Family } from "../protocol/address.ts";
import { type News, shortName } from "./news.ts";
import type { Digest, Silence } from "./watch.ts";

/** What happened to one host, as the JSON has it. */
export interface NoticeEvent {
  readonly event: "new" | "moved" | "silent" | "back" | "test";
  /** Absent in a test. */
  readonly name?: string;
  readonly family?: Family;
  readonly address?: string;
  /** The address before. */
  readonly previous?: string;
  /** For `silent` and `back`: when the host was seen before its silence. ISO 8601, UTC. */
  readonly last_seen?: string;
  /** How the address was reported; anyone can forge a plain ping. */
  readonly how?: Change["how"];
  /** When it happened: ISO 8601, UTC. A notice that is told again has the same time. */
  readonly time: string;
}

/** The key of the digest. There is never more than one that waits. */
export const DIGEST = "digest";

/** One message: one event, or the hosts of a digest. */
export interface Notice {
  /** A newer notice with the same key replaces one that waits. */
  readonly key: string;
  /** A few words. */
  readonly title: string;
  /** One line, without a full stop. */
  readonly message: string;
  /** At least one. */
  readonly events: readonly NoticeEvent[];
  /** Of a digest: the names of the hosts that its event is about. */
  readonly names?: readonly string[];
}

/** The body of a POST, and the standard input of a command. */
export interface NoticeBody {
  readonly title: string;
  /** For Gotify, and templates of ntfy. */
  readonly message: string;
  /** For Slack and Mattermost. */
  readonly text: string;
  /** For Discord. */
  readonly content: string;
  readonly events: readonly NoticeEvent[];
}

/**
 * A notice of a new host or another address; the news has its name {@link harmless}.
 * @param isLast whether no more is told of this host today
 */
export function noticeOfNews(
  { name, family, how, time }: Change,
  { event, address, previous, message }: News,
  isLast: boolean,
): Notice {
  const title = event === "new" ? `new host ${harmless(name)}` : `${harmless(name)} moved`;
  const last = isLast ? "; no more of it today: it was told too often" : "";
  return {
    key: `${family} ${name}`,
    title,
    message: `${message}${CAUTION[how]}${last}`,
    events: [
      {
        event,
        name,
        family,
        address,
        ...(previous !== undefined && { previous }),
        how,
        time: timeOf(time),
      },
    ],
  };
}

/**
 * A name without characters that mean something to those who show a message: `@everyone` and
 * `<!channel>` call people in chats, and anyone can send a plain ping with that name.
 */
export function harmless(name: string): string {
  return shortName(name).replace(/[^\p{L}\p{M}\p{N}._…-]/gu, "?");
}

/** Where a host is, for a notice of its return; undefined where it is not known any more. */
export type AddressOf = (name: string) => string | undefined;

/**
 * A notice of a digest.
 * @param isRepeated whether it may have been told before: the server was killed while it told it
 */
export function noticeOfDigest(
  { time, silent, back, isEveryone }: Digest,
  addressOf: AddressOf,
  isRepeated: boolean,
): Notice {
  const parts: string[] = [];
  if (silent.length > 0) {
    // Not Math.max(...): a million hosts as arguments do not fit on the stack.
    const last = silent.reduce((newest, { lastSeen }) => Math.max(newest, lastSeen), 0);
    const since = ago(time, last);
    parts.push(
      `${are(silent, "silent")}: no ping for ${since}${silent.length > 1 ? " or more" : ""}`,
    );
  }
  if (isEveryone) parts.push("every host is silent, so this server may be the one that is cut off");
  if (back.length > 0) {
    const at = back.length === 1 ? addressOf(back[0]!.name) : undefined;
    const after = back.length === 1 ? ` after ${ago(time, back[0]!.lastSeen)}` : "";
    parts.push(`${are(back, "back")}${at === undefined ? "" : ` at ${at}`}${after}`);
  }
  if (isRepeated) parts.push("this may have been told before");
  const event = silent.length > 0 ? "silent" : "back";
  return {
    key: DIGEST,
    title: are(event === "silent" ? silent : back, event, 1),
    message: parts.join("; "),
    names: (event === "silent" ? silent : back).map(({ name }) => name),
    events: [
      ...silent.map((host) => eventOf("silent", host, time, addressOf)),
      ...back.map((host) => eventOf("back", host, time, addressOf)),
    ],
  };
}

/** The notice of `dynip serve --test-notify`. */
export function testNotice(time: number): Notice {
  const message = "this is a test of dynip's notices";
  return { key: "test", title: "test", message, events: [{ event: "test", time: timeOf(time) }] };
}

/** The JSON of notices that are told together. */
export function bodyOf(notices: readonly Notice[]): NoticeBody {
  const first = notices[0]!;
  const title = notices.length === 1 ? first.title : `${notices.length} notices`;
  const message = shortened(notices.map(({ message }) => message));
  const events = notices.flatMap((notice) => notice.events).slice(0, MAX_EVENTS);
  return { title: `dynip: ${title}`, message, text: message, content: message, events };
}

/** The variables of a command that is told one notice; `""` where something is not known. */
export function variablesOf({ message, events, names }: Notice): Record<string, string> {
  const { event, name, family, address, previous, how, time } = events[0]!;
  const one = names === undefined;
  return {
    DYNIP_EVENT: event,
    DYNIP_NAME: (one && name) || "",
    DYNIP_NAMES: one ? (name ?? "") : listOf(names),
    DYNIP_FAMILY: (one && family) || "",
    DYNIP_ADDRESS: (one && address) || "",
    DYNIP_PREVIOUS: (one && previous) || "",
    DYNIP_HOW: (one && how) || "",
    DYNIP_TIME: time,
    DYNIP_MESSAGE: shortened([message]),
  };
}

function eventOf(
  event: "silent" | "back",
  { name, lastSeen }: Silence,
  time: number,
  addressOf: AddressOf,
): NoticeEvent {
  const address = addressOf(name);
  return {
    event,
    name,
    ...(address !== undefined && { address }),
    last_seen: timeOf(lastSeen),
    time: timeOf(time),
  };
}

/** `nas is silent`, `nas and pi are silent`, `attic, nas and 3 more are silent`. */
function are(hosts: readonly Silence[], state: string, shown = SHOWN_NAMES): string {
  const names = hosts.slice(0, shown).map(({ name }) => harmless(name));
  const rest = hosts.length - names.length;
  if (rest > 0) names.push(`${rest} more`);
  const last = names.pop()!;
  if (names.length === 0) return `${last} is ${state}`;
  return `${names.join(", ")} and ${last} are ${state}`;
}

/** Names, separated by spaces, as many as fit into a variable on every system. */
function listOf(names: readonly string[]): string {
  let list = "";
  for (const name of names) {
    if (list.length + name.length >= MAX_LIST_LENGTH) break;
    list += list === "" ? name : ` ${name}`;
  }
  return list;
}

/** Lines of a message, as many as the shortest limit of those who show it allows. */
function shortened(lines: readonly string[]): string {
  let text = "";
  for (const [index, line] of lines.entries()) {
    const next = index === 0 ? line.slice(0, MAX_MESSAGE_LENGTH) : `${text}\n${line}`;
    if (next.length > MAX_MESSAGE_LENGTH) return `${text}\nand ${lines.length - index} more`;
    text = next;
  }
  return text;
}

/** A time in words: `20 minutes`. */
function ago(time: number, before: number): string {
  return describeAge(Math.max(0, time - before) / 1000);
}

/** ISO 8601, UTC. */
function timeOf(time: number): string {
  return new Date(time).toISOString();
}

/** What is said of an address that is not proven. */
const CAUTION: Readonly<Record<Change["how"], string>> = {
  proven: "",
  claimed: ", as its router says",
  plain: " (by a plain ping, which anyone can forge)",
};

/** The names in the message of a digest; the JSON has all of them. */
const SHOWN_NAMES = 10;
/** Discord takes 2,000 characters. */
const MAX_MESSAGE_LENGTH = 1800;
/** The events in one POST. */
const MAX_EVENTS = 10_000;
/** A variable has at most 32,767 characters on Windows, and 128 KiB on Linux. */
const MAX_LIST_LENGTH = 30_000;
