/**
 * The HTTP door: takes requests over TCP, checks the password that each must have, and hands them to
 * http-routes.ts. It is loaded only where the configuration has `[http]`.
 *
 * What Bun 1.4.5 answers by itself, without our headers: 400 to what is no HTTP, 413 to a body over
 * `maxRequestBodySize`, 431 to headers that are too large or too many.
 */
import { canonicalAddress } from "../protocol/address.ts";
import { isHttpPassword } from "../protocol/http-password.ts";
import type { Log } from "../system/log.ts";
import type { Announcer } from "./announce.ts";
import { parseCredentials, parseTarget, sourceOf, type Target } from "./http-request.ts";
import { type Answer, Routes, type RouteParts, UPDATE_PATH } from "./http-routes.ts";
import { STYLE_HASH } from "./page.ts";

export interface HttpParts extends RouteParts {
  /** An IP address of this machine. */
  ip: string;
  /** 0 to 65535; 0 lets the system choose. */
  port: number;
  /** The key of a signed name. */
  keyOf: (name: string) => Uint8Array;
  announcer: Pick<Announcer, "loginFailed" | "reportedNowhere">;
  log: Pick<Log, "error">;
}

/** What listens for requests. */
export interface HttpServer {
  /** The address it is bound to, canonical. */
  readonly address: string;
  readonly port: number;
  /** How many requests have come so far. */
  readonly requests: number;
  /**
   * Records nothing more from now on, and closes every connection: an idle one at once, any other when its
   * request is answered, at the latest after a second.
   */
  stop(): Promise<void>;
}

/**
 * Listens for requests.
 * @throws the system's error when the port cannot be bound
 */
export function listenHttp(parts: HttpParts): HttpServer {
  const { ip, port, log } = parts;
  const routes = new Routes(parts);
  let requests = 0;
  const server = Bun.serve({
    hostname: ip,
    port,
    development: false,
    // With `development: false`, Bun sets SO_REUSEPORT: two servers would share the port unnoticed.
    reusePort: false,
    idleTimeout: IDLE_SECONDS,
    maxRequestBodySize: MAX_BODY_BYTES,
    async fetch(request, listening): Promise<Response> {
      requests++;
      const peer = listening.requestIP(request)?.address ?? "";
      return respond(await answer(request, peer, routes, parts));
    },
    error(error) {
      log.error(`This is a bug in dynip: ${error.message}`);
      return respond({ status: 500, body: "internal error\n" });
    },
  });
  return {
    address: canonicalAddress(ip) ?? ip,
    port: server.port!,
    get requests() {
      return requests;
    },
    async stop() {
      routes.stop();
      const closed = server.stop();
      const timer = setTimeout(() => void server.stop(true), STOP_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Bun closes a silent connection after 8 to 14 seconds. */
const IDLE_SECONDS = 5;
const MAX_BODY_BYTES = 1024;
/** The server has to end within 2 seconds. */
const STOP_MS = 1000;

async function answer(
  request: Request,
  peer: string,
  routes: Routes,
  { keyOf, announcer }: HttpParts,
): Promise<Answer> {
  const { headers, method } = request;
  const target = parseTarget(request.url);
  const source = sourceOf(peer, headers.get("x-forwarded-for"));
  const authorization = headers.get("authorization");
  // No header is no failed login: curl --anyauth and wget ask first without one.
  if (authorization === null) return refusal(target);
  const { name, shownName, password } = parseCredentials(authorization);
  if (name === undefined || !isHttpPassword(password, keyOf(name))) {
    announcer.loginFailed(shownName, source);
    return refusal(target);
  }
  // Bun does not read the body of a GET, and so does not limit it.
  if (Number(headers.get("content-length") ?? 0) > MAX_BODY_BYTES) {
    return { status: 413, body: "too large\n" };
  }
  const body = () => request.text().catch(() => undefined);
  return await routes.answer({ user: name, target, method, headers, source, body });
}

function refusal({ path }: Target): Answer {
  const body =
    path === UPDATE_PATH ? "badauth" : "The name of a machine and its HTTP password are needed.\n";
  return { status: 401, body, headers: { "WWW-Authenticate": 'Basic realm="dynip"' } };
}

function respond({ status, body, headers }: Answer): Response {
  return new Response(body, { status, headers: { ...HEADERS, ...headers } });
}

/** No script, no frame, nothing from elsewhere, nothing kept, and no other site may read it. */
const HEADERS: Readonly<Record<string, string>> = {
  "Content-Type": "text/plain; charset=utf-8",
  "Content-Security-Policy": `default-src 'none'; style-src ${STYLE_HASH}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-store",
};
