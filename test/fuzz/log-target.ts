/** Decodes mutated client logs, ours and DynIP 0.1e's, and mutated lines of journals. */
import type { Hosts } from "../../src/host.ts";
import { decodeClientLog, encodeClientLog, encodeHost } from "../../src/store/format.ts";
import { ClientLogFormatError } from "../../src/store/members.ts";
import { hostsIn } from "../hosts-in.ts";
import { Mutator } from "./mutator.ts";
import { Random } from "./random.ts";
import { CheckedTarget, findingOf, inTime, must, type TargetKind } from "./target.ts";
import { bytesOf, randomHosts, textOf } from "./texts.ts";

export const logKind: TargetKind = {
  name: "client log",
  share: 0.15,
  batch: 200,
  make: (seed) => new LogTarget(seed),
};

class LogTarget extends CheckedTarget {
  readonly name = logKind.name;
  readonly #random: Random;
  readonly #mutator: Mutator;
  readonly #seeds: Uint8Array[];

  constructor(seed: number) {
    super();
    this.#random = new Random(seed);
    this.#mutator = new Mutator(this.#random, bytesOf(TOKENS));
    const ours = [1, 2, 5, 12].map((count) => encode(randomHosts(this.#random, count)));
    const lines = [...randomHosts(this.#random, 4)].map((entry) => `{${encodeHost(...entry)}}`);
    this.#seeds = bytesOf([...ours, ...ours, ...lines, ...OLD, "{\n}\n", "{}"]);
  }

  protected next(): Uint8Array {
    if (this.inputs % 64 === 0) this.#checkOurs();
    const [seed, other] = [this.#random.pick(this.#seeds), this.#random.pick(this.#seeds)];
    if (this.#random.once(8)) return bytesOf([oddLog(this.#random)])[0]!;
    return this.#mutator.mutate(seed, other);
  }

  protected check(input: Uint8Array): void {
    const text = textOf(input);
    inTime(() => checkText(text));
  }

  /** Checks that dynip reads its own log, and writes the same bytes again. */
  #checkOurs(): void {
    const hosts = randomHosts(this.#random, 1 + this.#random.below(300));
    const text = encode(hosts);
    try {
      const decoded = hostsIn(text);
      must(Bun.deepEquals(decoded, hosts, true), "hosts written are the hosts read");
      must(encode(decoded) === text, "a log of our own encodes back to the same text");
    } catch (error) {
      throw findingOf(error, bytesOf([text])[0]!);
    }
  }
}

function checkText(text: string): void {
  let hosts: Hosts;
  try {
    hosts = hostsIn(text);
  } catch (error) {
    if (!(error instanceof ClientLogFormatError)) throw error;
    must(error.message !== "", "a log is refused with a reason");
    return;
  }
  const written = encode(hosts);
  const again: Hosts = new Map();
  must(decodeClientLog(written, again) === 0, "a log of DynIP 0.1e is written in our form");
  must(Bun.deepEquals(again, hosts, true), "what was read is the same, written and read again");
  must(encode(again) === written, "what was read twice is written the same twice");
}

/** A well-formed log with odd values. */
function oddLog(random: Random): string {
  const value = () => random.pick(ODD_VALUES);
  const address = random.once(4) ? value() : '"203.0.113.7"';
  const time = () => (random.once(4) ? value() : '"2026-11-22T13:01:02.123Z"');
  const sighting = `{"address":${address},"since":${time()},"last_seen":${time()}}`;
  const counter = random.once(2) ? `,"counter":${value()}` : "";
  const host = `{"${random.pick(["ipv4", "ipv6"])}":${random.once(8) ? value() : sighting}${counter}}`;
  const old = `[${random.once(2) ? value() : address},${value()}]`;
  const comma = random.once(4) ? "," : "";
  return `{\n"nas": ${random.once(3) ? old : random.once(16) ? value() : host}${comma}\n}\n`;
}

function encode(hosts: Hosts): string {
  return [...encodeClientLog(hosts)].join("");
}

/** Logs of DynIP 0.1e, by Python's `json.dump`: IPv4 addresses and local times. */
const OLD = [
  '{"nas": ["203.0.113.7", "2026-11-22 13:07:50.933935"]}',
  '{"nas": ["203.0.113.7", "2026-11-22 13:07:50"], "attic-pi": ["198.51.100.9", "2020-01-01 00:00:00.000001"]}',
  '{"b\\u00fcro": ["203.0.113.7", "2024-02-29 23:59:59.999999"], "10": ["1.2.3.4", "1999-12-31 00:00:00"]}',
];

const TOKENS = [
  '"',
  ",",
  "\n",
  "{",
  "}",
  "[",
  "]",
  ",\n",
  ",\n}\n",
  "null",
  "true",
  "1e999",
  "{}",
  "[]",
  '""',
  '"__proto__": ',
  '"toString":1,',
  '"toJSON":1,',
  '"ipv4":',
  '"ipv6":',
  '"counter":"001fffffffffffff"',
  '"counter":"0020000000000000"',
  "::ffff:192.0.2.1",
  "fe80::1%eth0",
  "1::",
  "0000-",
  "9999-12-31",
  "-02-30",
  "24:00:00",
  "\\ud800",
  "\\u0000",
  "\ufeff",
];

/** JSON values that a careless reader might misread. */
const ODD_VALUES = [
  "null",
  "0",
  "-0",
  "1e999",
  '""',
  "[]",
  "{}",
  '{"toString":1,"valueOf":1}',
  '{"__proto__":null}',
  "[[[null]]]",
  `${"[".repeat(6000)}${"]".repeat(6000)}`,
  '"::1"',
  '"::ffff:192.0.2.1"',
  '"fe80::1%eth0"',
  '"192.0.2.1%eth0"',
  '"0192.0.2.1"',
  '"0000-01-01T00:00:00Z"',
  '"9999-12-31T23:59:59.9999999Z"',
  '"2026-11-22T24:00:00Z"',
  '"2026-02-30T00:00:00Z"',
  '"0000-01-01 00:00:00"',
  '"9999-12-31 23:59:59.999999"',
  '"2026-03-29 02:30:00"',
  '"001fffffffffffff"',
  '"0020000000000000"',
  '"\\ud800"',
];
