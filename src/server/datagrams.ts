/** The server's loop: datagram -> message -> outcome -> client log -> reply. */
import { addressToHex, isPrivate, isUnicast } from "../protocol/address.ts";
import type { Cookies } from "../protocol/cookie.ts";
import type { Log } from "../system/log.ts";
import {
  cutUtf8,
  decode,
  decodeCounter,
  type DropReason,
  encodeCounter,
  encodeReply,
  hasMac,
  NO_COOKIE,
  type Ping,
  type Reply,
} from "../protocol/message.ts";
import type { Change, Host } from "../host.ts";
import type { Registry } from "./registry.ts";
import type { BindOptions, BoundSocket } from "../system/udp.ts";

/** What the loop is built from. */
export interface ServerParts {
  /** Binds the server's socket. */
  bind: (handlers: Pick<BindOptions, "onDatagram" | "onError">) => Promise<BoundSocket>;
  registry: Registry;
  clientLog: DurableLog;
  /** What signed pings are checked with; undefined where the server has no secret. */
  signing: Signing | undefined;
  /** Whether plain pings are recorded. */
  allowPlain: boolean;
  /** Whether clients come from the internet, where an address of a private network is odd. */
  isPublic: boolean;
  log: Log;
  /** Milliseconds since 1970, UTC. */
  now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  monotonic: () => number;
  /** Aborted to stop the loop. */
  signal: AbortSignal;
}

/** What the loop uses of a client log. */
export interface DurableLog {
  append(
    name: string,
    host: Host,
    done: ((isDurable: boolean) => void) | undefined,
    isNews: boolean,
  ): void;
  settled(): Promise<void>;
}

export interface Signing {
  /** A signed name's key. */
  keyOf: (name: string) => Uint8Array;
  cookies: Cookies;
}

/** Why a message that could be read was dropped. */
type RefusalReason =
  | "full"
  | "plain"
  | "signed name"
  | "no secret"
  | "wrong MAC"
  | "copy"
  | "too many challenges"
  | "not durable";

/** How many datagrams ended in which way. */
export type Counters = Record<"accepted" | "challenged" | DropReason | RefusalReason, number>;

/** A signed ping's sender. */
interface Peer {
  /** Canonical. */
  address: string;
  port: number;
  /** The address as the socket knows it. */
  peer: string;
}

/**
 * Listens until the signal is aborted, then closes the socket. Each datagram is judged before the
 * next, and a signed ping answered when its record is durable. DynIP 0.1e:
 * `dynip.server.listen_loop`.
 * @throws the system's error when the socket cannot be bound
 */
