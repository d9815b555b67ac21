/** A program that waits, as a server does, and does nothing else. */
setInterval(() => {}, 60_000);
process.on("SIGTERM", () => {
  process.stderr.write("0 pings accepted\n");
  process.exit();
});
process.stderr.write("listening on UDP port 0\n");
