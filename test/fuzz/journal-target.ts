/**
 * Passes mutated client logs and journals as files through `openClientLog`. An input is the log, the
 * older journal and the newer one, with record separators between them. A missing part is no file.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

import { decodeHost, encodeClientLog, encodeHost } from "../../src/store/format.ts";
import { openClientLog } from "../../src/store/client-log.ts";
import { EXIT, UserError } from "../../src/system/errors.ts";
import type { Host, Hosts } from "../../src/host.ts";
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
const NAMES = ["dynip.json", "dynip.json.journal.old", "dynip.json.journal"];

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
    this.#mutator = new Mutator(this.#random, bytesOf(["\n", "\x1e", "{", "}", ",", "null", "\0"]));
    this.#seeds = bytesOf(Array.from({ length: 12 }, () => this.#seed()));
  }

  async run(count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const seed = this.#random.pick(this.#seeds);
      await this.try(this.#mutator.mutate(seed, this.#random.pick(this.#seeds)));
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

  /** A log and the journals that a killed server left, with the same names. */
  #seed(): string {
    const random = this.#random;
    const log = randomHosts(random, 1 + random.below(6));
    const journal = () =>
      [...randomHosts(random, 1 + random.below(3)), ...log]
        .filter(() => random.once(2))
        .map(([name, host]) => `${encodeHost(name, later(host, random))}\n`)
        .join("");
    return [[...encodeClientLog(log)].join(""), journal(), journal()].join("\x1e");
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
    must(
      !existsSync(this.#folder.file(NAMES[2]!)),
      "no journal stays behind a log that was closed",
    );
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

/** The three files of an input. */
function split(input: Uint8Array): (Uint8Array | undefined)[] {
  const first = input.indexOf(SEPARATOR);
  if (first === -1) return [input.slice()];
  const second = input.indexOf(SEPARATOR, first + 1);
  const log = input.slice(0, first);
  if (second === -1) return [log, input.slice(first + 1)];
  return [log, input.slice(first + 1, second), input.slice(second + 1)];
}

/** The hosts in the files, by a simple reader: the highest counter wins, then the latest time. */
function replayed([log, ...journals]: (Uint8Array | undefined)[]): Hosts {
  const hosts = hostsIn(log ? strict.decode(log) : "{}");
  for (const journal of journals) {
    for (const line of linesOf(journal)) {
      const [name, host] = decodeHost(line);
      const known = hosts.get(name);
      if (!known || isAtLeast(rank(host), rank(known))) hosts.set(name, host);
    }
  }
  return hosts;
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
