/**
 * Sends one kind of datagram to a port of 127.0.0.1, as fast as it can, and prints the rate, in
 * datagrams a second: `bun test/flood.ts KIND PORT SECONDS`.
 */
import { digits, NO_COOKIE, signedPing } from "./e2e/wire.ts";

/** More names than the server keeps keys of, so that it derives a key for each datagram. */
const RANDOM_NAMES = 50_000;

/** Each kind makes the datagrams that are sent in turn, again and again. */
const KINDS: Readonly<Record<string, () => (string | Buffer)[]>> = {
  junk: () => [Buffer.alloc(100, 0xff)],
  plain: () => ["flood-host"],
  forged: () => [forged("nas")],
  "forged-names": () => Array.from({ length: RANDOM_NAMES }, () => forged(randomName())),
  /** Its MAC is right, by the secret of wire.ts, and its counter is a month old. */
  replay: () => [
    signedPing({ name: "replayed", counter: digits((Date.now() - 30 * 86_400_000) * 1000) }),
  ],
};

const BATCH = 64;

const [kind = "", port = "", seconds = ""] = process.argv.slice(2);
const make = KINDS[kind];
if (make === undefined) throw new Error(`no such kind: ${kind}`);
const datagrams = make();
while (datagrams.length < BATCH) datagrams.push(...datagrams);

const socket = await Bun.udpSocket({
  connect: { hostname: "127.0.0.1", port: Number(port) },
  socket: { error() {} },
});
const start = performance.now();
const end = start + Number(seconds) * 1000;
let sent = 0;
for (let at = 0; performance.now() < end; at = (at + BATCH) % datagrams.length) {
  try {
    sent += socket.sendMany(datagrams.slice(at, at + BATCH));
  } catch {
    // An ICMP error of an earlier datagram: the server's socket was closed for a moment.
  }
}
console.log(Math.round((sent * 1000) / (performance.now() - start)));
socket.close();

/** A ping with a wrong MAC. */
function forged(name: string): string {
  return `dynip/1 P 000640f8d1c2b3a4 0123456789abcdef ${NO_COOKIE} ${name} ${"15".repeat(16)}`;
}

function randomName(): string {
  return `forged-${crypto.getRandomValues(new Uint8Array(4)).toHex()}`;
}
