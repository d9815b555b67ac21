/**
 * Clients that never pause, in one process:
 * `signed-driver PORT HOSTS COUNT IN_FLIGHT echo|dynip [WARM_UP]`.
 * IN_FLIGHT signed pings are under way at once; each reply sends the next one. All pings are signed
 * before the clock starts, and the replies are checked after it has stopped. In replies of an echo
 * only the nonce is checked. Prints `{"acknowledged":…,"lost":…,"wrong":…,"seconds":…}`.
 */
import { addressToHex } from "../../../src/protocol/address.ts";
import {
  decodeReply,
  deriveKey,
  encodeCounter,
  encodePing,
  hasMac,
  NO_COOKIE,
} from "../../../src/protocol/message.ts";
import { hostName, SECRET } from "./hosts.ts";

const BATCH = 64;
const TOO_LATE_MS = 1000;
const REPLY_BYTES = 109;
const NONCE = { start: 27, end: 43 };

const [port = 0, hosts = 0, count = 0, inFlight = 0] = process.argv.slice(2).map(Number);
const isEcho = process.argv[6] === "echo";
/** The number of pings before the clock starts. */
const warmUp = Number(process.argv[7] ?? 20_000);

const total = warmUp + count;
const keys = Array.from({ length: hosts }, (_, host) => deriveKey(SECRET, hostName(host), 1));
const firstCounter = Date.now() * 1000;
const pings = Array.from({ length: total }, (_, index) => {
  const name = hostName(index % hosts);
  const counter = encodeCounter(firstCounter + index);
  const ping = { name, counter, nonce: encodeCounter(index), cookie: NO_COOKIE };
  return Buffer.from(encodePing(ping, keys[index % hosts]!));
});
const replies = Buffer.alloc(total * REPLY_BYTES);
const isOver = new Uint8Array(total); // answered, or given up
const sentAt = new Float64Array(total);
let sent = 0;
let over = 0;
let oldest = 0;
let lost = 0;
let limit = 0;
let finished = (): void => {};
let batch: Buffer[] = [];

const socket = await Bun.udpSocket({
  connect: { hostname: "127.0.0.1", port },
  socket: {
    data(_socket, reply) {
      const index = Number.parseInt(reply.toString("latin1", NONCE.start, NONCE.end), 16);
      if (reply.length !== REPLY_BYTES || !(index < sent) || isOver[index]) return;
      reply.copy(replies, index * REPLY_BYTES);
      end(index);
    },
    error() {},
  },
});
const giveUp = setInterval(() => {
  const now = performance.now();
  for (; oldest < sent; oldest++) {
    if (isOver[oldest]) continue;
    if (now - sentAt[oldest]! < TOO_LATE_MS) return;
    lost++;
    end(oldest);
  }
}, 50);

await send(warmUp);
lost = 0;
const start = performance.now();
await send(total);
const seconds = (performance.now() - start) / 1000;
clearInterval(giveUp);
socket.close();

const acknowledged = count - lost;
const wrong = isEcho ? 0 : acknowledged - countGood();
console.log(JSON.stringify({ acknowledged, lost, wrong, seconds }));

/** Sends until this number of pings is answered or given up. */
function send(until: number): Promise<void> {
  limit = until;
  const { promise, resolve } = Promise.withResolvers<void>();
  finished = resolve;
  for (let slot = 0; slot < inFlight; slot++) sendNext();
  return promise;
}

function end(index: number): void {
  isOver[index] = 1;
  if (++over === limit) finished();
  sendNext();
}

/** Sends what a turn of the event loop has gathered in one call. */
function sendNext(): void {
  if (sent === limit) return;
  sentAt[sent] = performance.now();
  if (batch.push(pings[sent++]!) === 1) setImmediate(flush);
  if (batch.length === BATCH) flush();
}

function flush(): void {
  if (batch.length === 0) return;
  const datagrams = batch;
  batch = [];
  socket.sendMany(datagrams);
}

function countGood(): number {
  const value = addressToHex("127.0.0.1");
  let good = 0;
  for (let index = warmUp; index < total; index++) {
    const datagram = replies.subarray(index * REPLY_BYTES, (index + 1) * REPLY_BYTES);
    const reply = decodeReply(datagram);
    if (reply?.type !== "A" || reply.value !== value) continue;
    // The counter now stored may be that of the name's next ping.
    const isCounted = Number.parseInt(reply.counter, 16) >= firstCounter + index;
    if (isCounted && hasMac(datagram, keys[index % hosts]!)) good++;
  }
  return good;
}
