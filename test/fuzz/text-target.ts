/** Mutated texts through one check: all that a target of a configuration is. */
import { Mutator } from "./mutator.ts";
import { Random } from "./random.ts";
import { findingOf, inTime, type Target } from "./target.ts";
import { bytesOf, textOf } from "./texts.ts";

export interface TextTargetOptions {
  name: string;
  seed: number;
  /** Texts to damage. */
  texts: readonly string[];
  /** What is put into them. */
  tokens: readonly string[];
  /** Throws when a promise is broken. */
  check: (text: string) => void;
}

export class TextTarget implements Target {
  readonly name: string;
  readonly #random: Random;
  readonly #mutator: Mutator;
  readonly #texts: readonly Uint8Array[];
  readonly #check: (text: string) => void;
  inputs = 0;

  constructor({ name, seed, texts, tokens, check }: TextTargetOptions) {
    this.name = name;
    this.#random = new Random(seed);
    this.#mutator = new Mutator(this.#random, bytesOf(tokens));
    this.#texts = bytesOf(texts);
    this.#check = check;
  }

  run(count: number): void {
    for (let left = count; left > 0; left--) {
      this.try(
        this.#mutator.mutate(this.#random.pick(this.#texts), this.#random.pick(this.#texts)),
      );
    }
  }

  try(input: Uint8Array): void {
    this.inputs++;
    const text = textOf(input);
    try {
      inTime(() => this.#check(text));
    } catch (error) {
      throw findingOf(error, input);
    }
  }

  async close(): Promise<void> {}
}
