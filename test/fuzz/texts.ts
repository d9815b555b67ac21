/** Helpers for targets whose inputs are texts. */
import type { Host, Hosts } from "../../src/host.ts";
import type { Random } from "./random.ts";

const utf8 = new TextEncoder();
const lenient = new TextDecoder();

/** Texts as bytes, for a mutator. */
export function bytesOf(texts: readonly string[]): Uint8Array[] {
  return texts.map((text) => utf8.encode(text));
}

/** Mutated bytes as a text; what is not UTF-8 in them becomes U+FFFD. */
export function textOf(bytes: Uint8Array): string {
  return lenient.decode(bytes);
}

const LETTERS = ["a", "z", "-", ".", "é", "家", "🏠", '"', "\\", "<", "_", "A", "7"];

/** Random hosts, none with a number as its name, so that JSON keeps their order. */
export function randomHosts(random: Random, count: number): Hosts {
  const hosts: Hosts = new Map([["__proto__", randomHost(random)]]);
  while (hosts.size < count) {
    let name = random.pick(["a", "nas", "constructor", "é"]);
    for (let left = random.below(8); left > 0; left--) name += random.pick(LETTERS);
    hosts.set(name, randomHost(random));
  }
  return hosts;
}

function randomHost(random: Random): Host {
  const seen = (address: string) => {
    const since = random.below(2 ** 32) * 1000 + random.below(1000);
    const lastSeen = since + random.below(2 ** 32);
    return { address, since, lastSeen, ...(random.once(4) && { claimed: true as const }) };
  };
  const four = `${random.below(256)}.${random.below(256)}.${random.below(256)}.${random.below(256)}`;
  const six = `2001:db8::${(1 + random.below(0xffff)).toString(16)}`;
  const families = random.below(3);
  return {
    ...(families === 1 ? {} : { ipv4: seen(four) }),
    ...(families === 0 ? {} : { ipv6: seen(six) }),
    ...(random.once(2) ? {} : { counter: random.next() * 2 ** 21 + random.below(2 ** 21) }),
  };
}
