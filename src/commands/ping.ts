/**
 * `dynip ping`: sends this machine's name to each server, which records the address it came from. With
 * `--find` it asks them for a host's address instead, see find.ts.
 */
import { defineCommand } from "citty";

import type { Identity, PingResult } from "../client/client.ts";
import { resolve } from "../client/resolve.ts";
import { watchPing } from "../client/watch.ts";
import { isCommonName } from "../config/common-names.ts";
import { type LoadedConfig, loadConfig } from "../config/find.ts";
import { SIGNED_NAME_RULE } from "../config/keys.ts";
import { describeDuration, parseDuration } from "../config/duration.ts";
import { cannot, EXIT, usageError, type UserError } from "../system/errors.ts";
import type { Acknowledgement } from "../client/exchange.ts";
import { createLog, isTerminal, type Log } from "../system/log.ts";
import { holdsKey } from "../system/redact.ts";
import { COUNTER_WINDOW, deriveKey, isPlainName, isSignedName } from "../protocol/message.ts";
import { findKeys, type Keys, warnIfReadable } from "../config/secrets.ts";
import { connect } from "../system/udp.ts";
import { CONFIG_ARG, LOG_ARGS, logLevel } from "./definition.ts";
import { type Failure, failureOf, optionsOf } from "./failure.ts";

export default defineCommand({
  meta: {
    name: "ping",
    description:
      "Tell the server this machine's name and address, once; or find another with --find",
    exits: [
      "ok",
      "usage",
      "config",
      "serverHostname",
      "notSent",
      "noAcknowledgement",
      "unknown",
      "stale",
    ],
  },
  args: {
    ...CONFIG_ARG,
    timeout: {
      type: "string",
      valueHint: "SECONDS",
      description: "Give up after this time (default: 39.5 seconds without an answer)",
    },
    jitter: {
      type: "string",
      valueHint: "30s",
      description: "First wait a random time up to this, so that machines do not all ping at once",
    },
    find: {
      type: "string",
      valueHint: "NAME",
      description: "Do not ping: print the address of this host, as the server knows it",
    },
    "max-age": {
      type: "string",
      valueHint: "15m",
      description: "With --find: take no address that was last seen longer ago",
    },
    ...LOG_ARGS,
  },
  async run({ args }) {
    const timeout = duration("timeout", args.timeout) ?? Number.POSITIVE_INFINITY;
    if (timeout === 0) {
      throw usageError(`Option "--timeout" is "${args.timeout}", must be more than 0`);
    }
    const jitter = duration("jitter", args.jitter) ?? 0;
    const wanted = args.find === undefined ? undefined : hostName(args.find);
    const maxAge = duration("max-age", args["max-age"], Number.MAX_VALUE);
    if (maxAge !== undefined && wanted === undefined) {
      throw usageError('Option "--max-age" needs --find', "dynip ping --help shows how it is used");
    }
    const loaded = await loadConfig(args.config);
    // On success one line at a terminal and none elsewhere: cron would mail it every five minutes.
    const log = createLog({ level: logLevel(args, isTerminal() ? "log" : "warn") });
    log.info(`configuration "${loaded.path}"`);
    const { server_hostname: hosts, server_port: port, family } = loaded.config.client;
    if (hosts.length === 0) {
      const problem = `config "${loaded.path}" has no server_hostname in [client]`;
      throw cannot("ping", undefined, problem, {
        exitCode: EXIT.serverHostname,
        hint: "set it to the server's host name or IP address",
      });
    }
    for (const host of hosts) refuseKey("server_hostname", host, loaded.path);
    const keys = await findKeys(loaded.config, { env: process.env, log });
    const say = {
      waiting: log.shown === "warn" ? undefined : log.log,
      event: log.shown === "debug" ? log.debug : undefined,
    };
    const parts = { resolve, connect, now: Date.now, monotonic, sleep, nonce };
    if (wanted !== undefined) {
      const { find } = await import("./find.ts");
      const own = !keys.secret && keys.key ? await identify(loaded, keys, log) : undefined;
      if (jitter > 0) await Bun.sleep(Math.random() * jitter);
      return await find(wanted, { maxAge, timeout, loaded, keys, own, log, say, parts });
    }
    const identity = await identify(loaded, keys, log);
    if (jitter > 0) await Bun.sleep(Math.random() * jitter);

    const pingAll = hosts.map(async (host) => {
      const destination = { hostname: host, port, family };
      return { host, ...(await watchPing(identity, destination, timeout, parts, say)) };
    });
    const holdsSecret = loaded.config.client.key || loaded.config.secret;
    const [pings] = await Promise.all([
      Promise.all(pingAll),
      // Looked at while the answers are on their way.
      holdsSecret && warnIfReadable(loaded.path, log),
    ]);
    for (const { host, results } of pings) report(log, identity.name, host, port, results);
    const failures = pings.flatMap(({ host, evidence, results }) =>
      results.flatMap((result) =>
        result.kind === "failed" ? [failureOf(host, result, evidence)] : [],
      ),
    );
    if (failures.length > 0) throw cannotPing(failures, port);
  },
});

