/** `dynip ping`: tells the server this machine's name, and so its address. */
import { setTimeout } from "node:timers/promises";

import { defineCommand } from "citty";

import { type Identity, NoAddressError, type PingResult, pingServer } from "../client/client.ts";
import { isResolverError, resolver } from "../client/resolve.ts";
import { type LoadedConfig, loadConfig } from "../config/find.ts";
import { SIGNED_NAME_RULE } from "../config/keys.ts";
import { describeDuration, parseDuration } from "../config/duration.ts";
import { cannot, EXIT, errorCode, reasonOf, usageError, type UserError } from "../system/errors.ts";
import { type Acknowledgement, NoAcknowledgementError } from "../client/exchange.ts";
import { createLog, isTerminal, type Log } from "../system/log.ts";
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
      description: "Give up after so long, at the latest; else after 39.5 seconds of silence",
    },
    jitter: {
      type: "string",
      valueHint: "30s",
      description: "Wait a random time up to this first, so that not all machines ping at once",
    },
    ...LOG_ARGS,
  },
  async run({ args }) {
    const timeout = duration("timeout", args.timeout) ?? Number.POSITIVE_INFINITY;
    const jitter = duration("jitter", args.jitter) ?? 0;
    const [loaded, isPerson] = await Promise.all([loadConfig(args.config), isTerminal()]);
    // A line for a person; nothing for cron, which would mail it every five minutes.
    const log = createLog({ level: logLevel(args, isPerson ? "log" : "warn") });
    log.info(`configuration "${loaded.path}"`);
    const { server_hostname: hosts, server_port: port, family } = loaded.config.client;
    if (hosts.length === 0) {
      const problem = `config "${loaded.path}" has no server_hostname in [client]`;
      throw cannot("ping", undefined, problem, {
        exitCode: EXIT.serverHostname,
        hint: "set it to the server's host name or IP address",
      });
    }
    const identity = await identify(loaded, log);
    if (jitter > 0) await setTimeout(Math.random() * jitter);

    const results = await Promise.all(
      hosts.map(async (host) => {
        const resolve = resolver((name) => log.log(`"${name}" cannot be resolved; trying again`));
        const parts = { resolve, connect, now: Date.now, monotonic, sleep, nonce };
        return {
          host,
          results: await pingServer(identity, { hostname: host, port, family }, timeout, parts),
        };
      }),
    );
    for (const { host, results: ofHost } of results) report(log, identity.name, host, port, ofHost);
    const failures = results.flatMap(({ host, results: ofHost }) =>
      ofHost.flatMap((result) => (result.kind === "failed" ? [{ host, ...result }] : [])),
    );
    if (failures.length > 0) throw cannotPing(failures, port);
  },
});

/** Who this machine is to the server: with a key of its own, else with the secret, else plainly. */
async function identify({ path, config }: LoadedConfig, log: Log): Promise<Identity> {
  const { client, server } = config;
  // The environment overrides the file, whichever of the two it holds.
  const where = { env: process.env, log };
  const keyOfEnvironment = await findSecret("key", undefined, where);
  const secretOfEnvironment = await findSecret("secret", undefined, where);
  const isFromFile = !keyOfEnvironment && !secretOfEnvironment;
  const ownKey = isFromFile ? client.key : keyOfEnvironment;
  const secret = isFromFile ? config.secret : secretOfEnvironment;
  if (client.key || config.secret) await warnIfReadable(path, log);
  const given = client.client_name ?? (await import("node:os")).hostname();
  if (!ownKey && !secret) {
    if (isPlainName(given)) return { name: given, key: undefined };
    throw badName(path, given, "which is no name to send");
  }
  const name = given.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (!isSignedName(name)) {
    throw badName(path, given, `which cannot be signed: it must be ${SIGNED_NAME_RULE}`);
  }
  return { name, key: ownKey ?? deriveKey(secret!, name, server.generations.get(name) ?? 1) };
}

function badName(path: string, name: string, problem: string): UserError {
  return cannot("ping", undefined, `this machine's name is "${name}", ${problem}`, {
    exitCode: EXIT.config,
    hint: `set client_name in [client] of "${path}"`,
  });
}

const monotonic = (): number => performance.now();
const sleep = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  setTimeout(milliseconds, undefined, { signal }).catch(() => {});
const nonce = (): string => crypto.getRandomValues(new Uint8Array(8)).toHex();

function duration(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined && milliseconds <= LONGEST_TIMER_MS) return milliseconds;
  throw usageError(`Option "--${option}" is "${text}", must be a time like 30s or 2m`);
}

/** A timer takes 32 bits: 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Says what is known of the pings that one server got, in one line. */
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

/** The address that was recorded, and what is known of how it came to be. */
function describeAcknowledgement({ recorded, isChallenged, clockAhead }: Acknowledgement): string {
  if (!isChallenged) return `${recorded} (unchanged)`;
  // A clock so far off is a reason of its own to ask for proof: the address may be an old one.
  if (Math.abs(clockAhead) * 1e6 > COUNTER_WINDOW) {
    const difference = describeDuration(Math.abs(clockAhead));
    const side = clockAhead > 0 ? "ahead of" : "behind";
    return `${recorded} (this machine's clock is ${difference} ${side} what the server expects)`;
  }
  return `${recorded} (probably new or changed)`;
}

type Failure = { host: string } & Extract<PingResult, { kind: "failed" }>;

function cannotPing(failures: readonly Failure[], port: number): UserError {
  const isSilent = failures.some(({ error }) => error instanceof NoAcknowledgementError);
  const { error } = failures.find(
    (one) => !isSilent || one.error instanceof NoAcknowledgementError,
  )!;
  const [first, ...others] = failures;
  const rest = others.map((other) => `; "${other.host}": ${describeFailure(other)}`).join("");
  return cannot("ping", first!.host, describeFailure(first!) + rest, {
    exitCode: isSilent ? EXIT.noAcknowledgement : EXIT.notSent,
    hint: isSilent
      ? `is the server running, does UDP port ${port} pass its firewall, is the secret the same there? ` +
        "DynIP 0.1e acknowledges nothing"
      : hintFor(error),
    cause: error,
  });
}

function describeFailure({ error, family }: Failure): string {
  const which = family === undefined ? "" : family === "ipv4" ? "IPv4: " : "IPv6: ";
  const reason = isResolverError(error) ? "its name cannot be resolved" : reasonOf(error);
  return which + reason;
}

function hintFor(error: Error): string | undefined {
  if (isResolverError(error)) return "is server_hostname right, and the network up?";
  if (error instanceof NoAddressError) return "change family in [client], or server_hostname";
  return NETWORK_ERRORS.includes(errorCode(error) ?? "") ? "is the network up?" : undefined;
}

const NETWORK_ERRORS: readonly string[] = ["EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"];
