/**
 * The minimum of a server for plain pings: stores the address of each name in memory. Ends on SIGTERM
 * and prints the number of pings.
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
