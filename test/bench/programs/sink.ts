/** A bound socket that nobody reads: `sink SECONDS`. Shows what a generator alone can send. */
const socket = await Bun.udpSocket({
  hostname: "127.0.0.1",
  socket: { data() {}, error() {} },
});
process.stderr.write(`listening on UDP port ${socket.port}\n`);
Bun.sleepSync(Number(process.argv[2]) * 1000); // the event loop, which would read, stands still
process.exit();
