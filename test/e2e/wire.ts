/**
 * dynip/1, written from the specification without the code under test. It can also make datagrams that
 * the program's own encoder cannot.
 */
import { createHmac } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";

import { eventually, holdsWithin, PATIENCE } from "../waiting.ts";

/** The servers' secret. */
export const SECRET_BYTES = Buffer.alloc(32, 7);
/** The same, as a configuration holds it. */
export const SECRET = SECRET_BYTES.toString("base64url");

export const NO_COOKIE = "0".repeat(32);

/** Microseconds since 1970. */
export const microseconds = (): number => Date.now() * 1000;

/** A counter's 16 digits. */
export const digits = (counter: number): string => counter.toString(16).padStart(16, "0");

export function keyOf(name: string, generation = 1): Buffer {
  return createHmac("sha256", SECRET_BYTES).update(`dynip/1 key\n${generation}\n${name}`).digest();
}

/** Appends the MAC to a text. */
export function sign(text: string, key: Buffer): string {
  return text + createHmac("sha256", key).update(text).digest("hex").slice(0, 32);
}

export interface PingParts {
  name: string;
  counter?: string;
  nonce?: string;
  cookie?: string;
}

let nonces = 0;
let barriers = 0;

/** A ping with a right MAC; by default with the current time as its counter and without a cookie. */
export function signedPing({
  name,
  counter = digits(microseconds()),
  nonce = digits(++nonces),
  cookie = NO_COOKIE,
}: PingParts): string {
  return sign(`dynip/1 P ${counter} ${nonce} ${cookie} ${name} `, keyOf(name));
}

export interface WireReply {
  type: string;
  counter: string;
  nonce: string;
  value: string;
}

/** The parts of a reply. Throws if it is malformed or its MAC is wrong. */
export function readReply(datagram: string, name: string): WireReply {
  const parts = /^dynip\/1 ([AC]) ([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{32}) [0-9a-f]{32}$/.exec(
    datagram,
  );
  if (!parts || sign(datagram.slice(0, -32), keyOf(name)) !== datagram) {
    throw new Error(`no reply to ${name}: ${datagram}`);
  }
  const [, type, counter, nonce, value] = parts;
  return { type: type!, counter: counter!, nonce: nonce!, value: value! };
}

const nonceOf = (reply: string): string => reply.slice(27, 43);

/** A socket that sends to one server and keeps what it receives. */
export interface Peer {
  send(datagram: string | Uint8Array): Promise<void>;
  /** Sends a ping once and resolves to its reply; rejects when there is none in time. */
  ask(ping: PingParts): Promise<WireReply>;
  /**
   * Resolves when a server with a secret has handled everything sent so far. It answers in order, so
   * that this waits for its challenge of a `barrier-…`, sent again if a busy machine loses it.
   */
  handled(): Promise<void>;
  /** Gets a challenge and answers it; resolves to the acknowledgement. */
  exchange(name: string): Promise<WireReply>;
  /** The replies to these nonces, in any order; rejects when one is missing for too long. */
  replies(name: string, ...nonces: string[]): Promise<WireReply[]>;
  /** Resolves to the datagrams that no other method has returned, when all sent so far have arrived. */
  rest(): Promise<string[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openPeer(port: number, address = "127.0.0.1"): Promise<Peer> {
  const isIPv6 = address.includes(":");
  const socket = createSocket(isIPv6 ? "udp6" : "udp4");
  const server = isIPv6 ? "::1" : "127.0.0.1";
  const received: string[] = [];
  socket.on("message", (datagram) => received.push(datagram.toString("latin1")));
  socket.on("error", () => {});
  socket.bind(0, address);
  await once(socket, "listening");

  /** Waits for a datagram that passes, and takes it out of those received. */
  const take = async (what: string, passes: (datagram: string) => boolean): Promise<string> => {
    await eventually(what, () => received.some(passes));
    return received.splice(received.findIndex(passes), 1)[0]!;
  };
  const sendTo = (datagram: string | Uint8Array, to: number, host: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const bytes = typeof datagram === "string" ? Buffer.from(datagram) : datagram;
      socket.send(bytes, to, host, (error) => (error ? reject(error) : resolve()));
    });
  const peer: Peer = {
    send: (datagram) => sendTo(datagram, port, server),
    async replies(name, ...wanted) {
      const replies: WireReply[] = [];
      for (const nonce of wanted) {
        const datagram = await take(`a reply to ${name}`, (text) => nonceOf(text) === nonce);
        replies.push(readReply(datagram, name));
      }
      return replies;
    },
    async ask(parts) {
      const nonce = parts.nonce ?? digits(++nonces);
      await peer.send(signedPing({ ...parts, nonce }));
      return (await peer.replies(parts.name, nonce))[0]!;
    },
    async handled() {
      const sent = new Set<string>();
      await eventually("the challenge of a barrier", async () => {
        const nonce = digits(++nonces);
        sent.add(nonce);
        await peer.send(signedPing({ name: `barrier-${++barriers}`, nonce }));
        return await holdsWithin(600 * PATIENCE, () =>
          received.some((text) => nonceOf(text) === nonce),
        );
      });
      // Answers to earlier ones, which were late and not lost, are in front of the last one's.
      const others = received.filter((text) => !sent.has(nonceOf(text)));
      received.splice(0, received.length, ...others);
    },
    async exchange(name) {
      const { type, counter, value } = await peer.ask({ name });
      if (type !== "C") throw new Error(`${name} got ${type}, not a challenge`);
      return await peer.ask({ name, counter, cookie: value });
    },
    async rest() {
      // Datagrams are delivered in order: with this one all earlier ones have arrived.
      const mark = `mark ${digits(++nonces)}`;
      await sendTo(mark, socket.address().port, address);
      await take("a datagram to oneself", (text) => text === mark);
      return received.splice(0);
    },
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
  return peer;
}
