/** Builds the part of the server behind the doors. */
import type { ServerConfig } from "../config/config.ts";
import { isPrivate } from "../protocol/address.ts";
import { Cookies } from "../protocol/cookie.ts";
import { keyring } from "../protocol/keyring.ts";
import { deriveKey, KEY_BYTES } from "../protocol/message.ts";
import { Announcer } from "../server/announce.ts";
import { newCounters } from "../server/counters.ts";
import type { DoorParts, Signing } from "../server/datagrams.ts";
import { Recorder } from "../server/recorder.ts";
import { Registry } from "../server/registry.ts";
import type { ClientLog } from "../store/client-log.ts";
import type { Log } from "../system/log.ts";

/** What the doors are built from. */
export interface ServerParts extends DoorParts {
  hosts: ClientLog["hosts"];
  /** With the key of each signed name, 32 bytes, of which its HTTP password is made. */
  signing: (Signing & { keyOf: (name: string) => Uint8Array }) | undefined;
}

/**
 * Builds it. The log is told of changes here; what the configuration asks for beside it subscribes in
 * serve.ts.
 */
export function makeParts(
  server: ServerConfig,
  secret: Uint8Array | undefined,
  clientLog: ClientLog,
  log: Log,
): ServerParts {
  const monotonic = () => performance.now();
  const now = Date.now;
  const { hosts } = clientLog;
  const recorder = new Recorder({
    registry: new Registry(hosts, server.max_clients),
    store: clientLog,
    now,
    onListenerError: (error) => log.error(`This is a bug in dynip: ${String(error)}`),
  });
  const isPublic = server.server_ip === "*" || !isPrivate(server.server_ip);
  const announcer = new Announcer({ log, isPublic, monotonic });
  recorder.subscribe((change) => announcer.changed(change));
  const readers = new Set(server.readers);
  const signing = secret && makeSigning(secret, server, hosts);
  const allowPlain = !secret || server.allow_plain;
  const counters = newCounters();
  const parts = { hosts, readers, counters, announcer, now, monotonic };
  return { recorder, signing, allowPlain, ...parts };
}

function makeSigning(
  secret: Uint8Array,
  { generations }: ServerConfig,
  hosts: ClientLog["hosts"],
): NonNullable<ServerParts["signing"]> {
  const keyOf = (name: string) => deriveKey(secret, name, generations.get(name) ?? 1);
  return {
    keyOf,
    keyIfMac: keyring(keyOf, (name) => hosts.hashOf(name)),
    cookies: new Cookies(crypto.getRandomValues(new Uint8Array(KEY_BYTES))),
  };
}
