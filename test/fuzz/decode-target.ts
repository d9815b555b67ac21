/** Passes mutated datagrams through `decode` and `hasMac`. */
import {
  decode,
  encodePing,
  encodePlain,
  encodeQuestion,
  hasMac,
} from "../../src/protocol/message.ts";
import { Datagrams, endsInMac, keyOf } from "./datagrams.ts";
import { Random } from "./random.ts";
import { CheckedTarget, isSame, must, type TargetKind } from "./target.ts";

export const decodeKind: TargetKind = {
  name: "decode",
  share: 0.15,
  batch: 10_000,
  make: (seed) => new DecodeTarget(seed),
};

class DecodeTarget extends CheckedTarget {
  readonly name = decodeKind.name;
  readonly #datagrams: Datagrams;

  constructor(seed: number) {
    super();
    this.#datagrams = new Datagrams(new Random(seed), 1_763_812_800_000);
  }

  protected next(): Uint8Array {
    return this.#datagrams.next();
  }

  protected check(input: Uint8Array): void {
    const message = decode(input);
    if (message.type === "plain") {
      const bytes = encodePlain(message.name);
      must(!message.name.startsWith("dynip/"), "what begins with dynip/ is never plain");
      const isWhole = bytes.length === input.length;
      const isCut = input.length > 256 && bytes.length <= 256 && bytes.length > 252;
      must(isWhole || isCut, "a plain name is all of the datagram, or its first 256 bytes");
      must(
        isSame(bytes, input.subarray(0, bytes.length)),
        "a plain ping encodes back to the same bytes",
      );
    } else if (message.type === "signed") {
      const key = keyOf(message.ping.name);
      this.#checkSigned(input, encodePing(message.ping, key), key);
    } else if (message.type === "question") {
      const key = keyOf(message.question.asker);
      this.#checkSigned(input, encodeQuestion(message.question, key), key);
    }
  }

  /** @param bytes what was decoded, encoded again */
  #checkSigned(input: Uint8Array, bytes: Uint8Array, key: Uint8Array): void {
    const end = input.length - 32;
    must(
      bytes.length === input.length && isSame(bytes.subarray(0, end), input.subarray(0, end)),
      "a signed datagram encodes back to the same bytes",
    );
    const isRight = hasMac(input, key);
    must(isRight === isSame(bytes, input), "a MAC is right when it is the one that is made");
    if (!isRight) return;
    must(endsInMac(input, key), "a MAC is right when HMAC-SHA256 says so");
    must(this.#datagrams.isHonest(input), "nobody but the honest client makes a right MAC");
  }
}
