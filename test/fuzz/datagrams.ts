/** Makes mutated datagrams from those of honest clients and servers and of other protocols. */
import { createHmac } from "node:crypto";

import {
  deriveKey,
  encodeCounter,
  encodePing,
  encodePlain,
  encodeQuestion,
  encodeReply,
  NO_COOKIE,
  type Ping,
  type Question,
} from "../../src/protocol/message.ts";
import { Mutator } from "./mutator.ts";
import { Random } from "./random.ts";
import { isSame } from "./target.ts";

const utf8 = new TextEncoder();

/** The secret of the server and the honest clients; the attacker does not know it. */
export const SECRET = new Uint8Array(32).fill(7);

/** The names that honest clients sign. */
export const NAMES = ["nas", "a", "attic-pi.local", "x".repeat(128)];

const KEYS = new Map(NAMES.map((name) => [name, deriveKey(SECRET, name, 1)]));

/** The key of a signed name. Only honest names are cached, since the fuzzer makes up many others. */
export function keyOf(name: string): Uint8Array {
  return KEYS.get(name) ?? deriveKey(SECRET, name, 1);
}

/** Whether a datagram ends in the right MAC, computed without the code under test. */
export function endsInMac(datagram: Uint8Array, key: Uint8Array): boolean {
  const end = datagram.length - 32;
  const mac = createHmac("sha256", key).update(datagram.subarray(0, end)).digest("hex");
  return Buffer.from(datagram.subarray(end)).toString("latin1") === mac.slice(0, 32);
}

/** The number of recent honest pings that are kept for mutation and replay. */
const KEPT_PINGS = 32;

/** A ping that an honest client has made. */
export interface HonestPing {
  readonly bytes: Uint8Array;
  readonly ping: Ping;
}

/** A question that an honest client has made. */
export interface HonestQuestion {
  readonly bytes: Uint8Array;
  readonly question: Question;
}

/** Makes mutated datagrams. */
export class Datagrams {
  readonly #random: Random;
  readonly #mutator: Mutator;
  readonly #pings: HonestPing[] = [];
  readonly #questions: HonestQuestion[] = [];
  readonly #others: Uint8Array[];
  #made = 0;

  constructor(random: Random, now: number) {
    this.#random = random;
    this.#mutator = new Mutator(random, TOKENS);
    this.#others = [...replies(), ...PLAIN.map((name) => encodePlain(name)), ...ODD];
    const counter = encodeCounter(now * 1000);
    for (const name of NAMES) {
      this.sign({ name, counter, cookie: NO_COOKIE });
      for (const asked of NAMES) this.ask({ asker: name, name: asked, cookie: NO_COOKIE });
    }
  }

  /** Makes a question as an honest client; only the newest {@link KEPT_PINGS} are kept. */
  ask(unsigned: Omit<Question, "nonce">): HonestQuestion {
    const question = { ...unsigned, nonce: encodeCounter(++this.#made) };
    const honest = { question, bytes: encodeQuestion(question, keyOf(question.asker)) };
    if (this.#questions.push(honest) > KEPT_PINGS) this.#questions.shift();
    return honest;
  }

  /** Signs a ping as the honest client; only the newest {@link KEPT_PINGS} are kept. */
  sign(unsigned: Omit<Ping, "nonce">): HonestPing {
    const ping = { ...unsigned, nonce: encodeCounter(++this.#made) };
    const honest = { ping, bytes: encodePing(ping, keyOf(ping.name)) };
    if (this.#pings.push(honest) > KEPT_PINGS) this.#pings.shift();
    return honest;
  }

  /** Makes a datagram. The next call overwrites its memory. */
  next(): Uint8Array {
    const random = this.#random;
    const other = random.pick(this.#others);
    const honest = random.pick(this.#pings).bytes;
    switch (random.next() & 7) {
      case 0:
      case 1:
        return this.#mutator.mutate(honest, random.pick(this.#pings).bytes);
      case 2:
      case 3:
        return this.#mutator.mutate(random.pick(this.#questions).bytes, honest);
      case 4:
        return this.#mutator.mutate(honest, other);
      case 5:
        return this.#mutator.mutate(other, honest);
      default:
        return this.#mutator.mutate(other, random.pick(this.#others));
    }
  }

  /** The honest ping with these bytes; undefined if there is none. */
  honest(bytes: Uint8Array): HonestPing | undefined {
    return this.#pings.find((honest) => isSame(honest.bytes, bytes));
  }

  /** Whether an honest client has made these bytes. */
  isHonest(bytes: Uint8Array): boolean {
    const isQuestion = this.#questions.some((honest) => isSame(honest.bytes, bytes));
    return isQuestion || this.honest(bytes) !== undefined;
  }

  /** The honest question with this nonce; undefined if there is none. */
  questionByNonce(nonce: string): HonestQuestion | undefined {
    return this.#questions.find(({ question }) => question.nonce === nonce);
  }

  /** The honest ping with this nonce; undefined if there is none. */
  byNonce(nonce: string): HonestPing | undefined {
    return this.#pings.find(({ ping }) => ping.nonce === nonce);
  }
}

/** Ordinary and odd names for plain pings. */
const PLAIN = [
  "nas",
  "NAS",
  "nas.",
  "laptop",
  "büro",
  "家",
  "__proto__",
  "10",
  "a".repeat(256),
  "é".repeat(128),
  "🏠".repeat(64),
  '"]}',
  "<img/onerror=x>",
  "ſ",
];

/** Datagrams of other protocols, and malformed UTF-8. */
const ODD = [
  "",
  "00",
  "fffe",
  "000100002112a442b7e7a701bc34d686fa87dfae", // STUN, RFC 8489
  "efbbbf6e6173", // with a byte order mark
  "c080",
  "eda080", // half of a surrogate pair
  "f4908080",
  "1b5b324a",
  "e280ae6e6173",
].map((hex) => Uint8Array.fromHex(hex));

const TOKENS = [
  "dynip/",
  "dynip/1 P ",
  "dynip/1 A ",
  "dynip/1 Q ",
  "dynip/2 P ",
  "\n",
  "\0",
  " ",
  "f".repeat(16),
]
  .map((text) => utf8.encode(text))
  .concat(ODD.filter((bytes) => bytes.length > 0));

function replies(): Uint8Array[] {
  const value = "00000000000000000000ffffcb007107";
  return (["A", "C"] as const).map((type) =>
    encodeReply({ type, counter: encodeCounter(1), nonce: encodeCounter(1), value }, keyOf("nas")),
  );
}
