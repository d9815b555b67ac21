/** Temporary folders and UDP sockets for tests. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { errorCode } from "../src/system/errors.ts";

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

/** Opens a UDP socket on a free port of loopback, which keeps what it receives. */
export async function receiver(address = "127.0.0.1"): Promise<{
  readonly port: number;
  /** The next datagram; rejects when none comes within 5 seconds. */
  next(): Promise<Buffer>;
  /** The datagrams that `next` has not returned yet. */
  readonly pending: Buffer[];
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  const pending: Buffer[] = [];
  socket.on("message", (datagram) => pending.push(datagram));
  socket.bind(0, address);
  await once(socket, "listening");
  return {
    port: socket.address().port,
    pending,
    async next() {
      if (pending.length === 0)
        await once(socket, "message", { signal: AbortSignal.timeout(5000) });
      return pending.shift()!;
    },
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}

/** A UDP port that is free on IPv4 and IPv6. */
export async function freePort(): Promise<number> {
  await using socket = await receiver((await hasIPv6()) ? "::" : "0.0.0.0");
  return socket.port;
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
