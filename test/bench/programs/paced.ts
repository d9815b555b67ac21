/**
 * Sends plain pings at a steady rate, each host in turn: `paced PORT HOSTS PER_SECOND COUNT`. After
 * each cycle the hosts change between two addresses, 127.0.0.2 first, so that all of them move. Prints
 * the number of pings.
 */
import { Names } from "./hosts.ts";

const [port = 0, hosts = 0, perSecond = 0, count = 0] = process.argv.slice(2).map(Number);
const names = new Names(hosts, 1);
const sockets = await Promise.all(
  ["127.0.0.2", "127.0.0.1"].map((hostname) =>
    Bun.udpSocket({
      hostname,
      connect: { hostname: "127.0.0.1", port },
      socket: { error() {} },
    }),
  ),
);

let sent = 0;
const start = performance.now();
while (sent < count) {
  const due = Math.min(count, Math.ceil(((performance.now() - start) / 1000) * perSecond));
  while (sent < due && sendNext()) sent++;
  await Bun.sleep(1);
}
console.log(sent);
for (const socket of sockets) socket.close();

function sendNext(): boolean {
  const socket = sockets[Math.trunc(sent / hosts) % sockets.length]!;
  try {
    return socket.sendMany(names.next()) === 1;
  } catch {
    return true; // it may be lost, as on any network; the server's count shows that
  }
}
