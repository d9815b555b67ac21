/** Temporary folders and UDP sockets for tests. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { errorCode } from "../src/system/errors.ts";
import { eventually } from "./waiting.ts";

export interface TemporaryFolder {
  readonly path: string;
  /** The path of a file in the folder. */
  file(name: string): string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Makes a folder, which is removed at the end of the scope. */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), "dynip test-")); // a space, as Windows paths have
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/**
 * Opens a UDP socket, by default on a free port of loopback, which keeps what it receives.
 * @throws the system's error: EADDRINUSE, EACCES
 */
export async function receiver(
  address = "127.0.0.1",
  port = 0,
): Promise<{
  readonly port: number;
  /** The next datagram; rejects when none comes for too long. */
  next(): Promise<Buffer>;
  /** The datagrams that `next` has not returned yet. */
  readonly pending: Buffer[];
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  const pending: Buffer[] = [];
  socket.on("message", (datagram) => pending.push(datagram));
  socket.bind(port, address);
  await once(socket, "listening");
  return {
    port: socket.address().port,
    pending,
    async next() {
      await eventually("a datagram", () => pending.length > 0);
      return pending.shift()!;
    },
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}

/** Below the ports that Linux, macOS and Windows give to sockets that ask for any port. */
const FIRST_PORT = 10_000;
const PORTS = 22_000;
const PORTS_OF_A_PROCESS = 128;
let tried = 0;

/**
 * A UDP port that is free on IPv4 and IPv6. It stays free until somebody binds it: no system gives
 * such a port away, and test runs at the same time take theirs from other parts of the range.
 */
export async function freePort(): Promise<number> {
  const address = (await hasIPv6()) ? "::" : "0.0.0.0";
  for (let attempt = 1; ; attempt++) {
    const index = process.pid * PORTS_OF_A_PROCESS + (tried++ % PORTS_OF_A_PROCESS);
    try {
      await using socket = await receiver(address, FIRST_PORT + (index % PORTS));
      return socket.port;
    } catch (error) {
      // Windows keeps some ranges for itself, and says EACCES.
      if (attempt === PORTS_OF_A_PROCESS || !["EADDRINUSE", "EACCES"].includes(errorCode(error)!))
        throw error;
    }
  }
}

/**
 * Sends datagrams to a port of this machine from one socket, in order. A closed port is no error: the
 * kernel reports it, if at all, for a later datagram.
 */
export async function sendDatagrams(
  datagrams: readonly (string | Uint8Array)[],
  port: number,
  address = "127.0.0.1",
): Promise<void> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("error", () => {});
  try {
    for (const datagram of datagrams) {
      await new Promise<void>((resolve, reject) =>
        socket.send(datagram, port, address, (error) =>
          !error || errorCode(error) === "ECONNREFUSED" ? resolve() : reject(error),
        ),
      );
    }
  } finally {
    socket.close();
  }
}

/** Whether IPv6 works on loopback here; tests that need it say so when they skip. */
export async function hasIPv6(): Promise<boolean> {
  const socket = createSocket("udp6");
  try {
    socket.bind(0, "::1");
    await once(socket, "listening");
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}
