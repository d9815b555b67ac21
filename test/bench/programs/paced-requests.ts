/**
 * Sends HTTP requests at a steady rate over 64 connections that are kept alive, each for one of these
 * targets in turn: `paced-requests PORT PER_SECOND COUNT 'TARGET AUTHORIZATION'…`. A request waits for a
 * free connection. Prints `{"answered":…,"refused":…,"lastRefusal":…,"seconds":…}`; an answer other than 200 is refused.
 */
const CONNECTIONS = 64;
/** More than the headers of any answer. */
const MAX_HEAD = 2000;

const [port = 0, perSecond = 0, count = 0] = process.argv.slice(2).map(Number);
const requests = process.argv.slice(5).map((argument) => {
  const [, target, authorization] = /^(\S+) (.+)$/.exec(argument)!;
  const head = `GET ${target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\n\r\n`;
  return Buffer.from(head);
});

let answered = 0;
let refused = 0;
let lastRefusal = "";
const free: Bun.Socket<Reading>[] = [];

/** An answer that is being read. */
interface Reading {
  /** Its headers, as far as they have come. */
  head: string;
  /** How many bytes have not come yet; undefined before the end of the headers. */
  missing: number | undefined;
}

await Promise.all(
  Array.from({ length: CONNECTIONS }, async () => {
    const socket = await Bun.connect<Reading>({
      hostname: "127.0.0.1",
      port,
      data: { head: "", missing: undefined },
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
console.log(JSON.stringify({ answered, refused, lastRefusal, seconds }));
process.exit(0);

function read(socket: Bun.Socket<Reading>, bytes: Buffer): void {
  const reading = socket.data;
  let length = bytes.length;
  if (reading.missing === undefined) {
    const before = reading.head.length;
    reading.head += bytes.toString("latin1", 0, MAX_HEAD);
    const end = reading.head.indexOf("\r\n\r\n") + 4;
    if (end < 4) return;
    reading.missing = Number(/content-length: (\d+)/i.exec(reading.head)![1]);
    length -= end - before;
    if (reading.head.startsWith("HTTP/1.1 200 ")) answered++;
    else {
      refused++;
      lastRefusal = reading.head;
    }
  }
  reading.missing -= length;
  if (reading.missing > 0) return;
  reading.head = "";
  reading.missing = undefined;
  free.push(socket);
}
