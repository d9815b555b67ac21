/**
/**
 * Passes mutated client logs and journals as files through `openClientLog`. An input is the log, the two
 * files of the journal, and those of dynip 0.2.0, with record separators between them. A missing part is
 * no file.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";

import { decodeLine, encodeClientLog, encodeHost } from "../../src/store/format.ts";
import { openClientLog } from "../../src/store/client-log.ts";
import { EXIT, UserError } from "../../src/system/errors.ts";
import type { Host, Hosts } from "../../src/host.ts";
import { sealed } from "../faults/check.ts";
import { hostsIn } from "../hosts-in.ts";
import { SILENT } from "../recorded-log.ts";
import { type TemporaryFolder, temporaryFolder } from "../temporary.ts";
import { Mutator } from "./mutator.ts";
import { Random } from "./random.ts";
import { findingOf, isSame, must, type Target, type TargetKind } from "./target.ts";
import { bytesOf, randomHosts } from "./texts.ts";

export const journalKind: TargetKind = {
  name: "journal",
  share: 0.1,
  batch: 10,
  async make(seed) {
    return new JournalTarget(seed, await temporaryFolder());
  },
};

/** The record separator of ASCII, which occurs in no log and no journal. */
const SEPARATOR = 0x1e;
const NAMES = [
  "dynip.json",
  "dynip.json.journal.1",
  "dynip.json.journal.2",
  "dynip.json.journal.old",
  "dynip.json.journal",
];

/** Every 16th log is also begun, as a server does, and read again; each costs several syncs. */
const BEGIN_EVERY = 16;

class JournalTarget implements Target {
  readonly name = journalKind.name;
  readonly #random: Random;
  readonly #mutator: Mutator;
  readonly #folder: TemporaryFolder;
  readonly #seeds: Uint8Array[];
  inputs = 0;

  constructor(seed: number, folder: TemporaryFolder) {
    this.#random = new Random(seed);
    this.#folder = folder;
    const tokens = ["\n", "\x1e", "{", "}", ",", "null", "\0", "\n= ", "= 0 1 1 "];
    this.#mutator = new Mutator(this.#random, bytesOf(tokens));
    this.#seeds = bytesOf(Array.from({ length: 12 }, () => this.#seed()));
  }

  async run(count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const isNew = this.#random.once(2);
      const seed = isNew ? bytesOf([this.#seed()])[0]! : this.#random.pick(this.#seeds);
      const isWhole = isNew && this.#random.once(2);
      await this.try(isWhole ? seed : this.#mutator.mutate(seed, this.#random.pick(this.#seeds)));
    }
  }

  async try(input: Uint8Array): Promise<void> {
    this.inputs++;
    try {
      await this.#check(input);
    } catch (error) {
      throw findingOf(error, input);
    }
  }

  async close(): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }

  /** A log and the journals that a killed server, or one without power, left, with the same names. */
  #seed(): string {
    const random = this.#random;
    const log = randomHosts(random, 1 + random.below(6));
    const lines = () =>
      [...randomHosts(random, 1 + random.below(3)), ...log]
        .filter(() => random.once(2))
        .map(([name, host]) => `${encodeHost(name, later(host, random))}\n`)
        .join("");
    const slot = () => this.#slot(lines);
    const old = random.once(4) ? [lines(), lines()] : [];
    return [[...encodeClientLog(log)].join(""), slot(), slot(), ...old].join("\x1e");
  }

