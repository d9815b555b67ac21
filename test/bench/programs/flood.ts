/**
 * Sends plain pings as fast as it can: `flood PORT HOSTS SECONDS WARM_UP`. It first sends WARM_UP
 * pings slowly enough for any server, so that hot code is compiled by then. Prints the number of pings
 * and the seconds, without the warm-up: `{"sent":…,"seconds":…}`.
 */
import { Names } from "./hosts.ts";

const BATCH = 64;

const [port = 0, hosts = 0, seconds = 0, warmUp = 0] = process.argv.slice(2).map(Number);
const names = new Names(hosts, BATCH);
const socket = await Bun.udpSocket({
  connect: { hostname: "127.0.0.1", port },
  socket: { error() {} },
});

for (let sent = 0; sent < warmUp;) {
  sent += send();
  await Bun.sleep(1);
}
await Bun.sleep(100); // what is on its way arrives

const start = performance.now();
const end = start + seconds * 1000;
let sent = 0;
while (performance.now() < end) sent += send();
console.log(JSON.stringify({ sent, seconds: (performance.now() - start) / 1000 }));
socket.close();

function send(): number {
  try {
    return socket.sendMany(names.next());
  } catch {
    return 0; // ECONNREFUSED: the port was closed for a moment
  }
}
