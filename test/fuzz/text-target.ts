/** A target that passes mutated texts through one function. */
import { Mutator } from "./mutator.ts";
import { Random } from "./random.ts";
import { CheckedTarget, inTime } from "./target.ts";
import { bytesOf, textOf } from "./texts.ts";

export interface TextTargetOptions {
  name: string;
  seed: number;
  /** The texts that are mutated. */
  texts: readonly string[];
  /** The tokens that are inserted into them. */
  tokens: readonly string[];
  /** Throws when a promise is broken. */
  check: (text: string) => void;
}

export class TextTarget extends CheckedTarget {
  readonly name: string;
  readonly #random: Random;
  readonly #mutator: Mutator;
  readonly #texts: readonly Uint8Array[];
  readonly #check: (text: string) => void;

  constructor({ name, seed, texts, tokens, check }: TextTargetOptions) {
    super();
    this.name = name;
    this.#random = new Random(seed);
    this.#mutator = new Mutator(this.#random, bytesOf(tokens));
    this.#texts = bytesOf(texts);
    this.#check = check;
  }

  protected next(): Uint8Array {
    return this.#mutator.mutate(this.#random.pick(this.#texts), this.#random.pick(this.#texts));
  }

  protected check(input: Uint8Array): void {
    const text = textOf(input);
    inTime(() => this.#check(text));
  }
}
