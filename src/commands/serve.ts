/** `dynip serve`: puts the server together, and handles its signals and its shutdown. */
import { defineCommand } from "citty";

import { isPrivate } from "../protocol/address.ts";
import { type ClientLog, hostCount, openClientLog } from "../store/client-log.ts";
import { clientLogPath, type LoadedConfig, loadConfig } from "../config/find.ts";
import type { ServerConfig } from "../config/config.ts";
import { Cookies } from "../protocol/cookie.ts";
import { cannot, EXIT, errorCode, reasonOf } from "../system/errors.ts";
import { createLog, type Log } from "../system/log.ts";
import { keyring } from "../protocol/keyring.ts";
import { deriveKey, KEY_BYTES, SIGNED_SHAPES } from "../protocol/message.ts";
import { WANTED_BYTES } from "../system/receive-buffer.ts";
import { Announcer } from "../server/announce.ts";
import { type Counters, describeCounters, newCounters } from "../server/counters.ts";
import { Door, listenLoop } from "../server/datagrams.ts";
import { Recorder } from "../server/recorder.ts";
import { Registry } from "../server/registry.ts";
import { findSecret, warnIfReadable } from "../config/secrets.ts";
import { bind, type BindOptions, type BoundSocket } from "../system/udp.ts";
import { CONFIG_ARG, LOG_ARGS, logLevel } from "./definition.ts";

export default defineCommand({
  meta: {
    name: "serve",
    description: "Record the name, address and time of every ping, until stopped",
    exits: ["ok", "usage", "clientLog", "config", "bind"],
  },
  args: { ...CONFIG_ARG, ...LOG_ARGS },
  async run({ args }) {
    Bun.unsafe.setJITPolicy(1); // a server runs for months: compile earlier than build.ts sets for pings
    const log = createLog({ level: logLevel(args, "log"), timestamps: true });
    const loaded = await loadConfig(args.config);
    const { server } = loaded.config;
    log.info(`configuration "${loaded.path}"`);

    const secret = await findSecret("secret", loaded.config.secret, { env: process.env, log });
    if (loaded.config.secret) await warnIfReadable(loaded.path, log);
    if (!secret)
      log.warn("there is no secret: pings are plain, and anyone can forge one", NO_SECRET);
    warnOfPorts(loaded, log);

    const stop = new AbortController();
    for (const signal of SIGNALS) {
      // Once: the same signal again ends the process at once, without a clean shutdown.
      process.once(signal, () => {
        log.info(`stopping: ${signal}`);
        stop.abort();
      });
    }

    const path = clientLogPath(loaded);
    const clientLog = await openClientLog(path, { log });
    const counters = newCounters();
    const door = makeDoor(server, secret, clientLog, counters, log);
    try {
      await listenLoop({
        door,
        async bind(handlers) {
          const shapes = secret && !server.allow_plain ? SIGNED_SHAPES : undefined;
          const socket = await bindTo(server, { ...handlers, shapes, log });
          warnOfBuffer(socket, log);
          log.log(`keeping "${path}", ${hostCount(clientLog.hosts.size)}`);
          clientLog.begin();
          return socket;
        },
        settled: () => clientLog.settled(),
        log,
        signal: stop.signal,
      });
    } finally {
      await clientLog.close();
    }
    log.log(`stopped: ${describeCounters(counters)}`);
  },
});

const NO_SECRET =
  "dynip init writes a configuration with a secret; the clients of DynIP 0.1e can use none";

/** Warns if the file, copied to a client, makes it ping a port on which this server does not listen. */
function warnOfPorts({ path, config: { server, client } }: LoadedConfig, log: Log): void {
  const isForClients = client.server_hostname.length > 0;
  if (!isForClients || client.server_port === server.server_port) return;
  log.warn(
    `server_port is ${server.server_port} in [server] and ${client.server_port} in [client] of "${path}"`,
    "clients with this file ping the port in [client]; only a router that forwards it makes that right",
  );
}

/** Builds the part of the server behind the socket. Listeners to changes subscribe here. */
function makeDoor(
  server: ServerConfig,
  secret: Uint8Array | undefined,
  clientLog: ClientLog,
  counters: Counters,
  log: Log,
): Door {
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
  const signing = secret && {
    keyIfMac: keyring(
      (name) => deriveKey(secret, name, server.generations.get(name) ?? 1),
      (name) => hosts.hashOf(name),
    ),
    cookies: new Cookies(crypto.getRandomValues(new Uint8Array(KEY_BYTES))),
  };
  const allowPlain = !secret || server.allow_plain;
  const parts = { hosts, readers, counters, announcer, now, monotonic };
  return new Door({ recorder, signing, allowPlain, ...parts });
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
    const where = server_ip === "*" ? "every interface" : server_ip;
    throw cannot(`listen on UDP port ${server_port}, ${where}`, undefined, reasonOf(error), {
      exitCode: EXIT.bind,
      cause: error,
      hint: BIND_HINTS[errorCode(error) ?? ""],
    });
  }
}

const BIND_HINTS: Readonly<Record<string, string>> = {
  EACCES: "ports below 1024 need a privilege; choose a higher server_port",
  EADDRINUSE: "stop the program that uses it, or change server_port",
  EADDRNOTAVAIL: 'change server_ip; "*" listens on every interface',
  EAFNOSUPPORT: 'change server_ip; "*" listens on every interface',
};

function warnOfBuffer({ receiveBuffer }: BoundSocket, log: Log): void {
  if (receiveBuffer === undefined || receiveBuffer >= WANTED_BYTES) return;
  log.info(
    `the receive buffer is ${receiveBuffer} bytes, not the ${WANTED_BYTES} asked for`,
    `sysctl -w net.core.rmem_max=${WANTED_BYTES} allows them; a flood fills it sooner`,
  );
}
