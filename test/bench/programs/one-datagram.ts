/** Sends one datagram and ends: `one-datagram PORT NAME`. */
const [port, name = ""] = process.argv.slice(2);
const socket = await Bun.udpSocket({
  connect: { hostname: "127.0.0.1", port: Number(port) },
  socket: { error() {} },
});
socket.send(name);
socket.close();
