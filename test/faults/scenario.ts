/** A client log's life in short: opened, appended to, snapshot, appended to meanwhile, closed. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { type ClientLog, openClientLog } from "../../src/store/client-log.ts";
import { encodeClientLog } from "../../src/store/format.ts";
import { replaceFile } from "../../src/system/atomic-file.ts";
import type { Host } from "../../src/host.ts";
import { hostsIn } from "../hosts-in.ts";
import { recordedLog, type RecordedLog } from "../recorded-log.ts";
import { LOG, recordOf, survivors } from "./check.ts";
import type { Disk } from "./disk.ts";

export interface Life {
  readonly log: RecordedLog;
  /** The highest counter acknowledged for each name. */
  readonly acknowledged: Map<string, number>;
  /** Acknowledgements that a power cut right then would have made a lie of. */
  readonly premature: string[];
  /** Names that it said it forgot, and that did not ping again. */
  readonly forgotten: Set<string>;
  /** Names whose update was refused after the disk was well again. */
  readonly refusedInTheEnd: string[];
  /** What opening ended with, and closing. */
  openError?: unknown;
  closeError?: unknown;
}

/**
 * Lives it in `folder`, on `disk`, to its end, whatever fails.
 * @param known what was acknowledged before
 * @param heal makes the disk work again: what is tried after that must work
 */
export async function live(
  folder: string,
  disk: Disk,
  known: ReadonlyMap<string, number>,
  heal: () => void,
): Promise<Life> {
  const life = newLife(known);
  const pauses = new Pauses();
  let clientLog: ClientLog;
  try {
    clientLog = await openClientLog(join(folder, LOG), {
      log: life.log,
      files: disk.files,
      now: () => 0,
      sleep: (_milliseconds, signal) => pauses.sleep(signal),
      look: (_milliseconds, signal) =>
        new Promise((resolve) => signal.addEventListener("abort", resolve)),
    });
  } catch (error) {
    life.openError = error;
    return life;
  }
  const counters = new Map(known);
  const send = (...names: string[]) =>
    Promise.all(
      names.map((name) => {
        const counter = (counters.get(name) ?? 0) + 1;
        counters.set(name, counter);
        return append(clientLog, name, recordOf(name, counter), disk, life);
      }),
    );

  clientLog.begin();
  await send("nas", "pi"); // while the first snapshot is written
  await pauses.begun();
  await send("nas", "once"); // and that one never again
  pauses.end();
  await send("pi"); // while the journal is rotated
  await send("nas", "attic");
  await pauses.begun();
  pauses.end();
  await send("nas");
  await send("pi"); // while it is rotated again, if the snapshot before came to its end
  await pauses.begun();
  await send(...Array.from({ length: 40 }, (_, index) => `host-${index}`), "nas");
  pauses.end();
  await pauses.begun();

  heal();
  const names = ["nas", "pi", "attic", "late"];
  const outcomes = await send(...names);
  life.refusedInTheEnd.push(...names.filter((_, index) => !outcomes[index]));
  pauses.end();
  await pauses.begun();
  await send("nas"); // so that there is something to write at the end
  try {
    await clientLog.close();
  } catch (error) {
    life.closeError = error;
  }
  return life;
}

/**
 * Another life: somebody removes two lines while the server runs, and one of the two hosts pings again
 * later. The editor's file is durable before the server sees it.
 */
export async function liveAndForget(
  folder: string,
  disk: Disk,
  known: ReadonlyMap<string, number>,
): Promise<Life> {
  const life = newLife(known);
  const pauses = new Pauses();
  const looks = new Pauses();
  const path = join(folder, LOG);
  let clientLog: ClientLog;
  try {
    clientLog = await openClientLog(path, {
      log: { ...life.log, log: (message) => hearOfForgotten(message, disk, life) },
      files: disk.files,
      now: () => 0,
      sleep: (_milliseconds, signal) => pauses.sleep(signal),
      look: (_milliseconds, signal) => looks.sleep(signal),
    });
  } catch (error) {
    life.openError = error;
    return life;
  }
  const send = (counter: number, ...names: string[]) =>
    Promise.all(names.map((name) => append(clientLog, name, recordOf(name, counter), disk, life)));

  clientLog.begin();
  await send(11, "nas", "gone", "back");
  await pauses.begun();
  pauses.end();
  await send(12, "nas", "pi");
  await pauses.begun();
  for (const name of ["gone", "back"]) life.acknowledged.delete(name); // from now on they may go
  await editAway(path, ["gone", "back"], disk);
  looks.end();
  await send(13, "nas"); // while the server takes it over
  pauses.end();
  await pauses.begun();
  for (let tries = 0; tries < 100 && clientLog.hosts.get("back"); tries++) await Bun.sleep(1);
  if (life.forgotten.delete("back")) await send(1, "back");
  pauses.end();
  await send(14, "nas", "pi");
  await pauses.begun();
  try {
    await clientLog.close();
  } catch (error) {
    life.closeError = error;
  }
  return life;
}

/** What an editor does that syncs its file; without the power it does nothing. */
async function editAway(path: string, names: readonly string[], disk: Disk): Promise<void> {
  try {
    const hosts = hostsIn(await readFile(path, "utf8"));
    for (const name of names) hosts.delete(name);
    await replaceFile(path, encodeClientLog(hosts), { mode: 0o600 }, disk.files);
  } catch {
    // The power is gone.
  }
}

function hearOfForgotten(message: string, disk: Disk, life: Life): void {
  const name = /^forgot (\S+):/.exec(message)?.[1];
  if (name === undefined) return;
  // The disk may have refused the line that says so; then the next snapshot makes it durable.
  if (life.log.lines.some((line) => line.startsWith("error:"))) return;
  life.forgotten.add(name);
  if (survivors(disk.cut("none")).has(name))
    life.premature.push(`${name} is not durably forgotten`);
}

function newLife(known: ReadonlyMap<string, number>): Life {
  return {
    log: recordedLog(),
    acknowledged: new Map(known),
    premature: [],
    forgotten: new Set(),
    refusedInTheEnd: [],
  };
}

/** As the server does it: in the hosts when durable, then acknowledged. */
function append(
  clientLog: ClientLog,
  name: string,
  host: Host,
  disk: Disk,
  { acknowledged, premature }: Life,
): Promise<boolean> {
  return new Promise((resolve) => {
    clientLog.commit(name, host, (isDurable) => {
      if (isDurable) {
        clientLog.hosts.set(name, host);
        acknowledged.set(name, host.counter!);
        premature.push(...missing(acknowledged, disk));
      }
      resolve(isDurable);
    });
  });
}

/** What a power cut now would lose of what was acknowledged. */
function missing(acknowledged: ReadonlyMap<string, number>, disk: Disk): string[] {
  try {
    const durable = survivors(disk.cut("none"));
    return [...acknowledged]
      .filter(([name, counter]) => (durable.get(name) ?? 0) < counter)
      .map(([name, counter]) => `${name} ${counter}, durable is ${durable.get(name)}`);
  } catch (error) {
    return [`what is durable cannot be read: ${(error as Error).message}`];
  }
}

/** The pauses between snapshots, which end when the test says so. */
export class Pauses {
  #begun = Promise.withResolvers<void>();
  #ended = Promise.withResolvers<void>();

  sleep(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = (this.#ended = Promise.withResolvers<void>());
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
    this.#begun.resolve();
    return promise;
  }

  /** Resolves when a pause has begun; at once where one is. */
  begun(): Promise<void> {
    return this.#begun.promise;
  }

  end(): void {
    this.#begun = Promise.withResolvers<void>();
    this.#ended.resolve();
  }
}
