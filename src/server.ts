/** The server's loop: datagram -> message -> outcome -> client log. */
import { cutUtf8, decode, type DropReason } from "./protocol.ts";
import type { ClientLog } from "./client-log.ts";
import type { Log } from "./log.ts";
import type { Registry } from "./registry.ts";
import type { BindOptions, BoundSocket } from "./udp.ts";

/** What the loop is built from. */
export interface ServerParts {
  /** Binds the server's socket. */
  bind: (handlers: Pick<BindOptions, "onDatagram" | "onError">) => Promise<BoundSocket>;
  registry: Registry;
  clientLog: Pick<ClientLog, "changed">;
  log: Log;
  /** Milliseconds since 1970, UTC. */
  now: () => number;
  /** Aborted to stop the loop. */
  signal: AbortSignal;
}

/** How many datagrams ended in which way. */
export type Counters = Record<"accepted" | "full" | DropReason, number>;

/**
 * Listens until the signal is aborted, then closes the socket. Each datagram is handled whole
 * before the next, so that everything accepted is in the registry when this resolves. DynIP 0.1e:
 * `dynip.server.listen_loop`.
 * @throws the system's error when the socket cannot be bound
 */
export async function listenLoop({
  bind,
  registry,
  clientLog,
  log,
  now,
  signal,
}: ServerParts): Promise<Counters> {
  const counters: Counters = {
    accepted: 0,
    full: 0,
    empty: 0,
    signed: 0,
    "not UTF-8": 0,
    "not a name": 0,
  };

  const socket = await bind({
    onDatagram(datagram, address, port) {
      const message = decode(datagram);
      if (message.type === "dropped") {
        counters[message.reason]++;
        log.debug(
          `dropped ${datagram.length} bytes from ${address} port ${port}: ${message.reason}`,
        );
        return;
      }
      const { name } = message;
      const outcome = registry.recordPlain(name, address, now());
      if (outcome.kind === "full") {
        // A warning once: whoever makes up names makes up many.
        const warnOnce = counters.full++ === 0 ? log.warn : log.debug;
        warnOnce(
          `dropped the new name ${shortName(name)} from ${address}: as many as max_clients are known`,
          "raise max_clients in [server], or remove names from the client log while it is stopped",
        );
        return;
      }
      counters.accepted++;
      clientLog.changed();
      if (outcome.kind === "new") {
        log.log(`new host ${shortName(name)} at ${address}`);
      } else if (outcome.kind === "same") {
        log.info(`${shortName(name)} is still at ${address}`);
      } else if (outcome.previous === undefined) {
        log.log(`${shortName(name)} is at ${address}, too`);
      } else {
        log.log(`${shortName(name)} moved from ${outcome.previous} to ${address}`);
      }
    },
    onError: (error) => log.debug(`socket: ${error.message}`),
  });

  log.log(`listening on ${endpoint(socket)}`);
  if (!signal.aborted) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
  socket.close();
  return counters;
}

/** A name as a log line shows it: a line stays under 300 bytes, however long the name is. */
function shortName(name: string): string {
  const bytes = Buffer.from(name);
  if (bytes.length <= SHOWN_NAME_BYTES) return name;
  return `${new TextDecoder().decode(cutUtf8(bytes, SHOWN_NAME_BYTES))}…`;
}

const SHOWN_NAME_BYTES = 100;

function endpoint({ address, port }: BoundSocket): string {
  if (address === "::") return `UDP port ${port}, every interface, IPv6 and IPv4`;
  if (address === "0.0.0.0") return `UDP port ${port}, every interface, IPv4`;
  return `UDP port ${port}, ${address}`;
}
