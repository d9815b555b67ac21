/**
 * Opens connections to a port of this machine, sends one byte on each and no more:
 * `idle-connections.ts PORT COUNT`. Says `open` on stderr when all are open, and keeps them until it is
 * killed. A program of its own, for a limit of open files of its own.
 *
 * Without that byte Linux would not tell the server of them: Bun sets TCP_DEFER_ACCEPT.
 */
import { connect } from "node:net";

const [port, count] = process.argv.slice(2).map(Number);
const sockets = Array.from({ length: count! }, () => connect(port!, "127.0.0.1"));
await Promise.all(
  sockets.map(
    (socket) =>
      new Promise<void>((resolve, reject) => socket.on("connect", resolve).on("error", reject)),
  ),
);
for (const socket of sockets) socket.write("G");
console.error("open");
