/** `dynip ping`: sends this machine's name to each server, which records the address it came from. */
import { defineCommand } from "citty";

import {
  type Identity,
  NoAddressError,
  type PingResult,
  ResolverSilentError,
} from "../client/client.ts";
import type { Evidence, Silence } from "../client/evidence.ts";
import { isResolverError, resolve } from "../client/resolve.ts";
import { watchPing } from "../client/watch.ts";
import { isCommonName } from "../config/common-names.ts";
import { type LoadedConfig, loadConfig } from "../config/find.ts";
import { SIGNED_NAME_RULE } from "../config/keys.ts";
import { describeDuration, parseDuration } from "../config/duration.ts";
import { cannot, EXIT, errorCode, reasonOf, usageError, type UserError } from "../system/errors.ts";
import { type Acknowledgement, NoAcknowledgementError } from "../client/exchange.ts";
import { createLog, isTerminal, type Log } from "../system/log.ts";
import { holdsKey } from "../system/redact.ts";
import { deriveKey, isPlainName, isSignedName } from "../protocol/message.ts";
import { COUNTER_WINDOW } from "../server/registry.ts";
import { findSecret, warnIfReadable } from "../config/secrets.ts";
import { connect } from "../system/udp.ts";
import { CONFIG_ARG, LOG_ARGS, logLevel } from "./definition.ts";

export default defineCommand({
  meta: {
    name: "ping",
    description: "Tell the server this machine's name and address, once",
    exits: ["ok", "usage", "config", "serverHostname", "notSent", "noAcknowledgement"],
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
    ...LOG_ARGS,
  },
  async run({ args }) {
    const timeout = duration("timeout", args.timeout) ?? Number.POSITIVE_INFINITY;
    if (timeout === 0) {
      throw usageError(`Option "--timeout" is "${args.timeout}", must be more than 0`);
    }
    const jitter = duration("jitter", args.jitter) ?? 0;
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
    const identity = await identify(loaded, log);
    if (jitter > 0) await Bun.sleep(Math.random() * jitter);

    const parts = { resolve, connect, now: Date.now, monotonic, sleep, nonce };
    const say = {
      waiting: log.shown === "warn" ? undefined : log.log,
      event: log.shown === "debug" ? log.debug : undefined,
    };
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
 * either the ping is plain. The environment overrides the file.
 * @throws UserError (exit code 3) if the name cannot be sent, or a key cannot be read
 */
async function identify({ path, config }: LoadedConfig, log: Log): Promise<Identity> {
  const { client, server } = config;
  const where = { env: process.env, log };
  const keyOfEnvironment = await findSecret("key", undefined, where);
  const secretOfEnvironment = await findSecret("secret", undefined, where);
  // A secret in the environment overrides a key in the file, too.
  const isFromFile = !keyOfEnvironment && !secretOfEnvironment;
  const ownKey = isFromFile ? client.key : keyOfEnvironment;
  const secret = isFromFile ? config.secret : secretOfEnvironment;
  const given = client.client_name ?? (await ownHostname(path, log));
  refuseKey("client_name", given, path);
  if (!ownKey && !secret) {
    if (isPlainName(given)) return { name: given, key: undefined };
    throw badName(path, given, "which cannot be sent as a name");
  }
  const name = given.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (!isSignedName(name)) {
    throw badName(path, given, `which cannot be signed: it must be ${SIGNED_NAME_RULE}`);
  }
  return { name, key: ownKey ?? deriveKey(secret!, name, server.generations.get(name) ?? 1) };
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
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
const nonce = (): string => crypto.getRandomValues(new Uint8Array(8)).toHex();

/**
 * Reads the value of an option that takes a time.
 * @returns milliseconds; undefined if the option is not given
 */
function duration(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined && milliseconds <= LONGEST_TIMER_MS) return milliseconds;
  throw usageError(`Option "--${option}" is "${text}", must be a time like 30s or 2m`);
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

/** A ping that failed. */
interface Failure {
  host: string;
  error: Error;
  /** Why, in words. */
  words: string;
  /** Of a ping that was sent and not acknowledged. */
  silence: Silence | undefined;
}

function failureOf(
  host: string,
  { error, family }: Extract<PingResult, { kind: "failed" }>,
  evidence: Evidence,
): Failure {
  const which = family === undefined ? "" : family === "ipv4" ? "IPv4: " : "IPv6: ";
  if (error instanceof NoAcknowledgementError) {
    const { kind, words } = evidence.silence(family ? [family] : ["ipv4", "ipv6"]);
    return { host, error, words: which + words, silence: kind };
  }
  let words = reasonOf(error);
  if (error instanceof ResolverSilentError) words = "the resolver did not answer in time";
  else if (isResolverError(error)) words = "its name cannot be resolved";
  return { host, error, words: which + words, silence: undefined };
}

/** One error for all failures. Its exit code is 6 if any server did not acknowledge, otherwise 5. */
function cannotPing(failures: readonly Failure[], port: number): UserError {
  const silent = failures.find(({ silence }) => silence !== undefined);
  const [first, ...others] = failures;
  const rest = others.map(({ host, words }) => `; "${host}": ${words}`).join("");
  return cannot("ping", first!.host, first!.words + rest, {
    exitCode: silent ? EXIT.noAcknowledgement : EXIT.notSent,
    hint: silent?.silence ? SILENCE_HINTS[silent.silence](port) : hintFor(first!.error),
    cause: (silent ?? first!).error,
  });
}

/** What to look at. */
const SILENCE_HINTS: Readonly<Record<Silence, (port: number) => string>> = {
  nothing: (port) =>
    'see the server\'s log, with systemd "journalctl -u dynip": "wrong MAC" means another secret or an older ' +
    `key; no line about this ping means that a firewall, a security group or a wrong port stops UDP port ${port}. ` +
    "DynIP 0.1e acknowledges nothing",
  refused: (port) =>
    `is dynip serve running there, and is its server_port ${port}? A firewall that rejects says the same`,
  unreachable: () => "is the server up, and server_hostname right? A firewall may say this, too",
  unsigned: (port) =>
    `does another program answer on UDP port ${port}? Anyone can forge such datagrams`,
  challenges: () =>
    'see the server\'s log, with systemd "journalctl -u dynip": it acknowledges only what it could write to disk',
};

function hintFor(error: Error): string | undefined {
  if (isResolverError(error)) return "is server_hostname right, and the network up?";
  if (error instanceof NoAddressError) return "change family in [client], or server_hostname";
  return NETWORK_ERRORS.includes(errorCode(error) ?? "") ? "is the network up?" : undefined;
}

const NETWORK_ERRORS: readonly string[] = ["EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"];
