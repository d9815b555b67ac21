/**
 * The UDP door: decodes each datagram, checks MAC and cookie, hands a ping to the recorder and a question
 * to questions.ts, and answers. What a datagram may change is for registry.ts to decide; hostile input
 * is dropped and counted, never thrown.
 */
import { addressToHex, isUnicast } from "../protocol/address.ts";
import type { Cookies } from "../protocol/cookie.ts";
import {
  decode,
  decodeCounter,
  encodeCounter,
  encodeReply,
  NO_COOKIE,
  type Ping,
  type Question,
  type Reply,
} from "../protocol/message.ts";
import type { Log } from "../system/log.ts";
import type { BindOptions, BoundSocket, DatagramHandler } from "../system/udp.ts";
import type { DroppedKind } from "./announce.ts";
import type { Reason } from "./counters.ts";
import { limitPerSecond } from "./limit.ts";
import { type QuestionParts, Questions } from "./questions.ts";
import type { Recorder, Settled } from "./recorder.ts";

/** What signed pings and questions are checked with. */
export interface Signing {
  /** The key of a signed name, if the datagram ends in its MAC by that key; see keyring.ts. */
  keyIfMac: (name: string, datagram: Uint8Array) => Uint8Array | undefined;
  cookies: Cookies;
}

/** What the door is built from. */
export interface DoorParts extends QuestionParts {
  recorder: Recorder;
  /** Undefined where the server has no secret. */
  signing: Signing | undefined;
  /** Whether plain pings are recorded. */
  allowPlain: boolean;
}

export interface LoopParts {
  door: Door;
  /** Binds the socket of the server. */
  bind: (handlers: Pick<BindOptions, "onDatagram" | "onError">) => Promise<BoundSocket>;
  /**
   * Called when the loop is told to stop. From then on the server's other doors accept no report; resolves
   * when they have answered what they had.
   */
  stopOthers?: () => Promise<void>;
  /** Resolves when all that was accepted is settled. */
  settled: () => Promise<void>;
  log: Log;
  /** Aborted to stop the loop. */
  signal: AbortSignal;
}

/**
 * Listens until the signal is aborted, answers what was accepted, and closes the socket. DynIP 0.1e:
 * `dynip.server.listen_loop`.
 * @throws the system's error when the socket cannot be bound
 */
export async function listenLoop({
  door,
  bind,
  stopOthers,
  settled,
  log,
  signal,
}: LoopParts): Promise<void> {
  const socket = await bind({
    onDatagram: door.take,
    onError: (error) => log.debug(`socket: ${error.message}`),
  });
  door.open(socket);
  log.log(`listening on ${endpoint(socket)}`);
  if (!signal.aborted) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
  door.close();
  const others = stopOthers?.();
  await settled();
  socket.close();
  await others;
}

/** Takes datagrams, one after the other. */
export class Door {
  readonly #parts: DoorParts;
  readonly #mayChallenge: (key: number) => boolean;
  /** Undefined where the server has no secret. */
  readonly #questions: Questions | undefined;
  #socket: Pick<BoundSocket, "send"> | undefined;
  #isClosed = false;

  constructor(parts: DoorParts) {
    this.#parts = parts;
    this.#mayChallenge = limitPerSecond(CHALLENGES_PER_SECOND, parts.monotonic);
    this.#questions = parts.signing && new Questions(parts, parts.signing.cookies);
  }

  /** Lets datagrams in; answers leave by this socket. */
  open(socket: Pick<BoundSocket, "send">): void {
    this.#socket = socket;
  }

  /** Lets no more datagrams in; what was accepted is still answered. */
  close(): void {
    this.#isClosed = true;
  }

