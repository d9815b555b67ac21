/**
 * Passes mutated datagrams through the made-up server of world.ts. Between them an honest client pings
 * and moves, and must be acknowledged; and asks where it is, and must be answered.
 */
import { isUnicast } from "../../src/protocol/address.ts";
import {
  decodeAnswer,
  decodeCounter,
  decodeReply,
  deriveKey,
  encodeCounter,
  NO_COOKIE,
  type Reply,
} from "../../src/protocol/message.ts";
import type { Host, Hosts } from "../../src/host.ts";
import { type Done, HostMap, type MadeUpServer, startServer, SyncedDisk } from "../world.ts";
import { Datagrams, endsInMac, keyOf, NAMES, SECRET } from "./datagrams.ts";
import { Random } from "./random.ts";
import { findingOf, must, type Target, type TargetKind } from "./target.ts";

export const serverKind: TargetKind = {
  name: "server",
  share: 0.35,
  batch: 8192,
  async make(seed) {
    const target = new ServerTarget(seed);
    await target.start();
    return target;
  },
};

/** The addresses of honest clients, and of all sources, which may be forged. */
const HOMES = ["203.0.113.7", "198.51.100.9", "2001:db8::7"];
const SOURCES = [
  ...HOMES,
  "192.0.2.66",
  "10.0.0.66",
  "2001:db8::bad",
  "127.0.0.1",
  "255.255.255.255",
  "224.0.0.1",
  "ff02::1",
  "::1",
];
const PORT = 28630;
const PORTS = [40_000, 40_000, 1, 0, PORT];
const MAX_CLIENTS = 100;

/** Of the honest names, the one that may ask about all others. */
const READER = NAMES[0]!;

/** The limit of a log line is 300 bytes, of which time and level take the rest. */
const LONGEST_LINE = 260;

/** The number of datagrams per sync, and between two honest pings. */
const PER_SYNC = 64;
const PER_EXCHANGE = 4096;

