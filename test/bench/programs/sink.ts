/** Binds a socket and never reads it: `sink SECONDS`. It shows how fast a generator alone is. */
const socket = await Bun.udpSocket({
  hostname: "127.0.0.1",
  socket: { data() {}, error() {} },
});
process.stderr.write(`listening on UDP port ${socket.port}\n`);
Bun.sleepSync(Number(process.argv[2]) * 1000); // blocks the event loop, which would read
process.exit();