  /** Takes one datagram, see {@link DatagramHandler}. */
  take: DatagramHandler = (datagram, address, port, peer) => {
    if (this.#isClosed) return;
    const message = decode(datagram);
    switch (message.type) {
      case "dropped":
        return this.#drop(message.reason, datagram.length, address);
      case "plain":
        return this.#plain(message.name, address);
      case "signed":
        return this.#signed(message.ping, datagram, { address, port, peer });
      case "question":
        return this.#question(message.question, datagram, { address, port, peer });
    }
  };

  #plain(name: string, address: string): void {
    const { allowPlain, recorder } = this.#parts;
    const refusal = allowPlain ? recorder.recordPlain(name, address, this.#count) : "plain";
    if (refusal !== undefined) this.#drop(refusal, name, address);
  }

  #signed(ping: Ping, datagram: Uint8Array, from: Peer): void {
    const { recorder, signing, hosts } = this.#parts;
    const { name } = ping;
    const { address } = from;
    if (!signing) return this.#drop("no secret", name, address);
    const key = signing.keyIfMac(name, datagram);
    if (!key) return this.#drop("wrong MAC", name, address);
    const counter = decodeCounter(ping.counter);
    const seen = recorder.seenOf(name, address);
    const hasCookie =
      ping.cookie !== NO_COOKIE &&
      signing.cookies.isGood(ping.cookie, "ping", address, name, seen, this.#parts.monotonic());
    const outcome = recorder.recordSigned({ name, counter, hasCookie, address }, (isDurable) => {
      this.#count(isDurable, name, address);
      if (isDurable) this.#reply("A", ping.counter, addressToHex(address), ping, key, from);
    });
    if (outcome === undefined) return;
    if (outcome === "copy") return this.#drop("copy", name, address);
    // By nonce: a replayed ping has an old one, so that it uses up no challenge of its client.
    if (!this.#mayChallenge(hosts.hashOf(`${ping.nonce} ${name}`))) {
      return this.#drop("too many challenges", name, address);
    }
    this.#parts.counters.challenged++;
    this.#parts.announcer.challenged(name, address);
    const cookie = signing.cookies.make("ping", address, name, seen, this.#parts.monotonic());
    this.#reply("C", encodeCounter(outcome.counter), cookie, ping, key, from);
  }

  #question(question: Question, datagram: Uint8Array, from: Peer): void {
    const { asker } = question;
    const { address } = from;
    const { signing } = this.#parts;
    if (!signing) return this.#drop("no secret", asker, address, "question");
    const key = signing.keyIfMac(asker, datagram);
    if (!key) return this.#drop("wrong MAC", asker, address, "question");
    const reply = this.#questions!.reply(question, key, address);
    if (!reply) return this.#drop("too many questions", asker, address, "question");
    this.#send(reply, from);
  }

  #reply(
    type: Reply["type"],
    counter: string,
    value: string,
    { nonce }: Ping,
    key: Uint8Array,
    from: Peer,
  ): void {
    this.#send(encodeReply({ type, counter, nonce, value }, key), from);
  }

  #send(reply: Uint8Array, { address, port, peer }: Peer): void {
    // A forged source may ask for an answer to everyone (broadcast), or to no one.
    if (port !== 0 && isUnicast(address)) this.#socket?.send(reply, port, peer);
  }

  readonly #count: Settled = (isDurable, name, address) => {
    if (isDurable) this.#parts.counters.accepted++;
    else this.#drop("not durable", name, address);
  };

  #drop(reason: Reason, what: string | number, address: string, kind?: DroppedKind): void {
    this.#parts.counters[reason]++;
    this.#parts.announcer.dropped(reason, what, address, kind);
  }
}

/** The sender of a datagram, who may be answered. */
interface Peer {
  /** Canonical. */
  address: string;
  port: number;
  /** The address as the socket knows it. */
  peer: string;
}

/** For each name and nonce. A client makes a new nonce for every datagram; a network may double it. */
const CHALLENGES_PER_SECOND = 3;

function endpoint({ address, port }: BoundSocket): string {
  if (address === "::") return `UDP port ${port}, every interface, IPv6 and IPv4`;
  if (address === "0.0.0.0") return `UDP port ${port}, every interface, IPv4`;
  return `UDP port ${port}, ${address}`;
}
