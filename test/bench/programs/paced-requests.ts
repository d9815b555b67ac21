/**
 * Sends HTTP requests at a steady rate over 64 connections that are kept alive, each for one of these
 * targets in turn: `paced-requests PORT PER_SECOND COUNT 'TARGET AUTHORIZATION'…`. A request waits for a
 * free connection. Prints `{"answered":…,"refused":…,"seconds":…}`; an answer other than 200 is refused.
 */
const CONNECTIONS = 64;

const [port = 0, perSecond = 0, count = 0] = process.argv.slice(2).map(Number);
const requests = process.argv.slice(5).map((argument) => {
  const [, target, authorization] = /^(\S+) (.+)$/.exec(argument)!;
  const head = `GET ${target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\n\r\n`;
  return Buffer.from(head);
});

let answered = 0;
let refused = 0;
const free: Bun.Socket<Reading>[] = [];

/** How much of an answer has not come yet; undefined before its headers. */
interface Reading {
  missing: number | undefined;
}

await Promise.all(
  Array.from({ length: CONNECTIONS }, async () => {
    const socket = await Bun.connect<Reading>({
      hostname: "127.0.0.1",
      port,
      data: { missing: undefined },
      socket: {
        data: (from, bytes) => read(from, bytes),
      },
    });
    free.push(socket);
  }),
);

let sent = 0;
const start = performance.now();
while (answered + refused < count) {
  const due = Math.min(count, Math.ceil(((performance.now() - start) / 1000) * perSecond));
  while (sent < due && free.length > 0) free.pop()!.write(requests[sent++ % requests.length]!);
  await Bun.sleep(1);
}
const seconds = (performance.now() - start) / 1000;
console.log(JSON.stringify({ answered, refused, seconds }));
process.exit(0);

function read(socket: Bun.Socket<Reading>, bytes: Buffer): void {
  const reading = socket.data;
  if (reading.missing === undefined) {
    // The headers come in one piece, as the server writes them.
    const text = bytes.toString("latin1", 0, 2000);
    const end = text.indexOf("\r\n\r\n") + 4;
    reading.missing = Number(/content-length: (\d+)/i.exec(text)![1]) + end;
    if (text.startsWith("HTTP/1.1 200 ")) answered++;
    else refused++;
  }
  reading.missing -= bytes.length;
  if (reading.missing > 0) return;
  reading.missing = undefined;
  free.push(socket);
}