/**
 * The name to ping with, and its key: this machine's own, or the one derived from the secret. Without
 * either the ping is plain.
 * @throws UserError (exit code 3) if the name cannot be sent
 */
async function identify(
  { path, config }: LoadedConfig,
  { key, secret }: Keys,
  log: Log,
): Promise<Identity> {
  const { client, server } = config;
  const given = client.client_name ?? (await ownHostname(path, log));
  refuseKey("client_name", given, path);
  if (!key && !secret) {
    if (isPlainName(given)) return { name: given, key: undefined };
    throw badName(path, given, "which cannot be sent as a name");
  }
  const name = lowerCase(given);
  if (!isSignedName(name)) {
    throw badName(path, given, `which cannot be signed: it must be ${SIGNED_NAME_RULE}`);
  }
  return { name, key: key ?? deriveKey(secret!, name, server.generations.get(name) ?? 1) };
}

/** This machine's hostname. Warns if many machines have the same: two of one name are one host to a server. */
async function ownHostname(path: string, log: Log): Promise<string> {
  const hostname = (await import("node:os")).hostname();
  if (isCommonName(hostname)) {
    log.warn(
      `this machine's name is "${hostname}", as that of many others`,
      `set client_name in [client] of "${path}"; two machines with one name look like one that moves`,
    );
  }
  return hostname;
}

/**
 * Refuses to send a key that is in a wrong place. Names travel in plain text.
 * @throws UserError (exit code 3)
 */
function refuseKey(setting: string, value: string, path: string): void {
  if (!holdsKey(value)) return;
  throw cannot("ping", undefined, `${setting} in [client] looks like a secret`, {
    exitCode: EXIT.config,
    hint: `correct it in "${path}"; secret and key have places of their own`,
  });
}

function badName(path: string, name: string, problem: string): UserError {
  return cannot("ping", undefined, `this machine's name is "${name}", ${problem}`, {
    exitCode: EXIT.config,
    hint: `set client_name in [client] of "${path}"`,
  });
}

const monotonic = (): number => performance.now();
const sleep = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
const nonce = (): string => crypto.getRandomValues(new Uint8Array(8)).toHex();

/**
 * Reads the value of an option that takes a time.
 * @param longest milliseconds
 * @returns milliseconds; undefined if the option is not given
 */
function duration(
  option: string,
  text: string | undefined,
  longest = LONGEST_TIMER_MS,
): number | undefined {
  if (text === undefined) return undefined;
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined && milliseconds <= longest) return milliseconds;
  throw usageError(`Option "--${option}" is "${text}", must be a time like 30s or 2m`);
}

/**
 * Reads the name to ask for. Lower-cased, as a client lower-cases its own.
 * @throws UserError (exit code 1) if it cannot be signed
 */
function hostName(text: string): string {
  const name = lowerCase(text);
  if (isSignedName(name)) return name;
  throw usageError(`Option "--find" is "${text}", must be a name of ${SIGNED_NAME_RULE}`);
}

/** ASCII alone: other letters are in no signed name. */
function lowerCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Timers take 31 bits: 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Logs what is known of the pings to one server: one line for plain pings, one for signed ones. */
function report(log: Log, name: string, host: string, port: number, results: PingResult[]): void {
  const sent = results.flatMap((result) => (result.kind === "sent" ? [result.address] : []));
  if (sent.length > 0) {
    log.log(
      `sent "${name}" to ${host} (${sent.join(" and ")}), port ${port}; ` +
        "nothing confirms that it arrived",
    );
  }
  const recorded = results.flatMap((result) =>
    result.kind === "acknowledged" ? [describeAcknowledgement(result)] : [],
  );
  if (recorded.length > 0) log.log(`${host} recorded ${name} at ${recorded.join(" and ")}`);
}

/** The recorded address, and what we know of why the server asked for proof if it did. */
function describeAcknowledgement({ recorded, isChallenged, clockAhead }: Acknowledgement): string {
  if (!isChallenged) return `${recorded} (unchanged)`;
  const difference = describeDuration(Math.abs(clockAhead));
  // The server challenges counters that are this far apart, even if the address is unchanged. We cannot
  // know whose clock is wrong, nor whether it still is.
  if (clockAhead * 1e6 > COUNTER_WINDOW) {
    return `${recorded} (this machine's clock is ${difference} ahead of the server's: one of the two is wrong)`;
  }
  if (clockAhead * 1e6 < -COUNTER_WINDOW) {
    return `${recorded} (the server counts ${difference} ahead of this machine's clock: one of the two clocks is wrong, or was)`;
  }
  return `${recorded} (verified: new or changed)`;
}

/** One error for all failures. Its exit code is 6 if any server did not acknowledge, otherwise 5. */
function cannotPing(failures: readonly Failure[], port: number): UserError {
  const [first, ...others] = failures;
  const rest = others.map(({ host, words }) => `; "${host}": ${words}`).join("");
  return cannot("ping", first!.host, first!.words + rest, optionsOf(failures, port, "ping"));
}
