/**
 * Sends datagrams of one kind to a port of this machine, as fast as it can, and prints the number per
 * second: `bun test/flood.ts KIND PORT SECONDS`.
 */
const [kind = "", port = "", seconds = ""] = process.argv.slice(2);

const KINDS: Record<string, string | Buffer> = {
  junk: Buffer.alloc(100, 0xff),
  forged: `dynip/1 P 000640f8d1c2b3a4 0123456789abcdef ${"0".repeat(32)} nas ${"15".repeat(16)}`,
  plain: "flood-host",
};
const datagram = KINDS[kind];
if (datagram === undefined) throw new Error(`no such kind: ${kind}`);

const socket = await Bun.udpSocket({
  connect: { hostname: "127.0.0.1", port: Number(port) },
  socket: { error() {} },
});
const batch = Array<string | Buffer>(64).fill(datagram);
const start = performance.now();
const end = start + Number(seconds) * 1000;
let sent = 0;
while (performance.now() < end) {
  try {
    sent += socket.sendMany(batch);
  } catch {
    // ECONNREFUSED: the port was closed for a moment.
  }
}
console.log(Math.round((sent * 1000) / (performance.now() - start)));
socket.close();
