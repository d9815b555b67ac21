/**
 * How fast pings are acknowledged on a disk whose flush takes long, as that of a hard disk or an SD
 * card: ext4 on a loop device over a file whose sync sleeps.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";

import {
  decodeReply,
  deriveKey,
  encodeCounter,
  encodeKey,
  encodePing,
  NO_COOKIE,
} from "../../src/protocol/message.ts";
import { BINARY, newSetup } from "../e2e/dynip.ts";
import { temporaryFolder } from "../temporary.ts";
import { mountLoopDisk, whyNoLoopDisk } from "./loop-disk.ts";
import type { Bench, Row } from "./measure.ts";
import { buildOldDynip, whyNoOldDynip } from "./old-dynip.ts";
import { run, type RunningServer, startServer } from "./processes.ts";
import { hostName, SECRET } from "./programs/hosts.ts";
import type { SignedRound } from "./rounds.ts";
import { ratios } from "./statistics.ts";

const HOSTS = 1000;
const BYTES = 256 * 1024 * 1024;

const ALONE_FLUSH_MS = 50;
const ALONE_MOST_MS = 60;
const ALONE_PINGS = 20;
const ALONE_PAUSE_MS = 200;

const FLUSHES_MS = [10, 50];
const IN_FLIGHT = 256;
const WARM_UP = 1000;
/** Each round takes some 5 seconds. */
const PINGS_PER_MS = 200_000;
const ROUNDS = 3;

const ALONE = `a signed ping alone, a flush takes ${ALONE_FLUSH_MS} ms`;
const loaded = (ms: number) => `signed pings, ${IN_FLIGHT} in flight, a flush takes ${ms} ms`;

export async function slowDisk(bench: Bench): Promise<Row[]> {
  const why = whyNoLoopDisk() ?? whyNoFuse() ?? whyNoOldDynip();
  if (why !== undefined) {
    return [ALONE, ...FLUSHES_MS.map(loaded)].map((what) => ({ what, skipped: why }));
  }
  await using old = await buildOldDynip();
  const rows = [await alone(bench, old.path)];
  for (const flushMs of FLUSHES_MS) rows.push(await load(bench, old.path, flushMs));
  return rows;
}

/** @param old the path of dynip 0.2.0 */
async function alone(bench: Bench, old: string): Promise<Row> {
  bench.progress(ALONE);
  const ofOld = await onSlowDisk(bench, old, ALONE_FLUSH_MS, pingAlone);
  const ofDynip = await onSlowDisk(bench, BINARY, ALONE_FLUSH_MS, pingAlone);
  return {
    what: ALONE,
    dynip: { name: "dynip", unit: "ms", samples: ofDynip },
    reference: { name: OLD_NAME, unit: "ms", samples: ofOld },
    result: { unit: "ms", samples: ofDynip },
    bar: { at: "most", value: ALONE_MOST_MS },
  };
}

/** @param old the path of dynip 0.2.0 */
async function load(bench: Bench, old: string, flushMs: number): Promise<Row> {
  const measure = (server: RunningServer) => underLoad(bench, server, PINGS_PER_MS / flushMs);
  const ofOld: SignedRound[] = [];
  const ofDynip: SignedRound[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    bench.progress(`${loaded(flushMs)}, round ${round} of ${ROUNDS}`);
    ofOld.push(await onSlowDisk(bench, old, flushMs, measure));
    ofDynip.push(await onSlowDisk(bench, BINARY, flushMs, measure));
  }
  const perSecond = (rounds: readonly SignedRound[]) => rounds.map((round) => round.perSecond);
  const lost = (rounds: readonly SignedRound[]) => rounds.map((round) => round.lost).join(", ");
  return {
    what: loaded(flushMs),
    dynip: { name: "dynip", unit: "/s", samples: perSecond(ofDynip) },
    reference: { name: OLD_NAME, unit: "/s", samples: perSecond(ofOld) },
    result: { unit: "times", samples: ratios(perSecond(ofDynip), perSecond(ofOld)) },
    bar: { at: "least", value: 1.8 },
    notes: [`Lost in each round: ${lost(ofDynip)}; of ${OLD_NAME}: ${lost(ofOld)}.`],
  };
}