  /** Batches, most of them of one generation, and now and then something between them or behind. */
  #slot(lines: () => string): string {
    const random = this.#random;
    const generation = 1 + random.below(4);
    const parts: string[] = [];
    for (let left = random.below(5); left > 0; left--) {
      const own = random.once(8) ? 1 + random.below(4) : generation;
      parts.push(sealed(random.once(8) ? "" : lines(), own, Math.max(1, own - random.below(2))));
      if (random.once(8)) parts.push(random.pick(["\0\0\0", "half a line", "half\n", lines()]));
    }
    return parts.join("") + "\0".repeat(random.below(3) * 40);
  }

  async #check(input: Uint8Array): Promise<void> {
    const files = split(input);
    for (const [index, name] of NAMES.entries()) {
      const bytes = files[index];
      if (bytes) writeFileSync(this.#folder.file(name), bytes);
      else rmSync(this.#folder.file(name), { force: true });
    }
    const before = readdirSync(this.#folder.path).sort().join();
    const log = await this.#open();
    if (log) {
      const wanted = replayed(files);
      must(
        Bun.deepEquals(new Map(log.hosts), wanted, true),
        "the log and its journals are read in order",
      );
      if (this.inputs % BEGIN_EVERY === 0) return await this.#keep(log);
      await log.close();
    } else {
      must(!isReadable(files), "what can be read is read");
    }
    for (const [index, name] of NAMES.entries()) {
      const bytes = files[index];
      must(
        bytes === undefined || isSame(readFileSync(this.#folder.file(name)), bytes),
        `${name} is left as it is by a server that does not begin`,
      );
    }
    const after = readdirSync(this.#folder.path).sort().join();
    must(before === after, `nothing is left behind: ${after}`);
  }

  /** Begins the log, as a server does, and checks that the next server reads what it wrote. */
  async #keep(log: NonNullable<Awaited<ReturnType<typeof openClientLog>>>): Promise<void> {
    const [[name, host]] = [...randomHosts(this.#random, 1)] as [[string, Host]];
    log.begin();
    const isDurable = new Promise<boolean>((resolve) =>
      log.commit(name, host, (isDurable) => {
        if (isDurable) log.hosts.set(name, host);
        resolve(isDurable);
      }),
    );
    must(await isDurable, "a working disk takes a line");
    await log.close();
    for (const name of NAMES.slice(1)) {
      must(
        !existsSync(this.#folder.file(name)),
        `${name} does not stay behind a log that was closed`,
      );
    }
    for (const name of NAMES) rmSync(this.#folder.file(`${name}.bad`), { force: true });
    const again = await this.#open();
    must(again, "a log that was closed is read again");
    const hosts = new Map(again.hosts);
    await again.close();
    must(Bun.deepEquals(sorted(hosts), sorted(log.hosts), true), "a log that was closed has all");
  }

  async #open(): Promise<Awaited<ReturnType<typeof openClientLog>> | undefined> {
    try {
      return await openClientLog(this.#folder.file(NAMES[0]!), { log: SILENT });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      must(error.exitCode === EXIT.clientLog, "a log that cannot be read ends with exit code 2");
      must(
        !(error.cause instanceof RangeError || error.cause instanceof TypeError),
        `a log is refused for what is in it, not for ${error.cause}`,
      );
      return undefined;
    }
  }
}

function later(host: Host, random: Random): Host {
  const { counter } = host;
  if (counter === undefined) return host;
  return { ...host, counter: Math.max(0, counter + random.below(2000) - 1000) };
}

/** The files of an input: what has no separator before it is not there. */
function split(input: Uint8Array): (Uint8Array | undefined)[] {
  const files: Uint8Array[] = [];
  let start = 0;
  while (files.length < NAMES.length - 1 && input.indexOf(SEPARATOR, start) !== -1) {
    const end = input.indexOf(SEPARATOR, start);
    files.push(input.slice(start, end));
    start = end + 1;
  }
  return [...files, input.slice(start)];
}

/** The hosts in the files, by a simple reader: the highest counter wins, then the latest time. */
function replayed([log, one, two, ...old]: (Uint8Array | undefined)[]): Hosts {
  const hosts = hostsIn(log ? strict.decode(log) : "{}");
  for (const line of [...old.flatMap((file) => linesOf(file)), ...sealedLines(one, two)]) {
    const [name, host] = decodeLine(line);
    const known = hosts.get(name);
    if (!host) hosts.delete(name);
    else if (!known || isAtLeast(rank(host), rank(known))) hosts.set(name, host);
  }
  return hosts;
}

/** The lines of both files of the journal; throws where what was acknowledged is damaged. */
function sealedLines(...files: (Uint8Array | undefined)[]): string[] {
  const slots = files.map((file) => readSlot(latin1Of(file)));
  slots.reverse(); // of two of one generation, which no server writes, the first counts as the newer one
  slots.sort((a, b) => (a.whole.at(-1)?.generation ?? 0) - (b.whole.at(-1)?.generation ?? 0));
  const last = slots[1]!.whole.at(-1);
  const needed = last?.oldest ?? 1;
  for (const { stray } of slots) {
    if (stray.some(({ generation }) => generation >= needed)) throw new Error("damaged");
  }
  const isOlderThere = files.every((file) => file !== undefined);
  if (last && needed < last.generation && isOlderThere && slots[0]!.whole.length === 0) {
    throw new Error("lost");
  }
  return slots
    .flatMap(({ whole }) => whole)
    .filter(({ generation }) => generation >= needed)
    .flatMap(({ lines }) => Buffer.from(lines, "latin1").toString().split("\n").slice(0, -1));
}

interface SealedBatch {
  lines: string;
  generation: number;
  oldest: number;
}

/** The batches from the beginning of a file, and the whole ones behind the first break. */
function readSlot(text: string): { whole: SealedBatch[]; stray: SealedBatch[] } {
  const whole: SealedBatch[] = [];
  const stray: SealedBatch[] = [];
  let broken = 0;
  for (const match of text.matchAll(/^= (\d+) (\d+) (\d+) [0-9a-f]{8}\n/gm)) {
    const [bytes, generation, oldest] = match.slice(1).map(Number) as [number, number, number];
    const start = match.index - bytes;
    const lines = text.slice(Math.max(0, start), match.index);
    const isCanonical = match[0].startsWith(`= ${bytes} ${generation} ${oldest} `);
    if (start < broken || !isCanonical || !isSealed(lines + match[0])) continue;
    const isNext = start === broken && stray.length === 0;
    const isOwn = isNext && generation === (whole[0]?.generation ?? generation);
    (isOwn ? whole : stray).push({ lines, generation, oldest });
    if (isOwn) broken = match.index + match[0].length;
  }
  return { whole, stray };
}

function isSealed(text: string): boolean {
  const unsigned = Buffer.from(text.slice(0, -"01234567\n".length), "latin1");
  return text.endsWith(` ${crc32(unsigned).toString(16).padStart(8, "0")}\n`);
}

function latin1Of(file: Uint8Array = new Uint8Array()): string {
  return Buffer.from(file).toString("latin1");
}

function isReadable(files: (Uint8Array | undefined)[]): boolean {
  try {
    replayed(files);
    return true;
  } catch {
    return false;
  }
}

/** The lines that end in a newline. */
function linesOf(journal: Uint8Array = new Uint8Array()): string[] {
  const whole = journal.subarray(0, journal.lastIndexOf(10) + 1);
  return strict.decode(whole).split("\n").slice(0, -1);
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function rank({ counter = -1, ipv4, ipv6 }: Host): [number, number] {
  return [counter, Math.max(ipv4?.lastSeen ?? 0, ipv6?.lastSeen ?? 0)];
}

function isAtLeast([counter, time]: [number, number], [than, thanTime]: [number, number]): boolean {
  return counter === than ? time >= thanTime : counter > than;
}

/** The hosts in the order of their names, since JSON moves names that are numbers to the front. */
function sorted(hosts: Iterable<[string, Host]>): [string, Host][] {
  return [...hosts].sort(([one], [other]) => (one < other ? -1 : 1));
}
