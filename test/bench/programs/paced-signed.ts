/**
 * Sends signed pings at a steady rate, each host in turn, each once: `paced-signed PORT HOSTS PER_SECOND
 * COUNT`. All are signed before the first is sent. Waits a second for the last acknowledgements, and
 * prints `{"acknowledged":…,"seconds":…}`.
 */
import { deriveKey, encodeCounter, encodePing, NO_COOKIE } from "../../../src/protocol/message.ts";
import { raiseReceiveBuffer } from "../../../src/system/receive-buffer.ts";
import { fdOf } from "../../../src/system/setsockopt.ts";
import { hostName, SECRET } from "./hosts.ts";

const REPLY_BYTES = 109;
const TOO_LATE_MS = 1000;
const A = "A".charCodeAt(0);

const [port = 0, hosts = 0, perSecond = 0, count = 0] = process.argv.slice(2).map(Number);
const keys = Array.from({ length: hosts }, (_, host) => deriveKey(SECRET, hostName(host), 1));
const firstCounter = Date.now() * 1000;
const datagrams = Array.from({ length: count }, (_, index) => {
  const host = index % hosts;
  const counter = encodeCounter(firstCounter + index);
  const nonce = encodeCounter(index);
  const ping = { name: hostName(host), counter, nonce, cookie: NO_COOKIE };
  return Buffer.from(encodePing(ping, keys[host]!));
});
const isAcknowledged = new Uint8Array(count);
let acknowledged = 0;
const socket = await Bun.udpSocket({
  connect: { hostname: "127.0.0.1", port },
  socket: {
    data(_socket, reply) {
      const index = Number.parseInt(reply.toString("latin1", 27, 43), 16);
      const isNew = reply.length === REPLY_BYTES && reply[8] === A && isAcknowledged[index] === 0;
      if (!isNew) return;
      isAcknowledged[index] = 1;
      acknowledged++;
    },
    error() {},
  },
});

raiseReceiveBuffer(fdOf(socket));
let sent = 0;
const start = performance.now();
while (sent < count) {
  const due = Math.min(count, Math.ceil(((performance.now() - start) / 1000) * perSecond));
  if (due > sent) sent += socket.sendMany(datagrams.slice(sent, due));
  await Bun.sleep(1);
}
const seconds = (performance.now() - start) / 1000;
const end = performance.now() + TOO_LATE_MS;
while (acknowledged < count && performance.now() < end) await Bun.sleep(1);
console.log(JSON.stringify({ acknowledged, seconds }));
socket.close();
