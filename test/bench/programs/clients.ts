/**
 * New clients of a server on 127.0.0.1, one every 250 ms: `clients PORT COUNT`. Each has a name of its
 * own, follows the protocol's schedule, is challenged, and is acknowledged or gives up. Prints for each
 * how long it waited for its acknowledgement, in milliseconds (null: it gave up), and how many
 * datagrams it sent, of which two are needed: `[{"milliseconds":…,"sent":…},…]`.
 */
import {
  decodeCounter,
  decodeReply,
  deriveKey,
  encodeCounter,
  encodePing,
  hasMac,
  NO_COOKIE,
  type Reply,
} from "../../../src/protocol/message.ts";
import { SECRET } from "./hosts.ts";

const SCHEDULE_MS = [0, 500, 1500, 3500, 7500, 15_500, 31_500, 39_500];
const EVERY_MS = 250;

const [port = 0, count = 0] = process.argv.slice(2).map(Number);
const outcomes = Array.from({ length: count }, async (_, index) => {
  await Bun.sleep(index * EVERY_MS);
  return await pingOnce(`client-${process.pid}-${index}`);
});
console.log(JSON.stringify(await Promise.all(outcomes)));

async function pingOnce(name: string): Promise<{ milliseconds: number | null; sent: number }> {
  const key = deriveKey(SECRET, name, 1);
  let sent = 0;
  let onReply = (_reply: Reply): void => {};
  const socket = await Bun.udpSocket({
    connect: { hostname: "127.0.0.1", port },
    socket: {
      data(_socket, datagram) {
        const reply = decodeReply(datagram);
        if (reply && hasMac(datagram, key)) onReply(reply);
      },
      error() {},
    },
  });
  /** Sends on the schedule until a reply of this type comes. */
  const ask = async (type: Reply["type"], cookie: string, first: number) => {
    const { promise, resolve } = Promise.withResolvers<Reply | undefined>();
    onReply = (reply) => reply.type === type && resolve(reply);
    const timers = SCHEDULE_MS.map((after, attempt) =>
      setTimeout(() => {
        if (attempt === SCHEDULE_MS.length - 1) return resolve(undefined);
        const nonce = crypto.getRandomValues(new Uint8Array(8)).toHex();
        const counter = encodeCounter(first + attempt);
        sent++;
        try {
          socket.send(encodePing({ name, counter, nonce, cookie }, key));
        } catch {
          // An ICMP error of an earlier datagram: this one is lost.
        }
      }, after),
    );
    const reply = await promise;
    for (const timer of timers) clearTimeout(timer);
    return reply;
  };
  const start = performance.now();
  const challenge = await ask("C", NO_COOKIE, Date.now() * 1000);
  const acknowledgement =
    challenge && (await ask("A", challenge.value, decodeCounter(challenge.counter)));
  const milliseconds = acknowledgement ? performance.now() - start : null;
  socket.close();
  return { milliseconds, sent };
}
