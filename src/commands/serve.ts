/** `dynip serve`: puts the server together, and handles its signals and its shutdown. */
import { defineCommand } from "citty";

import type { KeptFiles } from "./kept-files.ts";
import { isPrivate } from "../protocol/address.ts";
import { type ClientLog, hostCount, openClientLog } from "../store/client-log.ts";
import { clientLogPath, type LoadedConfig, loadConfig } from "../config/find.ts";
import { cannotRead, type ServerConfig } from "../config/config.ts";
import { Cookies } from "../protocol/cookie.ts";
import type { UserError } from "../system/errors.ts";
import { createLog, type Log } from "../system/log.ts";
import { keyring } from "../protocol/keyring.ts";
import { deriveKey, KEY_BYTES, SIGNED_SHAPES } from "../protocol/message.ts";
import { WANTED_BYTES } from "../system/receive-buffer.ts";
import { Announcer } from "../server/announce.ts";
import { describeCounters, newCounters } from "../server/counters.ts";
import { Door, type DoorParts, listenLoop, type Signing } from "../server/datagrams.ts";
import type { History } from "../server/history.ts";
import type { HttpParts, HttpServer } from "../server/http.ts";
import type { Notifier } from "../server/notify.ts";
import { Recorder } from "../server/recorder.ts";
import { Registry } from "../server/registry.ts";
import { findSecret, warnIfReadable } from "../config/secrets.ts";
import { bind, type BindOptions, type BoundSocket } from "../system/udp.ts";
import { cannotListen } from "./bind-error.ts";
import { CONFIG_ARG, LOG_ARGS, logLevel } from "./definition.ts";

export default defineCommand({
  meta: {
    name: "serve",
    description: "Record the name, address and time of every ping, until stopped",
    exits: ["ok", "usage", "clientLog", "config", "notSent", "bind"],
  },
  args: {
    ...CONFIG_ARG,
    "test-notify": {
      type: "boolean",
      description: "Do not serve: send a test notice in every way that [notify] names",
    },
    ...LOG_ARGS,
  },
  async run({ args }) {
    if (args["test-notify"]) {
      const { testNotices } = await import("./notify.ts");
      return await testNotices(await loadConfig(args.config), logLevel(args, "log"));
    }
    Bun.unsafe.setJITPolicy(1); // a server runs for months: compile earlier than build.ts sets for pings
    const log = createLog({ level: logLevel(args, "log"), timestamps: true });
    const loaded = await loadConfig(args.config);
    const { server } = loaded.config;
    log.info(`configuration "${loaded.path}"`);

    const secret = await findSecret("secret", loaded.config.secret, { env: process.env, log });
    if (loaded.config.secret) await warnIfReadable(loaded.path, log);
    if (!secret) {
      if (loaded.config.http) throw httpWithoutSecret(loaded.path);
      log.warn("there is no secret: pings are plain, and anyone can forge one", NO_SECRET);
    }
    warnOfPorts(loaded, log);

    const stop = new AbortController();
    for (const signal of SIGNALS) {
      // Once: the same signal again ends the process at once, without a clean shutdown.
      process.once(signal, () => {
        log.info(`stopping: ${signal}`);
        stop.abort();
      });
    }

    const begun = Date.now();
    const path = clientLogPath(loaded);
    const clientLog = await openClientLog(path, { log });
    const parts = makeParts(server, secret, clientLog, log);
    let notifier: Notifier | undefined;
    let web: HttpServer | undefined;
    let kept: KeptFiles | undefined;
    try {
      kept = await keepFiles(loaded, clientLog, log);
      notifier = await openNotifier(loaded, clientLog, log);
      if (kept || notifier) {
        parts.recorder.subscribe(async (change) => {
          await kept?.changed(change); // the history has it before it is told
          notifier?.changed(change);
        });
      }
      await listenLoop({
        door: new Door(parts),
        async bind(handlers) {
          const shapes = parts.allowPlain ? undefined : SIGNED_SHAPES;
          const socket = await bindTo(server, { ...handlers, shapes, log });
          const rest = { ...parts, history: kept?.history };
          web = await openWeb(loaded, rest, path, () => notifier?.listeningSince ?? begun, log);
          warnOfBuffer(socket, log);
          log.log(`keeping "${path}", ${hostCount(clientLog.hosts.size)}`);
          clientLog.begin();
          kept?.begin();
          notifier?.begin();
          return socket;
        },
        stopOthers: async () => await web?.stop(),
        settled: () => clientLog.settled(),
        log,
        signal: stop.signal,
      });
    } finally {
      // What an edit of the log has removed is known when the log is closed.
      await clientLog
        .close()
        .finally(() => kept?.close())
        .finally(() => notifier?.stop());
    }
    log.log(`stopped: ${describeCounters(parts.counters, web?.requests)}`);
  },
});