class ServerTarget implements Target {
  readonly name = serverKind.name;
  readonly #random: Random;
  readonly #datagrams: Datagrams;
  readonly #hosts = new HostMap();
  /** The records that honest pings have made; {@link #hosts} must agree. */
  readonly #signed: Hosts = new Map();
  readonly #disk = new SyncedDisk(true);
  #server: MadeUpServer | undefined;
  #now = 1_763_812_800_000;
  #input: Uint8Array = new Uint8Array();
  #source = "";
  #replies: Reply[] = [];
  /** The last reply or answer. */
  #sentLast: Uint8Array = new Uint8Array();
  #lines = 0;
  inputs = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#datagrams = new Datagrams(this.#random, this.#now);
  }

  async start(): Promise<void> {
    const check = (line: string) => this.#checkLine(line);
    this.#server = await startServer({
      hosts: this.#hosts,
      maxClients: MAX_CLIENTS,
      // Not cached, since the fuzzer makes up names.
      keyOf: (name) => deriveKey(SECRET, name, 1),
      isPublic: true,
      readers: [READER],
      log: { error: check, warn: check, log: check, info: check, debug: check },
      now: () => this.#now,
      monotonic: () => this.#now,
      disk: {
        write: (name, host, done) => this.#write(name, host, done),
        settled: async () => this.#sync(true),
      },
      socket: { send: (bytes, port, peer) => this.#sent(bytes, port, peer) },
    });
  }

  run(count: number): void {
    for (let left = count; left > 0; left--) {
      if (this.inputs % PER_EXCHANGE === 0) this.#exchange();
      if (this.inputs % PER_SYNC === 0) this.#sync(!this.#random.once(8));
      const source = this.#random.pick(SOURCES);
      this.#try(this.#datagrams.next(), source, this.#random.pick(PORTS));
    }
  }

  try(input: Uint8Array): void {
    for (const source of SOURCES) this.#try(input, source, PORTS[0]!);
    this.#sync(true);
    this.#exchange();
  }

  async close(): Promise<void> {
    await this.#server?.stop();
  }

  #try(input: Uint8Array, source: string, port: number): void {
    this.inputs++;
    this.#input = input;
    this.#source = source;
    try {
      this.#server!.receive(input, source, port, source);
    } catch (error) {
      throw findingOf(error, input);
    }
  }

  /** An honest client pings; it must be acknowledged, after one challenge at the most. */
  #exchange(): void {
    this.#sync(true);
    this.#now += 1000;
    const name = this.#random.pick(NAMES);
    const home = this.#random.pick(HOMES);
    // The attacker gets a ping with a right MAC and a made-up cookie, which must never be accepted.
    const counter = encodeCounter(this.#now * 1000 + 500_000);
    this.#datagrams.sign({ name, counter, cookie: "ab".repeat(16) });
    const first = this.#serve(name, this.#now * 1000, NO_COOKIE, home);
    if (first?.type === "C") {
      const { counter, value } = first;
      const second = this.#serve(name, decodeCounter(counter), value, home);
      this.#promise(second?.type === "A", "an honest ping with a fresh cookie is acknowledged");
    } else {
      this.#promise(first?.type === "A", "an honest ping is answered");
    }
    this.#ask(name, home);
    this.#promise(
      [...this.#hosts].every(
        ([known, host]) => host.counter === undefined || host === this.#signed.get(known),
      ) && [...this.#signed].every(([known, host]) => host === this.#hosts.get(known)),
      "a signed record is what the last honest ping made of it",
    );
    this.#promise(
      this.#hosts.size <= MAX_CLIENTS + NAMES.length,
      "no more plain names than max_clients are known",
    );
  }

  #serve(name: string, counter: number, cookie: string, home: string): Reply | undefined {
    const { bytes } = this.#datagrams.sign({ name, counter: encodeCounter(counter), cookie });
    this.#replies = [];
    this.#try(bytes, home, PORTS[0]!);
    this.#sync(true);
    return this.#replies.at(-1);
  }

  /** The honest client asks where it is. */
  #ask(name: string, home: string): void {
    let cookie = NO_COOKIE;
    for (const type of ["C", "R"]) {
      this.#replies = [];
      const { bytes } = this.#datagrams.ask({ asker: name, name, cookie });
      this.#try(bytes, home, PORTS[0]!);
      const text = Buffer.from(this.#sentLast).toString();
      this.#promise(text.slice(8, 9) === type, "an honest question is challenged, then answered");
      cookie = text.slice(44, 76);
    }
    const answer = decodeAnswer(this.#sentLast);
    const places = [answer?.ipv4?.address, answer?.ipv6?.address];
    this.#promise(places.includes(home), "an honest question about itself is answered");
    // The attacker gets a question with a right MAC and a made-up cookie.
    this.#datagrams.ask({ asker: READER, name, cookie: "ab".repeat(16) });
  }

  #sync(isDurable: boolean): void {
    try {
      this.#disk.sync(isDurable);
    } catch (error) {
      throw findingOf(error, this.#input);
    }
  }

  /** Called by the server when it accepts the current datagram. */
  #write(name: string, host: Host, done: Done | undefined): void {
    if (host.counter === undefined) {
      const folded = name.normalize("NFKC").toUpperCase().toLowerCase().replace(/\.+$/, "");
      must(!this.#signed.has(folded), "a plain ping says nothing of a signed name");
    } else {
      const honest = this.#datagrams.honest(this.#input);
      must(honest, "a signed record changes by a datagram that the honest client made");
      must(endsInMac(this.#input, keyOf(name)), "a signed record changes by a right MAC alone");
      must(honest.ping.name === name, "a signed ping changes its own name alone");
      must(
        host.counter === decodeCounter(honest.ping.counter),
        "the counter stored is the honest ping's",
      );
      must(HOMES.includes(this.#source), "an address is recorded when the honest client was there");
    }
    if (done) {
      must(this.#server!.hosts.get(name) !== host, "news is not seen before it is durable");
      const isFromSource = [host.ipv4, host.ipv6].some((seen) => seen?.address === this.#source);
      must(isFromSource, "the address recorded is the datagram's source");
    }
    this.#disk.write(
      name,
      host,
      done &&
        ((isDurable) => {
          if (isDurable && host.counter !== undefined) this.#signed.set(name, host);
          done(isDurable);
        }),
    );
  }

  /** Called by the server when it sends a reply. */
  #sent(bytes: Uint8Array, port: number, peer: string): void {
    const reply = decodeReply(bytes);
    const nonce = (reply ?? decodeAnswer(bytes))?.nonce ?? "";
    const ping = this.#datagrams.byNonce(nonce);
    const question = this.#datagrams.questionByNonce(nonce);
    const honest = ping ?? question;
    must(honest && (reply || question), "nobody but an honest client gets a reply");
    const name = ping ? ping.ping.name : question!.question.asker;
    must(endsInMac(bytes, keyOf(name)), "a reply has the MAC of the name that pings or asks");
    must(bytes.length < honest.bytes.length, "a reply is shorter than what it answers");
    // The adapter drops datagrams to the server itself, see udp.test.ts.
    must(port !== 0 && isUnicast(peer), "a reply goes to one host");
    must(reply || HOMES.includes(peer), "an answer goes to where the honest client asked");
    this.#sentLast = bytes;
    if (reply) this.#replies.push(reply);
  }

  /** Checks the length of each line, and the text of every 16th: most are alike. */
  #checkLine(line: string): void {
    must(line.length < LONGEST_LINE, "a line of the log is short");
    if ((this.#lines++ & 15) !== 0) return;
    must(Buffer.byteLength(line) < LONGEST_LINE, "a line of the log is short");
    must(!/[\p{C}\p{Zl}\p{Zp}]/u.test(line), "a line of the log has no control character");
  }

  #promise(holds: boolean, promise: string): void {
    try {
      must(holds, promise);
    } catch (error) {
      throw findingOf(error, this.#input);
    }
  }
}
