/** The HTTP part of `dynip serve`, where the configuration has `[http]`. */
import type { HttpConfig } from "../config/config.ts";
import { isLoopback } from "../protocol/address.ts";
import type { HttpParts, HttpServer } from "../server/http.ts";
import type { Log } from "../system/log.ts";
import { cannotListen } from "./bind-error.ts";

/**
 * Listens for HTTP. Nothing of it is loaded before.
 * @throws UserError (exit code 8) when the port cannot be bound
 */
export async function startHttp(
  { ip, port }: HttpConfig,
  parts: Omit<HttpParts, "ip" | "port" | "log">,
  log: Log,
): Promise<HttpServer> {
  const { listenHttp } = await import("../server/http.ts");
  try {
    const server = listenHttp({ ...parts, ip, port, log });
    log.log(`listening on TCP port ${server.port}, ${server.address}, for HTTP`);
    if (!isLoopback(server.address)) {
      log.warn(
        `passwords can be read on their way to ${server.address}: it has HTTP without encryption`,
        'put Caddy or nginx with HTTPS in front of it, and set ip = "127.0.0.1" in [http]',
      );
    }
    return server;
  } catch (error) {
    const keys = { address: "ip in [http]", port: "port in [http]", everywhere: "::" };
    throw cannotListen({ protocol: "TCP", address: ip, port, keys }, error);
  }
}
