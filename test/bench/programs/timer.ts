/** A program that only waits, as an idle server does. */
setInterval(() => {}, 60_000);
process.on("SIGTERM", () => {
  process.stderr.write("0 pings accepted\n");
  process.exit();
});
process.stderr.write("listening on UDP port 0\n");
