/** A compiled server with `[http]`, and clients that speak HTTP to it byte by byte. */
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { appendFile, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";

import { freePort } from "../temporary.ts";
import { WAIT_MS, within } from "../waiting.ts";
import { newSignedSetup, type RunOptions, serve } from "./dynip.ts";
import { keyOf } from "./wire.ts";

/** The HTTP password of a name, by the specification and not by the code under test. */
export function passwordOf(name: string, generation = 1): string {
  const mac = createHmac("sha256", keyOf(name, generation)).update("dynip/1 http").digest();
  return mac.subarray(0, 16).toString("base64url");
}

/** The value of Authorization. */
export function basic(user: string, password = passwordOf(user)): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

export interface WebOptions extends RunOptions {
  /** More lines of `[server]`. */
  server?: string;
  /** Lines of `[http]` beside its port. */
  http?: string;
  /** The client log at the start. */
  log?: string;
  /** Options of `dynip serve`. */
  args?: string[];
}

/** Starts a server that knows `phone` as a reader. */
export async function newWeb({ server = "", http = "", log, args = [], ...run }: WebOptions = {}) {
  const setup = await newSignedSetup({ server: `readers = ["phone"]\n${server}` });
  const webPort = await freeTcpPort();
  await appendFile(setup.config, `[http]\nport = ${webPort}\n${http}\n`);
  if (log !== undefined) await writeFile(setup.logPath, log);
  const running = await serve([...args, setup.config], run);
  return {
    ...setup,
    server: running,
    webPort,
    url: `http://127.0.0.1:${webPort}`,
    /** Requests a path with the password of a user; without one where that is undefined. */
    get: (path: string, user?: string, init: RequestInit = {}): Promise<Response> =>
      fetch(`http://127.0.0.1:${webPort}${path}`, {
        redirect: "manual",
        ...init,
        headers: { ...(user !== undefined && { Authorization: basic(user) }), ...init.headers },
      }),
    /** Sends bytes over a connection of their own, and resolves to what comes back. */
    send: (bytes: string | Uint8Array, isWhole?: (text: string) => boolean): Promise<Exchange> =>
      exchange(webPort, bytes, isWhole),
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      await setup[Symbol.asyncDispose]();
    },
  };
}

/** What came back over a connection. */
export interface Exchange {
  readonly text: string;
  /** Whether the server has closed the connection. */
  readonly isClosed: boolean;
}

/**
 * Sends bytes and waits for a whole response, or until the server closes the connection.
 * @param isWhole whether a text is all that is waited for; by default one response with its body
 */
export async function exchange(
  port: number,
  bytes: string | Uint8Array,
  isWhole: (text: string) => boolean = hasResponse,
): Promise<Exchange> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  let isClosed = false;
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on("data", (data) => {
    text += data.toString("latin1");
    if (isWhole(text)) resolve();
  });
  const close = (): void => {
    isClosed = true;
    resolve();
  };
  socket.on("close", close);
  socket.on("error", close);
  try {
    await once(socket, "connect");
    socket.write(bytes);
    await within(WAIT_MS, `a response to ${JSON.stringify(bytes).slice(0, 100)}`, promise);
    return { text, isClosed };
  } finally {
    socket.destroy();
  }
}

/** A request line and headers as bytes, with the password of a user. */
export function request(line: string, headers: Record<string, string> = {}, body = ""): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line}\r\n${lines.join("")}\r\n${body}`;
}

/** The status and the body of a response. */
export function parseResponse(text: string): { status: number; head: string; body: string } {
  const end = text.indexOf("\r\n\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? Number.NaN);
  return { status, head: text.slice(0, end), body: text.slice(end + 4) };
}

function hasResponse(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? Number.NaN);
  return end !== -1 && text.length >= end + 4 + length;
}

/** A port that is free for UDP and TCP. */
async function freeTcpPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await Promise.race([
      once(server, "listening").then(() => true),
      once(server, "error").then(() => false),
    ]);
    server.close();
    if (isFree) return port;
  }
}
