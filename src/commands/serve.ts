/** `dynip serve`: the composition root of the server; owns its signals and its shutdown. */
import { hostCount, openClientLog } from "../client-log.ts";
import { clientLogPath, loadConfig, type ServerConfig } from "../config.ts";
import { EXIT, errorCode, reasonOf, UserError } from "../errors.ts";
import { createLog } from "../log.ts";
import { Registry } from "../registry.ts";
import { type Counters, listenLoop } from "../server.ts";
import { bind } from "../udp.ts";
import { CONFIG_ARG, defineSubcommand, LOG_ARGS, logLevel } from "./main.ts";

export default defineSubcommand({
  meta: {
    name: "serve",
    description: "Record the name, address and time of every ping, until stopped",
  },
  args: { ...CONFIG_ARG, ...LOG_ARGS },
  exits: ["ok", "usage", "clientLog", "config", "bind"],
  async run(args) {
    const log = createLog({ level: logLevel(args, "log"), timestamps: true });
    const loaded = await loadConfig(args.config);
    const { server } = loaded.config;
    log.info(`configuration "${loaded.path}"`);

    const stop = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      // Once: a second one ends the process at once, as it does everywhere.
      process.once(signal, () => {
        log.info(`stopping: ${signal}`);
        stop.abort();
      });
    }

    const path = clientLogPath(loaded);
    const clientLog = await openClientLog(path, { log });
    let counters: Counters;
    try {
      log.log(`keeping "${path}", ${hostCount(clientLog.hosts.size)}`);
      counters = await listenLoop({
        bind: (handlers) =>
          bind({ address: server.server_ip, port: server.server_port, ...handlers }),
        registry: new Registry(clientLog.hosts, server.max_clients),
        clientLog,
        log,
        now: Date.now,
        signal: stop.signal,
      });
    } catch (error) {
      throw cannotListen(error, server);
    } finally {
      await clientLog.close();
    }
    log.log(`stopped: ${summary(counters)}`);
  },
});

function cannotListen(error: unknown, { server_ip, server_port }: ServerConfig): unknown {
  const code = errorCode(error);
  if (code === undefined) return error;
  const hint = BIND_HINTS[code];
  const where = server_ip === "*" ? "every interface" : server_ip;
  return new UserError(`Cannot listen on UDP port ${server_port}, ${where}: ${reasonOf(error)}`, {
    exitCode: EXIT.bind,
    cause: error,
    hint,
  });
}

const BIND_HINTS: Readonly<Record<string, string>> = {
  EACCES: "ports below 1024 need a privilege; choose a higher server_port",
  EADDRINUSE: "stop the program that uses it, or change server_port",
  EADDRNOTAVAIL: 'change server_ip; "*" listens on every interface',
  EAFNOSUPPORT: 'change server_ip; "*" listens on every interface',
};

function summary({ accepted, ...dropped }: Counters): string {
  const reasons = Object.entries(dropped).filter(([, count]) => count > 0);
  const total = reasons.reduce((sum, [, count]) => sum + count, 0);
  const list = reasons.map(([reason, count]) => `${count} ${reason}`).join(", ");
  return `${accepted} pings accepted, ${total} datagrams dropped${list && ` (${list})`}`;
}
