/** A real disk that is filled and freed while clients ping. */
import { mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { errorCode } from "../../src/system/errors.ts";
import { newSignedSetup } from "../e2e/dynip.ts";
import { SECRET_BYTES } from "../e2e/wire.ts";
import { Random } from "../fuzz/random.ts";
import { holdsWithin } from "../waiting.ts";
import { isLog, LOG, survivors } from "./check.ts";
import type { Contents } from "./disk.ts";
import { Load } from "./load.ts";
import { ON_SMALL_DISK, serveOnSmallDisk, type SmallDisk, whyNoNamespace } from "./namespace.ts";
import { count, type Outcome, outcome, type Progress } from "./outcome.ts";

const NAMES = Array.from({ length: 12 }, (_, index) => `host-${index}`);

const WAIT_MS = 5000;

export async function fullDisk(progress: Progress, rounds = 3): Promise<Outcome[]> {
  const into = outcome("ENOSPC: a disk of 1 MB, filled and freed");
  into.skipped = whyNoNamespace()!;
  if (into.skipped !== undefined) return [into];
  await using setup = await newSignedSetup({ server: ON_SMALL_DISK });
  const folder = setup.file("disk");
  await mkdir(folder);
  await mkdir(setup.file("empty"));
  await using server = serveOnSmallDisk(setup.config, folder, {
    size: "1m",
    from: setup.file("empty"),
  });
  await server.said("listening on", 5000);
  const load = new Load(setup.port, SECRET_BYTES, NAMES, new Random(1));
  await load.start();
  try {
    for (let round = 1; round <= rounds; round++) {
      count(into, `round ${round}`, await fillAndFree(server, folder, load));
      progress(round, rounds);
    }
  } finally {
    await load.stop();
  }
  // That a host is where it was is in the journal, and in the log within a minute.
  const durable = survivors(await contentsOf(server.inside(folder)));
  const wrong = [...load.acknowledged]
    .filter(([name, counter]) => (durable.get(name) ?? 0) < counter)
    .map(([name, counter]) => `${name} has ${durable.get(name)}, acknowledged was ${counter}`);
  if ((await server.stop()).exitCode !== 0) wrong.push(`does not stop cleanly: ${server.stderr()}`);
  count(into, "the end", wrong);
  return [into];
}

async function fillAndFree(server: SmallDisk, folder: string, load: Load): Promise<string[]> {
  const wrong: string[] = [];
  const log = server.inside(`${folder}/dynip.json`);
  const filler = server.inside(`${folder}/filler`);
  if (!(await isAcknowledged(load))) return [`acknowledges nothing: ${server.stderr()}`];
  const unfilled = server.stderr().length;

  // Fills again and again: the last page of the journal has room left, and a snapshot frees some.
  const deadline = performance.now() + 10_000;
  for (let quiet = 0, seen = -1; quiet < 10; await Bun.sleep(50)) {
    await fill(filler);
    quiet = load.acknowledgements === seen ? quiet + 1 : 0;
    seen = load.acknowledgements;
    if (performance.now() > deadline) return ["goes on to acknowledge on a full disk"];
  }
  const before = load.acknowledgements;
  const saidBefore = server.stderr();
  const old = await readFile(log);
  await Bun.sleep(1500); // in this time the server tries again
  if (load.acknowledgements !== before) wrong.push("acknowledged while the disk was full");
  if (!(await readFile(log)).equals(old)) wrong.push("the old log was touched");
  if (!isLog(old)) wrong.push("the log is damaged");
  if (server.stderr() !== saidBefore) wrong.push("goes on to say it while the disk is full");
  wrong.push(...outages(server, unfilled, "fails"));

  await rm(filler);
  if (!(await isAcknowledged(load))) wrong.push("does not recover without a restart");
  const promised = new Map(load.acknowledged);
  const hasPromised = async () => hasAll(await readFile(log), { acknowledged: promised });
  if (!(await holdsWithin(WAIT_MS, hasPromised))) {
    wrong.push("the log is not written again");
  }
  await holdsWithin(WAIT_MS, () => outages(server, unfilled, "works").length === 0);
  wrong.push(...outages(server, unfilled, "works"));
  return wrong;
}

/**
 * Checks that the server reports each failure once, with its reason, and its end. While the disk fills
 * up there may be several, since a snapshot frees some room.
 */
function outages(server: SmallDisk, from: number, inTheEnd: "fails" | "works"): string[] {
  const lines = server.stderr().slice(from).split("\n");
  const wrong: string[] = [];
  for (const part of ["the journal of client log", "Cannot write client log|warning: client log"]) {
    const said = lines.filter((line) => new RegExp(part).test(line));
    for (const [index, line] of said.entries()) {
      const end = index % 2 === 0 ? "no space left on the disk" : "is written again";
      if (!line.endsWith(end)) wrong.push(`says after ${said[index - 1]}: ${line}`);
    }
    const isSaid = inTheEnd === "works" || said.length > 0;
    if (!isSaid || (said.length % 2 === 0) !== (inTheEnd === "works")) {
      wrong.push(`says in the end: ${said.at(-1)}`);
    }
  }
  return wrong;
}

async function contentsOf(folder: string): Promise<Contents> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(LOG));
  const read = names.map(async (name) => [name, await readFile(join(folder, name))] as const);
  return new Map(await Promise.all(read));
}

async function fill(path: string): Promise<void> {
  const file = await open(path, "a");
  try {
    for (let size = 65_536; size >= 1;) {
      try {
        await file.write(Buffer.alloc(size, 120));
      } catch (error) {
        if (errorCode(error) !== "ENOSPC") throw error;
        size >>= 1;
      }
    }
  } finally {
    await file.close();
  }
}

/** Whether a ping is acknowledged within 5 seconds from now. */
function isAcknowledged(load: Load): Promise<boolean> {
  const before = load.acknowledgements;
  return holdsWithin(WAIT_MS, () => load.acknowledgements > before);
}

function hasAll(log: Buffer, { acknowledged }: Pick<Load, "acknowledged">): boolean {
  const hosts = JSON.parse(log.toString()) as Record<string, { counter: string }>;
  return [...acknowledged].every(
    ([name, counter]) => Number.parseInt(hosts[name]?.counter ?? "0", 16) >= counter,
  );
}
