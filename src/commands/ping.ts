/** `dynip ping`: sends this machine's name to the server. */
import { lookup } from "node:dns/promises";
import { hostname } from "node:os";

import { NoAddressError, type PingResult, pingServer } from "../client.ts";
import { loadConfig } from "../config.ts";
import { EXIT, errorCode, reasonOf, UserError } from "../errors.ts";
import { createLog } from "../log.ts";
import { isPlainName } from "../protocol.ts";
import { connect } from "../udp.ts";
import { CONFIG_ARG, defineSubcommand, LOG_ARGS, logLevel } from "./main.ts";

export default defineSubcommand({
  meta: {
    name: "ping",
    description: "Send this machine's name to the server, once",
  },
  args: { ...CONFIG_ARG, ...LOG_ARGS },
  exits: ["ok", "usage", "config", "serverHostname", "notSent"],
  async run(args) {
    // A line for a person; nothing for cron, which would mail it every five minutes.
    const log = createLog({ level: logLevel(args, process.stderr.isTTY ? "log" : "warn") });
    const { path, config } = await loadConfig(args.config);
    log.info(`configuration "${path}"`);
    const { client_name, server_hostname, server_port: port, family } = config.client;
    if (server_hostname === undefined) {
      throw new UserError(`Cannot ping: config "${path}" has no server_hostname in [client]`, {
        exitCode: EXIT.serverHostname,
        hint: "set it to the server's host name or IP address",
      });
    }
    const name = client_name ?? hostnameAsName(path);
    const results = await pingServer(
      name,
      { hostname: server_hostname, port, family },
      { resolve, connect },
    );

    const sent = results.filter((result) => result.sent).map(({ address }) => address);
    if (sent.length > 0) {
      log.log(
        `sent "${name}" to ${server_hostname} (${sent.join(" and ")}), port ${port}; ` +
          "nothing confirms that it arrived",
      );
    }
    const failures = results.filter((result) => !result.sent);
    if (failures.length > 0) {
      throw new UserError(
        `Cannot ping "${server_hostname}": ${failures.map(describe).join("; ")}`,
        { exitCode: EXIT.notSent, cause: failures[0]!.error, hint: hintFor(failures[0]!.error) },
      );
    }
  },
});

async function resolve(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function hostnameAsName(path: string): string {
  const name = hostname();
  if (isPlainName(name)) return name;
  throw new UserError(
    `Cannot ping: this machine's hostname is "${name}", which is no name to send`,
    {
      exitCode: EXIT.config,
      hint: `set client_name in [client] of "${path}"`,
    },
  );
}

type Failure = Extract<PingResult, { sent: false }>;

function describe({ error, family }: Failure): string {
  const which = family === undefined ? "" : family === "ipv4" ? "IPv4: " : "IPv6: ";
  return `${which}${isResolverError(error) ? "its name cannot be resolved" : reasonOf(error)}`;
}

function hintFor(error: Error): string | undefined {
  if (isResolverError(error)) return "is server_hostname right, and the network up?";
  if (error instanceof NoAddressError) return "change family in [client], or server_hostname";
  const code = errorCode(error) ?? "";
  return NETWORK_ERRORS.includes(code) ? "is the network up?" : undefined;
}

const NETWORK_ERRORS: readonly string[] = ["EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"];

/** Errors of getaddrinfo(3), under the names that Node and Bun give them. */
function isResolverError(error: Error): boolean {
  const code = errorCode(error) ?? "";
  return /^(?:DNS_)?(?:EAI_|ENOTFOUND|ENODATA|ESERVFAIL|ETIMEOUT)/.test(code);
}
