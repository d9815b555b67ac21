/** Why a server acknowledged or answered nothing, as the user is told. */
import { NoAddressError, ResolverSilentError } from "../client/client.ts";
import type { Evidence, Silence } from "../client/evidence.ts";
import { NoAcknowledgementError } from "../client/exchange.ts";
import { isResolverError } from "../client/resolve.ts";
import type { Family } from "../protocol/address.ts";
import { EXIT, errorCode, reasonOf, type UserErrorOptions } from "../system/errors.ts";

/** A ping or a question that failed. */
export interface Failure {
  host: string;
  error: Error;
  /** Why, in words. */
  words: string;
  /** Of one that was sent and met silence. */
  silence: Silence | undefined;
}

/**
 * Says why a ping or a question failed.
 * @param family undefined where it could go over both
 */
export function failureOf(
  host: string,
  { error, family }: { error: Error; family?: Family },
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

/**
 * The exit code, hint and cause of an error about failures: 6 if any server was silent, otherwise 5.
 * @param failures at least one
 * @param what was sent
 */
export function optionsOf(
  failures: readonly Failure[],
  port: number,
  what: "ping" | "question",
): UserErrorOptions {
  const silent = failures.find(({ silence }) => silence !== undefined);
  const { error } = silent ?? failures[0]!;
  return {
    exitCode: silent ? EXIT.noAcknowledgement : EXIT.notSent,
    hint: silent?.silence ? SILENCE_HINTS[silent.silence](port, what) : hintFor(error),
    cause: error,
  };
}

/** Servers that are too old for what was sent. */
const TOO_OLD = {
  ping: "DynIP 0.1e acknowledges nothing",
  question: "A server older than 0.3.0 answers no questions",
};

/** What to look at. */
const SILENCE_HINTS: Readonly<
  Record<Silence, (port: number, what: keyof typeof TOO_OLD) => string>
> = {
  nothing: (port, what) =>
    'see the server\'s log, with systemd "journalctl -u dynip": "wrong MAC" means another secret or an older ' +
    `key; no line about this ${what} means that a firewall, a security group or a wrong port stops UDP port ${port}. ${TOO_OLD[what]}`,
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