const OLD_NAME = "dynip 0.2.0";

function whyNoFuse(): string | undefined {
  return existsSync("/dev/fuse") ? undefined : "needs FUSE, for a disk that is slow";
}

/** Measures a server whose log lies on such a disk. */
async function onSlowDisk<T>(
  bench: Bench,
  binary: string,
  flushMs: number,
  measure: (server: RunningServer) => Promise<T>,
): Promise<T> {
  await using slow = await mountSlowFile();
  await using disk = await mountLoopDisk(slow.image);
  const logPath = join(disk.folder, "dynip.json");
  await copyFile(await bench.clientLogs.path("signed", HOSTS), logPath);
  await using setup = await newSetup({
    server: `server_ip = "127.0.0.1"\nclient_log_path = "${logPath}"`,
    secret: encodeKey(SECRET),
  });
  await using server = await startServer([binary, "serve", setup.config]);
  disk.commit();
  slow.setSyncTime(flushMs);
  const measured = await measure(server);
  slow.setSyncTime(0);
  await server.stop();
  return measured;
}

interface SlowFile {
  readonly image: string;
  /** How long a sync takes from now on, in milliseconds. */
  setSyncTime(milliseconds: number): void;
  [Symbol.asyncDispose](): Promise<void>;
}

async function mountSlowFile(): Promise<SlowFile> {
  const own = await temporaryFolder();
  const folder = own.file("slow");
  await mkdir(folder);
  const program = join(import.meta.dir, "programs", "slow-file.ts");
  const child = Bun.spawn([process.execPath, program, folder, String(BYTES)], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  const said = (await child.stderr.getReader().read()).value;
  const text = new TextDecoder().decode(said);
  if (!text.startsWith("mounted")) {
    child.kill();
    await own[Symbol.asyncDispose]();
    throw new Error(`cannot mount a slow file: ${text.trim()}`);
  }
  return {
    image: join(folder, "image"),
    setSyncTime(milliseconds) {
      child.stdin.write(`${milliseconds}\n`);
      void child.stdin.flush();
    },
    async [Symbol.asyncDispose]() {
      Bun.spawnSync(["umount", "--lazy", folder]);
      child.kill("SIGKILL"); // a mount namespace of another process may hold it for longer
      await child.exited;
      await own[Symbol.asyncDispose]();
    },
  };
}

/** How long each of some pings takes until it is acknowledged, one after the other, with pauses. */
async function pingAlone({ port }: RunningServer): Promise<number[]> {
  let acknowledged = Promise.withResolvers<void>();
  const socket = await Bun.udpSocket({
    connect: { hostname: "127.0.0.1", port },
    socket: {
      data(_socket, datagram) {
        if (decodeReply(datagram)?.type === "A") acknowledged.resolve();
      },
      error() {},
    },
  });
  const samples: number[] = [];
  for (let index = 0; index < ALONE_PINGS; index++) {
    await Bun.sleep(ALONE_PAUSE_MS);
    acknowledged = Promise.withResolvers();
    const name = hostName(index);
    const counter = encodeCounter(Date.now() * 1000);
    const ping = { name, counter, nonce: encodeCounter(index), cookie: NO_COOKIE };
    const datagram = encodePing(ping, deriveKey(SECRET, name, 1));
    const sent = performance.now();
    socket.send(datagram);
    await acknowledged.promise;
    samples.push(performance.now() - sent);
  }
  socket.close();
  return samples;
}

/** Sends pings, a number of them in flight at any time. */
async function underLoad(
  bench: Bench,
  { port }: RunningServer,
  pings: number,
): Promise<SignedRound> {
  const driver = await bench.programs.path("signed-driver");
  const numbers = [port, HOSTS, pings, IN_FLIGHT].map(String);
  const { stdout } = await run([driver, ...numbers, "dynip", String(WARM_UP)]);
  const { acknowledged, lost, wrong, seconds } = JSON.parse(stdout);
  if (wrong > 0) throw new Error(`${wrong} of ${acknowledged} replies were no acknowledgements`);
  return { perSecond: acknowledged / seconds, lost };
}
