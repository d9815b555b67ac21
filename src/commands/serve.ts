/** `dynip serve`: puts the server together, and handles its signals and its shutdown. */
import { defineCommand } from "citty";

import type { KeptFiles } from "./kept-files.ts";
import { type ClientLog, hostCount, openClientLog } from "../store/client-log.ts";
import { clientLogPath, type LoadedConfig, loadConfig } from "../config/find.ts";
import { cannotRead, type ServerConfig } from "../config/config.ts";
import type { UserError } from "../system/errors.ts";
import { createLog, type Log } from "../system/log.ts";
import { SIGNED_SHAPES } from "../protocol/message.ts";
import { WANTED_BYTES } from "../system/receive-buffer.ts";
import { describeCounters } from "../server/counters.ts";
import { Door, listenLoop } from "../server/datagrams.ts";
import type { HttpServer } from "../server/http.ts";
import type { Notifier } from "../server/notify.ts";
import { findSecret, warnIfReadable } from "../config/secrets.ts";
import { bind, type BindOptions, type BoundSocket } from "../system/udp.ts";
import { cannotListen } from "./bind-error.ts";
import { CONFIG_ARG, LOG_ARGS, logLevel } from "./definition.ts";
import type { WebParts } from "./serve-http.ts";
import { makeParts, type ServerParts } from "./server-parts.ts";

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
    log.info(`configuration "${loaded.path}"`);
    const secret = await secretOf(loaded, log);
    warnOfPorts(loaded, log);
    const signal = signalOfStop(log);

    const begun = Date.now();
    const clientLog = await openClientLog(clientLogPath(loaded), { log });
    const parts = makeParts(loaded.config.server, secret, clientLog, log);
    const listeners: Listeners = { begun };
    try {
      await openListeners(listeners, loaded, parts, clientLog, log);
      await listen(listeners, loaded, parts, clientLog, log, signal);
    } finally {
      // What an edit of the log has removed is known when the log is closed.
      await clientLog
        .close()
        .finally(() => listeners.kept?.close())
        .finally(() => listeners.notifier?.stop());
    }
    log.log(`stopped: ${describeCounters(parts.counters, listeners.web?.requests)}`);
  },
});

/** What the configuration may ask for beside UDP; each is there once it is opened. */
interface Listeners {
  /** The start of the server: milliseconds since 1970, UTC. */
  readonly begun: number;
  kept?: KeptFiles | undefined;
  notifier?: Notifier | undefined;
  web?: HttpServer | undefined;
}

/** The secret; undefined where there is none, so that all pings are plain. */
async function secretOf(
  { path, config: { secret: written, http } }: LoadedConfig,
  log: Log,
): Promise<Uint8Array | undefined> {
  const secret = await findSecret("secret", written, { env: process.env, log });
  if (written) await warnIfReadable(path, log);
  if (secret) return secret;
  if (http) throw httpWithoutSecret(path);
  log.warn("there is no secret: pings are plain, and anyone can forge one", NO_SECRET);
  return undefined;
}

/** Aborted when this process is told to stop. */
function signalOfStop(log: Log): AbortSignal {
  const stop = new AbortController();
  for (const signal of SIGNALS) {
    // Once: the same signal again ends the process at once, without a clean shutdown.
    process.once(signal, () => {
      log.info(`stopping: ${signal}`);
      stop.abort();
    });
  }
  return stop.signal;
}

/** Opens what is told of changes. */
async function openListeners(
  listeners: Listeners,
  loaded: LoadedConfig,
  { recorder }: ServerParts,
  clientLog: ClientLog,
  log: Log,
): Promise<void> {
  const kept = await keepFiles(loaded, clientLog, log);
  listeners.kept = kept;
  const notifier = await openNotifier(loaded, clientLog, log);
  listeners.notifier = notifier;
  if (!kept && !notifier) return;
  recorder.subscribe(async (change) => {
    await kept?.changed(change); // the history has it before it is told
    notifier?.changed(change);
  });
}

/** Takes pings and requests until the signal is aborted. */
async function listen(
  listeners: Listeners,
  loaded: LoadedConfig,
  parts: ServerParts,
  clientLog: ClientLog,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { kept, notifier, begun } = listeners;
  const path = clientLogPath(loaded);
  const listeningSince = () => notifier?.listeningSince ?? begun;
  await listenLoop({
    door: new Door(parts),
    async bind(handlers) {
      const shapes = parts.allowPlain ? undefined : SIGNED_SHAPES;
      const socket = await bindTo(loaded.config.server, { ...handlers, shapes, log });
      const web = { server: parts, history: kept?.history, clientLog: path, listeningSince };
      listeners.web = await openWeb(loaded, web, log);
      warnOfBuffer(socket, log);
      log.log(`keeping "${path}", ${hostCount(clientLog.hosts.size)}`);
      clientLog.begin();
      kept?.begin();
      notifier?.begin();
      return socket;
    },
    stopOthers: async () => await listeners.web?.stop(),
    settled: () => clientLog.settled(),
    log,
    signal,
  });
}

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

/** Listens for HTTP; undefined where the configuration has no `[http]`. */
async function openWeb(
  { config: { http, notify } }: LoadedConfig,
  parts: Omit<WebParts, "silentAfter">,
  log: Log,
): Promise<HttpServer | undefined> {
  if (!http) return undefined;
  const { startHttp } = await import("./serve-http.ts");
  return await startHttp(http, { ...parts, silentAfter: notify.silent_after }, log);
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
