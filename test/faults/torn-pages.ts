/**
 * The power goes while a batch of the journal is synced: of the pages that it touched, any may have
 * reached the disk, and the others are as they were before, or zero.
 */
import { join } from "node:path";

import { type ClientLog, openClientLog } from "../../src/store/client-log.ts";
import { recordedLog } from "../recorded-log.ts";
import { temporaryFolder } from "../temporary.ts";
import { Random } from "../fuzz/random.ts";
import { LOG, recordOf, restart } from "./check.ts";
import { type Contents, Disk, type Page, systemError } from "./disk.ts";
import { count, type Outcome, outcome, type Progress } from "./outcome.ts";
import { Pauses } from "./scenario.ts";

export interface TornPages {
  /** Lines of the batch. */
  sizes: readonly number[];
  /** Up to so many images of a batch; more subsets than that are sampled, as `seed` has it. */
  images: number;
  seed: number;
}

/** From a part of a page to 38 of them: about 155 bytes a line. */
export const SIZES = [1, 2, 3, 5, 13, 26, 27, 53, 80, 107, 133, 200, 300, 512, 513, 1000];

/** Starts again on each image. */
export async function tornPages(
  { sizes, images, seed }: TornPages,
  progress: Progress,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const steps = sizes.length * Object.keys(BEFORE).length;
  let step = 0;
  for (const [name, before] of Object.entries(BEFORE)) {
    const sample = `all subsets up to ${Math.floor(Math.log2(images))} pages, else ${images}`;
    const into = outcome(`power cut with pages of a batch missing (${sample}), ${name}`);
    for (const size of sizes) {
      const torn = await tear(before, size);
      const subsets = subsetsOf(torn.pages, images, new Random(seed));
      for (const kept of subsets) {
        const which = kept.map(({ index }) => index).join(" ") || "none";
        const at = `${size} lines, pages ${which} of ${torn.pages.length} kept, seed ${seed}`;
        count(into, at, await restart(torn.cut(kept), torn.acknowledged));
      }
      progress(++step, steps);
    }
    outcomes.push(into);
  }
  return outcomes;
}

interface Torn {
  readonly pages: readonly Page[];
  readonly acknowledged: ReadonlyMap<string, number>;
  readonly cut: (kept: readonly Page[]) => Contents;
}

/** A server that commits hosts in batches, and writes a snapshot when it is told to. */
class Server {
  /** The highest counter acknowledged for each name. */
  readonly acknowledged = new Map<string, number>();
  readonly #clientLog: ClientLog;
  readonly #pauses: Pauses;
  readonly #counters = new Map<string, number>();

  constructor(clientLog: ClientLog, pauses: Pauses) {
    this.#clientLog = clientLog;
    this.#pauses = pauses;
  }

  /** Commits so many hosts in one batch. */
  async commit(size: number): Promise<void> {
    const names = Array.from({ length: size }, (_, index) => `host-${index}`);
    await Promise.all(names.map((name) => this.#commitHost(name)));
  }

  async snapshot(): Promise<void> {
    this.#pauses.end();
    await this.#pauses.begun();
  }

  #commitHost(name: string): Promise<void> {
    const counter = (this.#counters.get(name) ?? 0) + 1;
    this.#counters.set(name, counter);
    const host = recordOf(name, counter);
    return new Promise((resolve) =>
      this.#clientLog.commit(name, host, (isDurable) => {
        if (isDurable) {
          this.#clientLog.hosts.set(name, host);
          this.acknowledged.set(name, counter);
        }
        resolve();
      }),
    );
  }
}

/** What the journal has been through before: `failNext` has the next sync fail. */
const BEFORE: Readonly<Record<string, (server: Server, failNext: () => void) => Promise<void>>> = {
  "the first of a journal": async () => {},
  async "behind others"(server) {
    for (const size of [1, 40, 2]) await server.commit(size);
  },
  async "over older ones"(server) {
    for (const size of [300, 90, 20]) await server.commit(size);
    await server.snapshot();
    for (const size of [60, 3]) await server.commit(size);
    await server.snapshot();
  },
  async "behind others, over older ones"(server) {
    for (const size of [300, 90, 20]) await server.commit(size);
    await server.snapshot();
    await server.commit(3);
    await server.snapshot();
    await server.commit(30);
  },
  async "over one that failed"(server, failNext) {
    await server.commit(3);
    failNext();
    await server.commit(120);
  },
};

/** Loses power at the sync of a batch. */
async function tear(before: (typeof BEFORE)[string], size: number): Promise<Torn> {
  await using folder = await temporaryFolder();
  let torn: Torn | undefined;
  let isFailing = false;
  let isLast = false;
  const disk: Disk = new Disk(folder.path, [], (_, operation) => {
    if (operation !== "datasync" || !(isFailing || isLast)) return undefined;
    if (isLast && !torn) {
      const image = disk.image();
      torn = { ...image, acknowledged: new Map(server.acknowledged) };
      disk.powerOff();
    }
    isFailing = false;
    return systemError("EIO");
  });
  const pauses = new Pauses();
  const clientLog = await openClientLog(join(folder.path, LOG), {
    log: recordedLog(),
    files: disk.files,
    now: () => 0,
    sleep: (_milliseconds, signal) => pauses.sleep(signal),
  });
  const server = new Server(clientLog, pauses);
  clientLog.begin();
  await pauses.begun();
  await before(server, () => (isFailing = true));
  isLast = true;
  await server.commit(size);
  isLast = false;
  await clientLog.close();
  if (!torn) throw new Error("nothing was synced");
  return torn;
}

/** All subsets, if there are no more than `limit`; else the telling ones, and others at random. */
function subsetsOf(pages: readonly Page[], limit: number, random: Random): Page[][] {
  const all = 2 ** pages.length;
  if (all <= limit) {
    return Array.from({ length: all }, (_, bits) =>
      pages.filter((_, index) => (bits >> index) & 1),
    );
  }
  const subsets: Page[][] = [[], [...pages]];
  for (const [index, page] of pages.entries()) {
    subsets.push([page], pages.toSpliced(index, 1), pages.slice(0, index), pages.slice(index));
  }
  while (subsets.length < limit) subsets.push(pages.filter(() => random.once(2)));
  return subsets.slice(0, limit);
}
