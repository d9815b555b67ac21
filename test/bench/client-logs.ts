/** Client logs with many hosts, for servers to start with. */
import { join } from "node:path";

import { encodeClientLog } from "../../src/store/format.ts";
import type { Host } from "../../src/host.ts";
import { namesOfOneKeyHash, namesOfOneXxHash32 } from "../colliding-names.ts";
import { hostName } from "./programs/hosts.ts";

/** Plain hosts, signed ones, or plain ones whose names are made to collide in hashes. */
export type Kind = "plain" | "signed" | "colliding";

export class ClientLogs {
  readonly #folder: string;
  readonly #written = new Map<string, Promise<void>>();

  /** @param folder where the logs are kept; servers start with copies of them */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * The path of a log with `hosts` hosts, all last seen at 127.0.0.1 an hour ago. It is written when
   * it is asked for the first time.
   */
  async path(kind: Kind, hosts: number): Promise<string> {
    const path = join(this.#folder, `${kind}-${hosts}.json`);
    let written = this.#written.get(path);
    if (written === undefined) this.#written.set(path, (written = write(path, kind, hosts)));
    await written;
    return path;
  }
}

async function write(path: string, kind: Kind, count: number): Promise<void> {
  const anHourAgo = Date.now() - 3_600_000;
  const ipv4 = { address: "127.0.0.1", since: anHourAgo, lastSeen: anHourAgo };
  const host: Host = kind === "signed" ? { ipv4, counter: anHourAgo * 1000 } : { ipv4 };
  const names = kind === "colliding" ? collidingNames(count) : ordinaryNames(count);
  const file = Bun.file(path).writer();
  for (const slice of encodeClientLog(names.map((name) => [name, host]))) {
    file.write(slice);
    await file.flush();
  }
  await file.end();
}

function* ordinaryNames(count: number): Generator<string, undefined> {
  for (let index = 0; index < count; index++) yield hostName(index);
}

function collidingNames(count: number): IteratorObject<string> {
  const names = namesOfOneXxHash32().slice(0, count / 2);
  return [...names, ...namesOfOneKeyHash(count - names.length)].values();
}