const NO_SECRET =
  "dynip init writes a configuration with a secret; the clients of DynIP 0.1e can use none";

function httpWithoutSecret(path: string): UserError {
  return cannotRead(path, "[http] needs a secret, which makes the passwords, and there is none", {
    hint: "dynip init writes a configuration with a secret; or remove [http]",
  });
}

/** Warns if the file, copied to a client, makes it ping a port on which this server does not listen. */
function warnOfPorts({ path, config: { server, client } }: LoadedConfig, log: Log): void {
  const isForClients = client.server_hostname.length > 0;
  if (!isForClients || client.server_port === server.server_port) return;
  log.warn(
    `server_port is ${server.server_port} in [server] and ${client.server_port} in [client] of "${path}"`,
    "clients with this file ping the port in [client]; only a router that forwards it makes that right",
  );
}

/** Keeps the hosts file and the history; undefined where the configuration asks for neither. */
async function keepFiles(
  loaded: LoadedConfig,
  clientLog: ClientLog,
  log: Log,
): Promise<KeptFiles | undefined> {
  const { hosts_path, history_path } = loaded.config.server;
  if (hosts_path === undefined && history_path === undefined) return undefined;
  const { KeptFiles } = await import("./kept-files.ts");
  return await KeptFiles.open(loaded, clientLog, log);
}

/**
 * Listens for HTTP, where the configuration has `[http]`, and so a secret.
 * @param clientLog the path of the client log
 * @param listeningSince see watch.ts
 * @throws UserError (exit code 8) when the port cannot be bound
 */
async function openWeb(
  { config: { http, notify } }: LoadedConfig,
  parts: ServerParts & { history: History | undefined },
  clientLog: string,
  listeningSince: () => number,
  log: Log,
): Promise<HttpServer | undefined> {
  if (!http || !parts.signing) return undefined;
  const { startHttp } = await import("./serve-http.ts");
  const { isSilent, lastSeenOf } = await import("../server/watch.ts");
  const { signing, history, hosts } = parts;
  const begun = listeningSince();
  let heardUntil = 0;
  for (const [, host] of hosts) heardUntil = Math.max(heardUntil, lastSeenOf(host));
  heardUntil = Math.min(heardUntil, begun); // the clock may have been set back
  const whether: HttpParts["isSilent"] = (name, host, time) => {
    const now = { time, listeningSince: listeningSince(), heardUntil };
    return isSilent(notify.silent_after, [name, host], now);
  };
  const more = {
    keyOf: signing.keyOf,
    clientLog: () => Bun.file(clientLog),
    isSilent: whether,
    lastMoves: (name: string) => history?.lastMoves(name) ?? [],
  };
  return await startHttp(http, { ...parts, ...more }, log);
}

/** What tells of hosts; undefined where the configuration names no way of telling. */
async function openNotifier(
  loaded: LoadedConfig,
  clientLog: ClientLog,
  log: Log,
): Promise<Notifier | undefined> {
  const { command, url } = loaded.config.notify;
  if (command === undefined && url === undefined) return undefined;
  const { openNotices } = await import("./notify.ts");
  return await openNotices(loaded, clientLog, log);
}

/** What the doors are built from. */
interface ServerParts extends DoorParts {
  hosts: ClientLog["hosts"];
  /** With the key of each signed name, 32 bytes, of which its HTTP password is made. */
  signing: (Signing & { keyOf: (name: string) => Uint8Array }) | undefined;
}

/** Builds the part of the server behind the doors. Listeners to changes subscribe here. */
function makeParts(
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

/**
 * The signals that end the server cleanly. On Windows they include Ctrl-Break and the closing of the
 * console, after which a process has about 5 seconds. Elsewhere SIGHUP is not handled, for nohup(1).
 */
const SIGNALS: readonly NodeJS.Signals[] =
  process.platform === "win32"
    ? ["SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP"]
    : ["SIGINT", "SIGTERM"];

async function bindTo(
  { server_ip, server_port }: ServerConfig,
  options: Omit<BindOptions, "address" | "port">,
): Promise<BoundSocket> {
  try {
    return await bind({ address: server_ip, port: server_port, ...options });
  } catch (error) {
    const keys = { address: "server_ip", port: "server_port", everywhere: "*" };
    throw cannotListen({ protocol: "UDP", address: server_ip, port: server_port, keys }, error);
  }
}

function warnOfBuffer({ receiveBuffer }: BoundSocket, log: Log): void {
  if (receiveBuffer === undefined || receiveBuffer >= WANTED_BYTES) return;
  log.info(
    `the receive buffer is ${receiveBuffer} bytes, not the ${WANTED_BYTES} asked for`,
    `sysctl -w net.core.rmem_max=${WANTED_BYTES} allows them; a flood fills it sooner`,
  );
}