export async function listenLoop(parts: ServerParts): Promise<Counters> {
  const { registry, clientLog, signing, allowPlain, isPublic, log, now, monotonic } = parts;
  // What is not shown is not made: a message costs more than a ping.
  const info = isShown("info", log) ? log.info : undefined;
  const debug = isShown("debug", log) ? log.debug : undefined;
  const counters = newCounters();
  const mayWarnOfMac = limit(1, monotonic);
  const mayAnnounce = limit(ANNOUNCEMENTS_PER_SECOND, monotonic);
  const mayChallenge = limit(CHALLENGES_PER_SECOND, monotonic);
  const behindNat = new Set<string>();
  let isStopping = false;

  const socket = await parts.bind({
    onDatagram(datagram, address, port, peer) {
      if (isStopping) return;
      const message = decode(datagram);
      switch (message.type) {
        case "dropped":
          return drop(message.reason, datagram.length, address);
        case "plain":
          return onPlain(message.name, address);
        case "signed":
          return onSigned(message.ping, datagram, { address, port, peer });
      }
    },
    onError: (error) => debug?.(`socket: ${error.message}`),
  });
  log.log(`listening on ${endpoint(socket)}`);
  if (!parts.signal.aborted) {
    await new Promise((resolve) => parts.signal.addEventListener("abort", resolve, { once: true }));
  }
  isStopping = true;
  await clientLog.settled(); // what was accepted is answered
  socket.close();
  return counters;

  function onPlain(name: string, address: string): void {
    if (!allowPlain) {
      if (counters.plain === 0) {
        log.warn(
          `dropped a ping of ${shortName(name)} from ${address}: it is not signed`,
          "allow_plain = true in [server] accepts the pings of DynIP 0.1e",
        );
      }
      return drop("plain", name, address);
    }
    const outcome = registry.recordPlain(name, address, now());
    if (outcome.kind === "dropped") {
      // A warning once: whoever makes up names makes up many.
      if (outcome.reason === "full" && counters.full === 0) {
        log.warn(
          `dropped the new name ${shortName(name)} from ${address}: as many as max_clients are known`,
          "raise max_clients in [server], or remove names from the client log while it is stopped",
        );
      }
      return drop(outcome.reason, name, address);
    }
    const { host, change } = outcome;
    clientLog.append(name, host, undefined, change.kind !== "same");
    // Anybody can send as many of these as he likes: they must not fill a disk with messages.
    accept(name, address, change, change.kind === "same" || mayAnnounce(""));
  }

  function onSigned(ping: Ping, datagram: Uint8Array, from: Peer): void {
    const { name } = ping;
    const { address } = from;
    if (!signing) {
      if (counters["no secret"] === 0) {
        log.warn(
          `dropped a signed ping of ${shortName(name)} from ${address}: this server has no secret`,
          "give it the secret of its clients, in its configuration or in DYNIP_SECRET",
        );
      }
      return drop("no secret", name, address);
    }
    const key = signing.keyOf(name);
    if (!hasMac(datagram, key)) {
      if (mayWarnOfMac(""))
        log.warn(`dropped a ping from ${address}: wrong MAC for ${shortName(name)}`);
      return drop("wrong MAC", name, address);
    }
    const outcome = registry.recordSigned(
      { name, counter: decodeCounter(ping.counter), cookie: checkCookie(ping, address), address },
      now(),
    );
    if (outcome.kind === "copy") return drop("copy", name, address);
    if (outcome.kind === "challenge") {
      // Whoever replays an old ping, and from wherever, uses up nobody's challenges but his own.
      if (!mayChallenge(`${name} ${address} ${outcome.isOld}`))
        return drop("too many challenges", name, address);
      counters.challenged++;
      debug?.(`challenged ${shortName(name)} at ${address}`);
      const seen = registry.seenOf(name, address);
      const value = signing.cookies.make("ping", address, name, seen, monotonic());
      const counter = encodeCounter(outcome.counter);
      return reply({ type: "C", counter, nonce: ping.nonce, value }, key, from);
    }
    const { host, change } = outcome;
    const isNews = change.kind !== "same";
    const onDone = (isDurable: boolean): void => {
      registry.settle(name, host, isDurable);
      if (!isDurable) return drop("not durable", name, address);
      accept(name, address, change, true);
      const counter = encodeCounter(registry.counterOf(name));
      reply({ type: "A", counter, nonce: ping.nonce, value: addressToHex(address) }, key, from);
    };
    clientLog.append(name, host, onDone, isNews);
  }

  function checkCookie({ cookie, name }: Ping, address: string): "none" | "good" | "bad" {
    if (cookie === NO_COOKIE) return "none";
    const seen = registry.seenOf(name, address);
    const isGood = signing!.cookies.isGood(cookie, "ping", address, name, seen, monotonic());
    return isGood ? "good" : "bad";
  }

  function reply(message: Reply, key: Uint8Array, { address, port, peer }: Peer): void {
    // A reply to everybody or to nobody is what a forged source is after.
    if (port === 0 || !isUnicast(address)) return;
    socket.send(encodeReply(message, key), port, peer);
  }

  function accept(name: string, address: string, change: Change, mayShow: boolean): void {
    counters.accepted++;
    if (change.kind === "same" || !mayShow) {
      return info?.(describe(shortName(name), address, change));
    }
    log.log(describe(shortName(name), address, change));
    if (isPublic && isPrivate(address) && !behindNat.has(name)) {
      log.warn(
        `${shortName(name)} is recorded at ${address}, an address of a private network or of this machine`,
        behindNat.size > 0
          ? undefined
          : "if it is not in this network, a gateway or a container bridge hides its own address",
      );
      behindNat.add(name);
    }
  }

  /** @param what the ping's name, or how many bytes there were of something else */
  function drop(reason: DropReason | RefusalReason, what: string | number, address: string): void {
    counters[reason]++;
    debug?.(
      `dropped ${typeof what === "number" ? `${what} bytes` : shortName(what)} from ${address}: ${reason}`,
    );
  }
}

/** For each name, address and kind of ping: more than any client needs. */
const CHALLENGES_PER_SECOND = 10;

/** Changes by plain pings that are shown without -v. */
const ANNOUNCEMENTS_PER_SECOND = 10;

/** Whether a log shows a level; one that does not say shows all. */
function isShown(level: "info" | "debug", { shown = "debug" }: Log): boolean {
  return shown === "debug" || shown === level;
}

function newCounters(): Counters {
  return {
    accepted: 0,
    challenged: 0,
    empty: 0,
    "not UTF-8": 0,
    "not a name": 0,
    malformed: 0,
    full: 0,
    plain: 0,
    "signed name": 0,
    "no secret": 0,
    "wrong MAC": 0,
    copy: 0,
    "too many challenges": 0,
    "not durable": 0,
  };
}

/** Says yes to each key at most so many times in a second. Keys are forgotten every second. */
function limit(perSecond: number, monotonic: () => number): (key: string) => boolean {
  const counts = new Map<string, number>();
  let second = Number.NaN;
  return (key) => {
    const current = Math.floor(monotonic() / 1000);
    if (current !== second) counts.clear();
    second = current;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return count <= perSecond;
  };
}

function describe(name: string, address: string, change: Change): string {
  switch (change.kind) {
    case "new":
      return `new host ${name} at ${address}`;
    case "signed":
      return `${name} at ${address} is signed from now on`;
    case "same":
      return `${name} is still at ${address}`;
    case "moved":
      return change.previous === undefined
        ? `${name} is at ${address}, too`
        : `${name} moved from ${change.previous} to ${address}`;
  }
}

/** A name as a log line shows it: a line stays under 300 bytes, however long the name is. */
function shortName(name: string): string {
  const bytes = Buffer.from(name);
  if (bytes.length <= SHOWN_NAME_BYTES) return name;
  return `${new TextDecoder().decode(cutUtf8(bytes, SHOWN_NAME_BYTES))}…`;
}

const SHOWN_NAME_BYTES = 100;

function endpoint({ address, port }: BoundSocket): string {
  if (address === "::") return `UDP port ${port}, every interface, IPv6 and IPv4`;
  if (address === "0.0.0.0") return `UDP port ${port}, every interface, IPv4`;
  return `UDP port ${port}, ${address}`;
}
