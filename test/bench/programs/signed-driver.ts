/**
 * Clients that never pause, in one process:
 * `signed-driver PORT HOSTS COUNT IN_FLIGHT echo|dynip|questions [WARM_UP]`.
 * IN_FLIGHT signed pings are under way at once, or questions of hosts about themselves with good
 * cookies; each reply sends the next one. All are signed before the clock starts, and the replies are
 * checked after it has stopped. In replies of an echo only the nonce is checked. Prints
 * `{"acknowledged":…,"lost":…,"wrong":…,"seconds":…}`.
 */
import { addressToHex } from "../../../src/protocol/address.ts";
import {
  decodeAnswer,
  decodeReply,
  deriveKey,
  encodeCounter,
  encodePing,
  encodeQuestion,
  hasMac,
  NO_COOKIE,
} from "../../../src/protocol/message.ts";
import { askForCookies } from "./cookies.ts";
import { hostName, SECRET } from "./hosts.ts";

const BATCH = 64;

const [port = 0, hosts = 0, count = 0, inFlight = 0] = process.argv.slice(2).map(Number);
const kind = process.argv[6] as "echo" | "dynip" | "questions";
const REPLY_BYTES = kind === "questions" ? 163 : 109;
const NONCE_AT = kind === "questions" ? 10 : 27;
const TOO_LATE_MS = 1000;
/** The number of pings before the clock starts. */
const warmUp = Number(process.argv[7] ?? 20_000);

const total = warmUp + count;
const keys = Array.from({ length: hosts }, (_, host) => deriveKey(SECRET, hostName(host), 1));
const firstCounter = Date.now() * 1000;
const names = keys.map((_, host) => hostName(host));
const cookies = kind === "questions" ? await askForCookies(port, names, keys) : [];
const datagrams = Array.from({ length: total }, (_, index) => {
  const host = index % hosts;
  const name = names[host]!;
  const key = keys[host]!;
  const nonce = encodeCounter(index);
  if (kind === "questions") {
    return Buffer.from(encodeQuestion({ asker: name, name, nonce, cookie: cookies[host]! }, key));
  }
  const counter = encodeCounter(firstCounter + index);
  return Buffer.from(encodePing({ name, counter, nonce, cookie: NO_COOKIE }, key));
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
      const index = Number.parseInt(reply.toString("latin1", NONCE_AT, NONCE_AT + 16), 16);
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
const wrong = kind === "echo" ? 0 : acknowledged - countGood();
console.log(JSON.stringify({ acknowledged, lost, wrong, seconds }));

/** Sends until this number of datagrams is answered or given up. */
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
  if (batch.push(datagrams[sent++]!) === 1) setImmediate(flush);
  if (batch.length === BATCH) flush();
}

function flush(): void {
  if (batch.length === 0) return;
  const full = batch;
  batch = [];
  socket.sendMany(full);
}

function countGood(): number {
  const value = addressToHex("127.0.0.1");
  let good = 0;
  for (let index = warmUp; index < total; index++) {
    const datagram = replies.subarray(index * REPLY_BYTES, (index + 1) * REPLY_BYTES);
    const key = keys[index % hosts]!;
    if (kind === "questions") {
      if (decodeAnswer(datagram)?.isSigned && hasMac(datagram, key)) good++;
      continue;
    }
    const reply = decodeReply(datagram);
    if (reply?.type !== "A" || reply.value !== value) continue;
    // The counter now stored may be that of the name's next ping.
    const isCounted = Number.parseInt(reply.counter, 16) >= firstCounter + index;
    if (isCounted && hasMac(datagram, key)) good++;
  }
  return good;
}
