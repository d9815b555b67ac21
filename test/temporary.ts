/** Folders and ports of a test's own. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { errorCode } from "../src/system/errors.ts";

/** A new folder, removed with all that is in it at the end of the scope. */
export async function temporaryFolder(): Promise<{
  readonly path: string;
  file(name: string): string;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const path = await mkdtemp(join(tmpdir(), "dynip test-")); // a space, as Windows paths have
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** A UDP socket on a free port of loopback, which keeps what it receives. */
export async function receiver(address = "127.0.0.1"): Promise<{
  readonly port: number;
  /** The next datagram; rejects when none comes within 5 seconds. */
  next(): Promise<Buffer>;
  /** Datagrams that nobody has asked for yet. */
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

/** A UDP port that nothing uses, on IPv4 or IPv6. */
export async function freePort(): Promise<number> {
  await using socket = await receiver((await hasIPv6()) ? "::" : "0.0.0.0");
  return socket.port;
}

/**
 * Sends datagrams to a port of this machine from one socket, in order. Nobody there is no error, as
 * on any network: the kernel would report it for the datagram after.
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
