/** Passes mutated replies and answers through their decoders and `hasMac`, as a client does. */
import {
  decodeAnswer,
  decodeReply,
  encodeAnswer,
  encodeCounter,
  encodeReply,
  hasMac,
  type Reply,
} from "../../src/protocol/message.ts";
import { endsInMac, keyOf, NAMES } from "./datagrams.ts";
import { Mutator } from "./mutator.ts";
import { Random } from "./random.ts";
import { CheckedTarget, isSame, must, type TargetKind } from "./target.ts";

export const replyKind: TargetKind = {
  name: "reply",
  share: 0.05,
  batch: 10_000,
  make: (seed) => new ReplyTarget(seed),
};

class ReplyTarget extends CheckedTarget {
  readonly name = replyKind.name;
  readonly #random: Random;
  readonly #mutator: Mutator;
  /** Replies and answers of the server to this client, and to all clients. */
  readonly #mine: Uint8Array[] = [];
  readonly #all: Uint8Array[] = [];

  constructor(seed: number) {
    super();
    this.#random = new Random(seed);
    this.#mutator = new Mutator(this.#random, TOKENS);
    for (const name of NAMES) {
      for (const type of ["A", "C"] as const) this.#all.push(this.#reply(type, name));
      for (const isKnown of [true, false]) this.#all.push(this.#answer(isKnown, name));
    }
    this.#mine = this.#all.slice(0, 4);
  }

  protected next(): Uint8Array {
    return this.#mutator.mutate(this.#random.pick(this.#all), this.#random.pick(this.#all));
  }

  #reply(type: Reply["type"], name: string): Uint8Array {
    const digits = () => encodeCounter(this.#random.next());
    const reply = { type, counter: digits(), nonce: digits(), value: digits() + digits() };
    return encodeReply(reply, keyOf(name));
  }

  #answer(isKnown: boolean, name: string): Uint8Array {
    const nonce = encodeCounter(this.#random.next());
    const place = (address: string) =>
      isKnown ? { address, age: this.#random.next(), stay: this.#random.next() } : undefined;
    const places = { ipv4: place("203.0.113.7"), ipv6: place("2001:db8::7") };
    return encodeAnswer({ nonce, isSigned: isKnown, ...places }, keyOf(name));
  }

  protected check(input: Uint8Array): void {
    const reply = decodeReply(input);
    const answer = decodeAnswer(input);
    must(!reply || !answer, "nothing is a reply and an answer");
    if (reply) this.#check(input, encodeReply(reply, KEY));
    if (answer) this.#check(input, encodeAnswer(answer, KEY));
  }

  /** @param bytes what was decoded, encoded again */
  #check(input: Uint8Array, bytes: Uint8Array): void {
    const end = input.length - 32;
    must(
      bytes.length === input.length && isSame(bytes.subarray(0, end), input.subarray(0, end)),
      "a reply or an answer encodes back to the same bytes",
    );
    const isRight = hasMac(input, KEY);
    must(isRight === isSame(bytes, input), "a MAC is right when it is the one that is made");
    if (!isRight) return;
    must(endsInMac(input, KEY), "a MAC is right when HMAC-SHA256 says so");
    must(
      this.#mine.some((mine) => isSame(mine, input)),
      "nobody but the server makes a right MAC",
    );
  }
}

const KEY = keyOf(NAMES[0]!);
const TOKENS = ["dynip/1 A ", "dynip/1 C ", "dynip/1 P ", "dynip/1 R ", "\n"].map((text) =>
  new TextEncoder().encode(text),
);
