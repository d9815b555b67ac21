/**
 * The least that a server for plain pings can do: stores each name's address in memory. Ends on
 * SIGTERM, and says how many pings it has taken.
 */
const addresses = new Map<string, string>();
let accepted = 0;
const socket = await Bun.udpSocket({
  hostname: "127.0.0.1",
  socket: {
    data(_socket, datagram, _port, address) {
      addresses.set(datagram.toString(), address);
      accepted++;
    },
    error() {},
  },
});
process.on("SIGTERM", () => {
  process.stderr.write(`${accepted} pings accepted, ${addresses.size} hosts\n`);
  process.exit();
});
process.stderr.write(`listening on UDP port ${socket.port}\n`);
