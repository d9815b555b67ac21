/** Starts the compiled `dynip serve` on loopback, with hosts in its log. */
import { copyFile } from "node:fs/promises";

import { encodeKey } from "../../src/protocol/message.ts";
import { BINARY, newSetup } from "../e2e/dynip.ts";
import type { ClientLogs, Kind } from "./client-logs.ts";
import { type RunningServer, startServer } from "./processes.ts";
import { SECRET } from "./programs/hosts.ts";

export interface DynipServer extends RunningServer {
  readonly logPath: string;
}

/**
 * Starts `dynip serve` in a temporary folder and waits until it listens.
 * @param hosts the number of hosts in its log
 * @param more lines of the configuration, behind those of `[server]`, for a server at this UDP port
 */
export async function startDynip(
  clientLogs: ClientLogs,
  kind: Kind,
  hosts: number,
  env: Record<string, string> = {},
  more?: (port: number) => string,
): Promise<DynipServer> {
  const secret = kind === "signed" ? encodeKey(SECRET) : undefined;
  const setup = await newSetup({ server: SERVER, secret });
  try {
    if (more) {
      const text = await Bun.file(setup.config).text();
      await Bun.write(setup.config, text.replace(SERVER, `${SERVER}\n${more(setup.port)}`));
    }
    if (hosts > 0) await copyFile(await clientLogs.path(kind, hosts), setup.logPath);
    const server = await startServer([BINARY, "serve", setup.config], env);
    return {
      ...server,
      logPath: setup.logPath,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        await setup[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await setup[Symbol.asyncDispose]();
    throw error;
  }
}

/** One IPv4 address, so that IPv4 is measured, and room for all hosts of any measure. */
const SERVER = `server_ip = "127.0.0.1"
max_clients = 2000000`;
