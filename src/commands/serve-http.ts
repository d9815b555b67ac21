/** The HTTP part of `dynip serve`, where the configuration has `[http]`. */
import type { HttpConfig } from "../config/config.ts";
import { isLoopback } from "../protocol/address.ts";
import type { History } from "../server/history.ts";
import type { HttpParts, HttpServer } from "../server/http.ts";
import { isSilent, lastSeenOf, type SilentAfter } from "../server/watch.ts";
import type { Log } from "../system/log.ts";
import { cannotListen } from "./bind-error.ts";
import type { ServerParts } from "./server-parts.ts";

/** What the requests are answered from. */
export interface WebParts {
  server: ServerParts;
  history: History | undefined;
  /** The path of the client log. */
  clientLog: string;
  /** Since when the server has listened without a gap: milliseconds since 1970, UTC. */
  listeningSince: () => number;
  silentAfter: SilentAfter;
}

/**
 * Listens for HTTP. Nothing of it is loaded before.
 * @throws UserError (exit code 8) when the port cannot be bound
 */
export async function startHttp(
  { ip, port }: HttpConfig,
  parts: WebParts,
  log: Log,
): Promise<HttpServer> {
  const { listenHttp } = await import("../server/http.ts");
  const { server, history, clientLog } = parts;
  try {
    const web = listenHttp({
      ...server,
      ip,
      port,
      keyOf: server.signing!.keyOf, // [http] without a secret is refused at the start
      clientLog: () => Bun.file(clientLog),
      isSilent: silenceOf(parts),
      lastMoves: (name) => history?.lastMoves(name) ?? [],
      log,
    });
    log.log(`listening on TCP port ${web.port}, ${web.address}, for HTTP`);
    if (!isLoopback(web.address)) {
      log.warn(
        `passwords can be read on their way to ${web.address}: it has HTTP without encryption`,
        'put Caddy or nginx with HTTPS in front of it, and set ip = "127.0.0.1" in [http]',
      );
    }
    return web;
  } catch (error) {
    const keys = { address: "ip in [http]", port: "port in [http]", everywhere: "::" };
    const reason = errorOfListening(ip, port) ?? error;
    throw cannotListen({ protocol: "TCP", address: ip, port, keys }, reason);
  }
}

/**
 * The system's error when it is asked to listen there, undefined if it has none. On Windows, `Bun.serve`
 * of Bun 1.4.5 says EADDRINUSE whatever the error is; `Bun.listen` says which one it is.
 */
function errorOfListening(hostname: string, port: number): unknown {
  try {
    Bun.listen({ hostname, port, socket: { data() {} } }).stop();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Whether a host is silent, as the page shows it: see {@link isSilent}. */
function silenceOf({ server, listeningSince, silentAfter }: WebParts): HttpParts["isSilent"] {
  let newest = 0;
  for (const [, host] of server.hosts) newest = Math.max(newest, lastSeenOf(host));
  const heardUntil = Math.min(newest, listeningSince()); // the clock may have been set back
  return (name, host, time) => {
    const now = { time, listeningSince: listeningSince(), heardUntil };
    return isSilent(silentAfter, [name, host], now);
  };
}
