/**
 * The minimum of a server for signed pings: sends back the first 109 bytes of each datagram, the
 * length of dynip's reply. Ends on SIGTERM and prints the number of datagrams.
 */
const REPLY_BYTES = 109;

let accepted = 0;
const socket = await Bun.udpSocket({
  hostname: "127.0.0.1",
  socket: {
    data(echo, datagram, port, address) {
      echo.send(datagram.subarray(0, REPLY_BYTES), port, address);
      accepted++;
    },
    error() {},
  },
});
process.on("SIGTERM", () => {
  process.stderr.write(`${accepted} pings accepted\n`);
  process.exit();
});
process.stderr.write(`listening on UDP port ${socket.port}\n`);
