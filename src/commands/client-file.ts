/** The configuration of one client, which `dynip init` writes. */
import { hostname } from "node:os";

import { parseConfig } from "../config/config.ts";
import { loadConfig } from "../config/find.ts";
import { HOST_RULE, isHost, SIGNED_NAME_RULE, suggestName } from "../config/keys.ts";
import type { OldSettings } from "../config/old-conf.ts";
import { findSecret } from "../config/secrets.ts";
import { clientConfigText } from "../config/template.ts";
import { httpPassword } from "../protocol/http-password.ts";
import { deriveKey, encodeKey, isSignedName } from "../protocol/message.ts";
import { clientNextSteps, plainClientNextSteps } from "../schedule/next-steps.ts";
import { cannot, EXIT, usageError } from "../system/errors.ts";
import { createLog } from "../system/log.ts";
import { cannotWrite, type NewFile } from "./config-file.ts";
import { thisMachine } from "./print.ts";

/**
 * The name of a client as its pings will have it: in lower case.
 * @throws UserError (exit code 1) if it cannot be signed
 */
export function clientName(given: string): string {
  const name = given.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (isSignedName(name)) return name;
  const suggestion = suggestName(given);
  throw usageError(
    `Wrong usage: --name is "${given}", must be ${SIGNED_NAME_RULE}`,
    suggestion && `call it "${suggestion}"`,
  );
}

/**
 * A configuration with the key that is derived for a client's name from the server's secret.
 * @param path where it will be written
 * @param from the server's configuration; otherwise the one that the other commands would find
 * @param server the server's host name or IP address; otherwise the server_hostname of `from`
 * @throws UserError if the server's configuration has no secret (exit code 3), or `server` is missing or no
 *   host (1)
 */
export async function newClientConfig(
  path: string,
  name: string,
  from: string | undefined,
  server: string | undefined,
): Promise<NewFile> {
  if (server !== undefined && !isHost(server)) {
    throw usageError(`Wrong usage: --server is "${server}", must be ${HOST_RULE}`);
  }
  const { path: source, config } = await loadConfig(from);
  if (source === path) throw cannotWrite(path, "it is the server's configuration");
  const log = createLog({ level: "warn" });
  const secret = await findSecret("secret", config.secret, { env: process.env, log });
  if (!secret) {
    throw cannot(`make a key for ${name}`, undefined, `config "${source}" has no secret`, {
      exitCode: EXIT.config,
      hint: "name the server's configuration with --from: it has the secret",
    });
  }
  const hosts = server === undefined ? hostsFor(config.client.server_hostname) : [server];
  const generation = config.server.generations.get(name) ?? 1;
  const key = deriveKey(secret, name, generation);
  const text = clientConfigText(
    {
      client_name: name,
      key: encodeKey(key),
      server_hostname: hosts.length === 1 ? hosts[0] : hosts,
      server_port: config.server.server_port,
      family: config.client.family,
    },
    { url: updateUrl(hosts[0]!), password: httpPassword(key) },
  );
  parseConfig(text, path);
  const { platform } = thisMachine;
  const next = clientNextSteps({ name, path, host: hosts[0]!, generation, platform, ...login() });
  return { text, next: `\n${next}` };
}

/**
 * A configuration for a machine that is a client of DynIP 0.1e: its pings are plain until it has a key.
 * @param path where it will be written
 * @param from the file of 0.1e, for messages
 */
export function newPlainClientConfig(path: string, from: string, settings: OldSettings): NewFile {
  const text = clientConfigText({ server_hostname: "localhost", ...settings });
  const [host] = parseConfig(text, from).client.server_hostname.filter(isElsewhere);
  const name = suggestName(hostname());
  const start = { machine: thisMachine, binary: process.execPath, config: path };
  return { text, next: `\n${plainClientNextSteps({ ...start, name, host })}` };
}

/** Where a router reports by dyndns2. HTTPS, since a reverse proxy stands in front of the server. */
function updateUrl(host: string): string {
  return `https://${host.includes(":") ? `[${host}]` : host}/nic/update`;
}

/** Whether a client on another machine may have this server_hostname. */
export function isElsewhere(host: string): boolean {
  return !["localhost", "127.0.0.1", "::1"].includes(host);
}

/** The servers that a client pings where the server's own configuration names them. */
function hostsFor(hosts: readonly string[]): readonly string[] {
  if (hosts.some(isElsewhere)) return hosts;
  throw usageError(
    "Wrong usage: --server is missing",
    "give the server's host name or IP address, for the client to ping",
  );
}

/**
 * Who fetches the new file from this machine.
 * @returns `isOwner` is false if the file belongs to root, because the user runs dynip by sudo
 */
function login(): { user: string | undefined; isOwner: boolean } {
  const { SUDO_USER: sudoer, USER, LOGNAME } = process.env;
  const isSudo = process.getuid?.() === 0 && sudoer !== undefined && sudoer !== "root";
  return isSudo ? { user: sudoer, isOwner: false } : { user: USER || LOGNAME, isOwner: true };
}
