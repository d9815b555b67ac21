/** Gets every host the cookie for its questions: one that is good for 30 seconds at least. */
import {
  decodeReply,
  encodeCounter,
  encodeQuestion,
  NO_COOKIE,
} from "../../../src/protocol/message.ts";

/** Below the machine's receive buffers, so that none of the challenges is lost. */
const AT_ONCE = 64;

/**
 * Asks until each host has been challenged.
 * @param names the hosts, which ask for themselves
 * @param keys theirs
 * @returns their cookies
 */
export async function askForCookies(
  port: number,
  names: readonly string[],
  keys: readonly Uint8Array[],
): Promise<string[]> {
  const cookies: string[] = [];
  const socket = await Bun.udpSocket({
    connect: { hostname: "127.0.0.1", port },
    socket: {
      data(_socket, datagram) {
        const reply = decodeReply(datagram);
        if (reply?.type === "C") cookies[Number.parseInt(reply.nonce, 16)] = reply.value;
      },
      error() {},
    },
  });
  const missing = (): number[] => [...names.keys()].filter((host) => cookies[host] === undefined);
  for (let hosts = missing(); hosts.length > 0; hosts = missing()) {
    for (const host of hosts.slice(0, AT_ONCE)) {
      const name = names[host]!;
      const question = { asker: name, name, nonce: encodeCounter(host), cookie: NO_COOKIE };
      socket.send(encodeQuestion(question, keys[host]!));
    }
    await Bun.sleep(5);
  }
  socket.close();
  return cookies;
}
