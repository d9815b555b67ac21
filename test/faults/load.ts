/**
 * Signing clients that never pause. Each keeps several pings in flight, and sends the next when one is
 * acknowledged or late. At random they move to another address. They record what was acknowledged.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

import {
  decodeReply,
  deriveKey,
  encodeCounter,
  decodeCounter,
  encodePing,
  hasMac,
  NO_COOKIE,
} from "../../src/protocol/message.ts";
import type { Random } from "../fuzz/random.ts";

interface Client {
  readonly name: string;
  readonly key: Uint8Array;
  address: string;
  counter: number;
  /** By nonce. */
  readonly inFlight: Map<string, { counter: number; sent: number }>;
}

export class Load {
  /** The highest counter acknowledged for each name. */
  readonly acknowledged = new Map<string, number>();
  acknowledgements = 0;
  readonly #port: number;
  readonly #random: Random;
  readonly #clients: Client[];
  readonly #sockets = new Map<string, Socket>();
  /** The source address of each ping, by `name counter`. */
  readonly #sentFrom = new Map<string, string>();
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(port: number, secret: Uint8Array, names: readonly string[], random: Random) {
    this.#port = port;
    this.#random = random;
    this.#clients = names.map((name) => ({
      name,
      key: deriveKey(secret, name, 1),
      address: ADDRESSES[0]!,
      counter: 0,
      inFlight: new Map(),
    }));
  }

  async start(): Promise<void> {
    for (const address of ADDRESSES) {
      const socket = createSocket("udp4");
      socket.on("error", () => {}); // ECONNREFUSED while no server runs
      socket.on("message", (datagram) => this.#onReply(datagram, address));
      socket.bind(0, address);
      await once(socket, "listening");
      this.#sockets.set(address, socket);
    }
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    for (const socket of this.#sockets.values()) socket.close();
  }

  /** The address that a name's ping with this counter was sent from. */
  addressOf(name: string, counter: number): string | undefined {
    return this.#sentFrom.get(`${name} ${counter}`);
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const now = performance.now();
      for (const client of this.#clients) {
        for (const [nonce, { sent }] of client.inFlight) {
          if (now - sent > TOO_LATE_MS) client.inFlight.delete(nonce);
        }
        if (this.#random.once(200)) client.address = this.#random.pick(ADDRESSES);
        while (client.inFlight.size < IN_FLIGHT) this.#ping(client, client.address);
      }
      await Bun.sleep(1);
    }
  }

  #ping(client: Client, address: string, cookie = NO_COOKIE, atLeast = 0): void {
    const { name, key, inFlight } = client;
    client.counter = Math.max(client.counter + 1, Date.now() * 1000, atLeast);
    const { counter } = client;
    const nonce = this.#random.next().toString(16).padStart(16, "0");
    inFlight.set(nonce, { counter, sent: performance.now() });
    this.#sentFrom.set(`${name} ${counter}`, address);
    const ping = encodePing({ name, counter: encodeCounter(counter), nonce, cookie }, key);
    this.#sockets.get(address)!.send(ping, this.#port, "127.0.0.1", () => {});
  }

  #onReply(datagram: Uint8Array, address: string): void {
    const reply = decodeReply(datagram);
    if (!reply) return;
    const client = this.#clients.find(({ inFlight }) => inFlight.has(reply.nonce));
    if (!client || !hasMac(datagram, client.key)) return;
    const { counter } = client.inFlight.get(reply.nonce)!;
    client.inFlight.delete(reply.nonce);
    const stored = decodeCounter(reply.counter);
    if (reply.type === "C") return this.#ping(client, address, reply.value, stored);
    // The reply may name the counter of a later ping, which is then durable as well.
    const highest = Math.max(counter, stored, this.acknowledged.get(client.name) ?? 0);
    this.acknowledged.set(client.name, highest);
    this.acknowledgements++;
  }
}

const IN_FLIGHT = 4;
const TOO_LATE_MS = 60;

/** Only Linux has all of 127.0.0.0/8 without configuration. */
const ADDRESSES =
  process.platform === "linux" ? ["127.0.0.1", "127.0.0.2", "127.0.0.3"] : ["127.0.0.1"];
