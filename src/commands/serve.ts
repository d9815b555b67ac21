/** `dynip serve`: the composition root of the server; owns its signals and its shutdown. */
import { isPrivate } from "../protocol/address.ts";
import { hostCount, openClientLog } from "../store/client-log.ts";
import { clientLogPath, loadConfig } from "../config/find.ts";
import type { ServerConfig } from "../config/config.ts";
import { Cookies } from "../protocol/cookie.ts";
import { EXIT, errorCode, reasonOf, UserError } from "../system/errors.ts";
import { createLog } from "../system/log.ts";
import { keyring } from "../protocol/keyring.ts";
import { KEY_BYTES } from "../protocol/message.ts";
import { WANTED_BYTES } from "../system/receive-buffer.ts";
import { Registry } from "../server/registry.ts";
import { findSecret, warnIfReadable } from "../config/secrets.ts";
import { type Counters, listenLoop } from "../server/datagrams.ts";
import { bind, type BindOptions, type BoundSocket } from "../system/udp.ts";
import { CONFIG_ARG, defineSubcommand, LOG_ARGS, logLevel } from "./run.ts";

export default defineSubcommand({
  meta: {
    name: "serve",
    description: "Record the name, address and time of every ping, until stopped",
  },
  args: { ...CONFIG_ARG, ...LOG_ARGS },
  exits: ["ok", "usage", "clientLog", "config", "bind"],
  async run(args) {
    Bun.unsafe.setJITPolicy(1); // it runs for months, and build.ts has set it for a ping
    const log = createLog({ level: logLevel(args, "log"), timestamps: true });
    const loaded = await loadConfig(args.config);
    const { server } = loaded.config;
    log.info(`configuration "${loaded.path}"`);

    const secret = await findSecret("secret", loaded.config.secret, { env: process.env, log });
    if (loaded.config.secret) await warnIfReadable(loaded.path, log);
    if (!secret) log.info("there is no secret: pings are plain, and anyone can forge one");

    const stop = new AbortController();
    for (const signal of SIGNALS) {
      // Once: the same signal again ends the process there and then, as it does elsewhere.
      process.once(signal, () => {
        log.info(`stopping: ${signal}`);
        stop.abort();
      });
    }

    const path = clientLogPath(loaded);
    const clientLog = await openClientLog(path, { log });
    let counters: Counters;
    try {
      counters = await listenLoop({
        async bind(handlers) {
          const socket = await bindTo(server, handlers);
          if (socket.receiveBuffer !== undefined && socket.receiveBuffer < WANTED_BYTES) {
            log.info(
              `the receive buffer is ${socket.receiveBuffer} bytes, not the ${WANTED_BYTES} asked for`,
              `sysctl -w net.core.rmem_max=${WANTED_BYTES} allows them; a flood fills it sooner`,
            );
          }
          log.log(`keeping "${path}", ${hostCount(clientLog.hosts.size)}`);
          clientLog.begin();
          return socket;
        },
        registry: new Registry(clientLog.hosts, server.max_clients),
        // Until the recorder takes the client log itself.
        clientLog: {
          append(name, host, done, isNews) {
            if (done || isNews) clientLog.commit(name, host, done ?? (() => {}));
            else clientLog.note(name);
          },
          settled: () => clientLog.settled(),
        },
        signing: secret && {
          keyOf: keyring(secret, server.generations),
          cookies: new Cookies(crypto.getRandomValues(new Uint8Array(KEY_BYTES))),
        },
        allowPlain: !secret || server.allow_plain,
        isPublic: server.server_ip === "*" || !isPrivate(server.server_ip),
        log,
        now: Date.now,
        monotonic: () => performance.now(),
        signal: stop.signal,
      });
    } finally {
      await clientLog.close();
    }
    log.log(`stopped: ${summary(counters)}`);
  },
});

/**
 * What ends the server cleanly. On Windows also Ctrl-Break and closing the console, after which the
 * system gives a process some 5 seconds; elsewhere SIGHUP is left alone, as nohup(1) wants it.
 */
const SIGNALS: readonly NodeJS.Signals[] =
  process.platform === "win32"
    ? ["SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP"]
    : ["SIGINT", "SIGTERM"];

async function bindTo(
  { server_ip, server_port }: ServerConfig,
  handlers: Pick<BindOptions, "onDatagram" | "onError">,
): Promise<BoundSocket> {
  try {
    return await bind({ address: server_ip, port: server_port, ...handlers });
  } catch (error) {
    const where = server_ip === "*" ? "every interface" : server_ip;
    throw new UserError(`Cannot listen on UDP port ${server_port}, ${where}: ${reasonOf(error)}`, {
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

function summary({ accepted, challenged, ...dropped }: Counters): string {
  const reasons = Object.entries(dropped).filter(([, number]) => number > 0);
  const total = reasons.reduce((sum, [, number]) => sum + number, 0);
  const list = reasons.map(([reason, number]) => `${number} ${reason}`).join(", ");
  return `${count(accepted, "ping")} accepted, ${challenged} challenged, ${count(total, "datagram")} dropped${list && ` (${list})`}`;
}

/** `1 ping`, `2 pings`. */
function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
