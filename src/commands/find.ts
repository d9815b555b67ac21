/**
 * `dynip ping --find`: asks the servers where a host is and prints its address. stdout gets the address
 * and nothing else, so that `ssh "$(dynip ping --find nas)"` works; all else goes to stderr.
 */
import type { Identity } from "../client/client.ts";
import { askServers, type FindParts, type Found, freshest, type Request } from "../client/find.ts";
import { type Say, watch } from "../client/watch.ts";
import type { ClientConfig } from "../config/config.ts";
import { describeAge } from "../config/duration.ts";
import type { LoadedConfig } from "../config/find.ts";
import { type Keys, warnIfReadable } from "../config/secrets.ts";
import { type Answer, deriveKey, type Place } from "../protocol/message.ts";
import { cannot, EXIT, type UserError } from "../system/errors.ts";
import type { Log } from "../system/log.ts";
import { type Failure, failureOf, optionsOf } from "./failure.ts";
import { writeOut } from "./run.ts";

export interface FindOptions {
  /** Milliseconds; undefined for any age. */
  maxAge: number | undefined;
  /** Milliseconds after which to give up; Infinity for the schedule's own. */
  timeout: number;
  loaded: LoadedConfig;
  keys: Keys;
  /** Who asks where there is no secret; undefined without a key of its own. */
  own: Identity | undefined;
  log: Log;
  say: Say;
  parts: Omit<FindParts, "observerOf">;
}

/**
 * Asks for a host, and prints its address, with `family = "both"` a line for each family.
 * @param name a signed name
 * @throws UserError: it is unknown (exit code 7), its address is too old (9), no server answered (6),
 *   the question could not be sent (5), there is neither a secret nor a key (3)
 */
export async function find(name: string, options: FindOptions): Promise<void> {
  const { maxAge, loaded, log } = options;
  const { server_port: port, family } = loaded.config.client;
  const request = requestFor(name, options);
  if (loaded.config.client.key || loaded.config.secret) await warnIfReadable(loaded.path, log);
  const { answers, failures } = await ask(request, options);
  if (answers.length === 0) throw noAnswer(name, failures, port);
  for (const failure of failures) log.log(describe(failure));
  const found = freshest(answers);
  const known = placesOf(found, family);
  if (known.length === 0) throw unknown(request, found);
  const fresh = known.filter(({ age }) => age * 1000 <= (maxAge ?? Number.POSITIVE_INFINITY));
  if (fresh.length === 0) throw stale(name, known.sort((one, other) => one.age - other.age)[0]!);
  const printed = family === "both" ? fresh : fresh.slice(0, 1);
  if (!found.isSigned) {
    log.warn(`only plain pings say where ${name} is, and anyone can forge one`);
  }
  for (const place of printed) log.log(`${name}: ${describePlace(place)}`);
  await writeOut(printed.map(({ address }) => `${address}\n`).join(""));
}

/** Asks all servers, and says meanwhile what it waits for. */
async function ask(
  request: Request,
  { timeout, loaded, say, parts }: FindOptions,
): Promise<{ answers: Answer[]; failures: Failure[] }> {
  const { server_hostname: hostnames, server_port: port, family } = loaded.config.client;
  const watches = new Map(
    hostnames.map((hostname) => [hostname, watch({ hostname, port }, timeout, parts, say)]),
  );
  const observerOf = (hostname: string) => watches.get(hostname)!.observe;
  const servers = { hostnames, port, family };
  const results = await askServers(request, servers, timeout, { ...parts, observerOf });
  for (const { end } of watches.values()) end();
  return {
    answers: results.flatMap((result) => (result.kind === "answered" ? [result.answer] : [])),
    failures: results.flatMap((result) =>
      result.kind === "answered"
        ? []
        : [failureOf(result.hostname, result, watches.get(result.hostname)!.evidence)],
    ),
  };
}

/**
 * Who asks: with the secret the name itself, which may always know of itself.
 * @throws UserError (exit code 3) without secret and key
 */
function requestFor(name: string, { keys: { secret }, own, loaded }: FindOptions): Request {
  const { path, config } = loaded;
  if (secret) {
    const generation = config.server.generations.get(name) ?? 1;
    return { name, asker: name, key: deriveKey(secret, name, generation) };
  }
  if (own?.key) return { name, asker: own.name, key: own.key };
  throw cannot("find", name, `config "${path}" has neither a key nor a secret to ask with`, {
    exitCode: EXIT.config,
    hint: "dynip init --name NAME, on the server, makes a file with a key",
  });
}

/** What is known of a host in the families that are asked for, in order of preference. */
function placesOf({ ipv4, ipv6 }: Found, family: ClientConfig["family"]): Place[] {
  const places = [family === "ipv6" ? undefined : ipv4, family === "ipv4" ? undefined : ipv6];
  return places.filter((place) => place !== undefined);
}

function describePlace({ address, age, stay }: Place): string {
  return `${address}, seen ${describeAge(age)} ago, there for ${describeAge(stay)}`;
}

function unknown({ name, asker }: Request, { ipv4, ipv6 }: Found): UserError {
  const other = ipv4 ? "IPv4" : ipv6 ? "IPv6" : undefined;
  if (other !== undefined) {
    return cannot("find", name, `it is known by an ${other} address alone`, {
      exitCode: EXIT.unknown,
      hint: "change family in [client]",
    });
  }
  if (asker === name) {
    return cannot("find", name, "the server does not know it", {
      exitCode: EXIT.unknown,
      hint: "has it ever pinged that server, under this name?",
    });
  }
  return cannot("find", name, `the server does not know it, or does not tell ${asker}`, {
    exitCode: EXIT.unknown,
    hint: `${asker} may ask for others if readers in [server] of the server's configuration names it`,
  });
}

function stale(name: string, { address, age }: Place): UserError {
  return cannot("find", name, `it was last seen ${describeAge(age)} ago, at ${address}`, {
    exitCode: EXIT.stale,
    hint: "--max-age takes no address that is so old",
  });
}

/** No server has answered. */
function noAnswer(name: string, failures: readonly Failure[], port: number): UserError {
  const words = failures.map(describe).join("; ");
  return cannot("find", name, words, optionsOf(failures, port, "question"));
}

function describe({ host, words }: Failure): string {
  return `"${host}": ${words}`;
}
