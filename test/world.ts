/**
 * Starts the real server code on a socket, a disk and clocks that the test controls, for tests that
 * hand it datagrams one by one. Only this file knows how a server is put together.
 */
import { Cookies } from "../src/protocol/cookie.ts";
import { keyring } from "../src/protocol/keyring.ts";
import type { Host, HostStore } from "../src/host.ts";
import { Announcer } from "../src/server/announce.ts";
import { type Counters, newCounters } from "../src/server/counters.ts";
import { Door, listenLoop } from "../src/server/datagrams.ts";
import { Recorder } from "../src/server/recorder.ts";
import { Registry } from "../src/server/registry.ts";
import type { Log } from "../src/system/log.ts";
import type { BindOptions, BoundSocket } from "../src/system/udp.ts";
import { recordedLog } from "./recorded-log.ts";

/** Keeps the very objects that were stored, so that a test can compare by identity; HostTable copies. */
export class HostMap extends Map<string, Host> implements HostStore {
  hashOf(name: string): number {
    return Bun.hash.xxHash32(name);
  }

  get signedSize(): number {
    return this.values()
      .filter(({ counter }) => counter !== undefined)
      .toArray().length;
  }
}

/** Called once: when a record is durable, or when that failed. */
export type Done = (isDurable: boolean) => void;

/** Takes the records that the server accepts. */
export interface Disk {
  /** @param done undefined for a record that is in `hosts` already and that no client waits for */
  write(name: string, host: Host, done: Done | undefined): void;
  /** Resolves when every written record is durable or has failed. */
  settled(): Promise<void>;
}

/** A disk on which records wait for the next sync. */
export class SyncedDisk implements Disk {
  /** What waits for the next sync, oldest first. */
  readonly waiting: { readonly name: string; readonly host: Host; readonly done?: Done }[] = [];
  readonly #isSlow: boolean;

  /** @param isSlow true: records wait for {@link sync}; false: each is durable at once */
  constructor(isSlow: boolean) {
    this.#isSlow = isSlow;
  }

  write(name: string, host: Host, done: Done | undefined): void {
    this.waiting.push({ name, host, ...(done && { done }) });
    if (!this.#isSlow) this.sync();
  }

  /** Ends the sync: all that wait are told whether their records are durable. */
  sync(isDurable = true): void {
    for (const { done } of this.waiting.splice(0)) done?.(isDurable);
  }

  async settled(): Promise<void> {
    this.sync();
  }
}

export interface ServerOptions {
  /** The hosts known at the start; the server changes it. */
  hosts?: HostMap;
  maxClients?: number;
  allowPlain?: boolean;
  /** The names that may ask about every host. */
  readers?: readonly string[];
  isPublic?: boolean;
  /** The key of a signed name; undefined for a server without a secret. */
  keyOf?: (name: string) => Uint8Array;
  /** 32 bytes. */
  cookieKey?: Uint8Array;
  log?: Log;
  /** Milliseconds since 1970, UTC. */
  now?: () => number;
  /** Milliseconds of a monotonic clock. */
  monotonic?: () => number;
  disk?: Disk;
  /** Parts of the socket: its address and port, `send`, `close`. By default replies are dropped. */
  socket?: Partial<BoundSocket>;
  /** Binding the socket fails with it. */
  bindError?: Error;
  /** Stops the server when it is aborted, even before the start. */
  stopping?: AbortController;
}

export interface MadeUpServer {
  readonly hosts: HostMap;
  /** Hands the server one datagram. */
  readonly receive: BindOptions["onDatagram"];
  /** Hands the server a claim whose password is right, see {@link Recorder.recordClaim}. */
  readonly claim: Recorder["recordClaim"];
  /** Hands the server an error of its socket. */
  readonly fail: BindOptions["onError"];
  /** Stops the server and resolves to its counters, without those that are 0. */
  stop(): Promise<Partial<Counters>>;
}

/**
 * Starts a server and resolves when it listens. By default records are durable at once, replies are
 * dropped, and both clocks stand at 0.
 * @throws bindError
 */
export async function startServer({
  hosts = new HostMap(),
  maxClients = 10,
  allowPlain = true,
  readers = [],
  isPublic = false,
  keyOf,
  cookieKey = new Uint8Array(32),
  log = recordedLog(),
  now = () => 0,
  monotonic = () => 0,
  disk = new SyncedDisk(false),
  socket,
  bindError,
  stopping = new AbortController(),
}: ServerOptions = {}): Promise<MadeUpServer> {
  let receive: BindOptions["onDatagram"] = () => {};
  let fail: BindOptions["onError"] = () => {};
  const listening = Promise.withResolvers<void>();
  const counters = newCounters();
  const announcer = new Announcer({ log, isPublic, monotonic });
  const recorder = new Recorder({
    registry: new Registry(hosts, maxClients),
    store: {
      note: (name) => disk.write(name, hosts.get(name)!, undefined),
      commit: (name, host, done) => disk.write(name, host, done),
    },
    now,
    onListenerError(error) {
      throw error;
    },
  });
  recorder.subscribe((change) => announcer.changed(change));
  const signing = keyOf && {
    keyIfMac: keyring(keyOf, (name) => hosts.hashOf(name)),
    cookies: new Cookies(cookieKey),
  };
  const loop = listenLoop({
    door: new Door({
      recorder,
      signing,
      allowPlain,
      hosts,
      readers: new Set(readers),
      counters,
      announcer,
      now,
      monotonic,
    }),
    async bind({ onDatagram, onError }) {
      if (bindError) throw bindError;
      receive = onDatagram;
      fail = onError;
      return { address: "::", port: 28630, send() {}, close() {}, ...socket };
    },
    settled: () => disk.settled(),
    log: {
      ...log,
      log(message, hint) {
        log.log(message, hint);
        listening.resolve(); // the first line at this level says that the server listens
      },
    },
    signal: stopping.signal,
  });
  await Promise.race([listening.promise, loop]);
  return {
    hosts,
    receive,
    claim: (...claim) => recorder.recordClaim(...claim),
    fail,
    async stop() {
      stopping.abort();
      await loop;
      return Object.fromEntries(Object.entries(counters).filter(([, count]) => count > 0));
    },
  };
}
