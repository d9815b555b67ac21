/** The filters of the kernel, attached to real sockets on loopback. */
import { afterEach, describe, expect, test } from "bun:test";

import { SIGNED_SHAPES } from "../../src/protocol/message.ts";
import { EVERYTHING, makeFilter, setFilter } from "../../src/system/datagram-filter.ts";
import { raiseReceiveBuffer } from "../../src/system/receive-buffer.ts";
import { fdOf } from "../../src/system/setsockopt.ts";
import { hasIPv6, sendDatagrams } from "../temporary.ts";
import { eventually } from "../waiting.ts";

const onLinux = describe.skipIf(process.platform !== "linux");
const withIPv6 = await hasIPv6();

const sockets: { close(): void }[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

async function receiver(hostname: string) {
  const received: string[] = [];
  const socket = await Bun.udpSocket({
    hostname,
    socket: { data: (_socket, datagram) => void received.push(datagram.toString("latin1")) },
  });
  sockets.push(socket);
  const { port } = socket;
  const fd = fdOf(socket);
  raiseReceiveBuffer(fd); // a row of the tests is sent at once
  return { fd, port, received };
}

const ping = (bytes: number): string => "dynip/1 P ".padEnd(bytes, "0");
const question = (bytes: number): string => "dynip/1 Q ".padEnd(bytes, "0");

const WANTED = [ping(111), ping(150), ping(238), question(352)];
const UNWANTED = [
  "",
  "d",
  "nas",
  "dynip/1 P",
  "dynip/1 P ",
  "dynip/1 Q ",
  ping(110),
  ping(239),
  ping(352),
  question(351),
  question(353),
  question(150),
  ping(150).toUpperCase(),
  ` ${ping(150)}`,
  ...["A", "C", "R", "p", "\0"].map((type) => ping(150).replace("P", type)),
  "a".repeat(150),
  "a".repeat(352),
  "\xff".repeat(150),
  "a".repeat(60_000),
  // Each bit of the beginning.
  ...Array.from({ length: 80 }, (_, bit) => {
    const bytes = Buffer.from(ping(150), "latin1");
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    return bytes.toString("latin1");
  }).filter((text) => !text.startsWith("dynip/1 Q ")),
];

const WAYS = [
  ["0.0.0.0", "127.0.0.1"],
  ["127.0.0.1", "127.0.0.1"],
  ["::1", "::1"],
  ["::", "::1"],
  ["::", "127.0.0.1"],
] as const;

onLinux("a filter in the kernel", () => {
  test.each(WAYS.filter(([at]) => withIPv6 || !at.includes(":")))(
    "on %s, for a sender to %s, lets pings and questions through, and nothing else",
    async (at, to) => {
      const { fd, port, received } = await receiver(at);
      expect(setFilter(fd, makeFilter(SIGNED_SHAPES))).toBe(true);
      const mixed = UNWANTED.flatMap((text, index) => [text, WANTED[index % WANTED.length]!]);
      const bytes = mixed.map((text) => Buffer.from(text, "latin1"));
      await sendDatagrams(bytes, port, to);
      await eventually("all that are wanted", () => received.length >= UNWANTED.length);
      expect(received).toEqual(mixed.filter((_, index) => index % 2 === 1));

      for (const none of [undefined, EVERYTHING]) {
        expect(setFilter(fd, none)).toBe(true);
        received.length = 0;
        await sendDatagrams(bytes, port, to);
        await eventually("everything", () => received.length >= mixed.length);
        expect(received).toEqual(mixed);
      }
    },
  );

  test("that drops everything keeps what has arrived before", async () => {
    const { fd, port, received } = await receiver("127.0.0.1");
    const sender = await Bun.udpSocket({ connect: { hostname: "127.0.0.1", port } });
    sockets.push(sender);
    const nothing = makeFilter([]);
    // In one turn of the event loop, so that all that arrives stays in the receive buffer.
    sender.send("before");
    expect(setFilter(fd, nothing)).toBe(true);
    sender.send(ping(150));
    sender.send("during");
    expect(setFilter(fd, makeFilter(SIGNED_SHAPES))).toBe(true);
    sender.send("after");
    sender.send(ping(111));
    expect(setFilter(fd, nothing)).toBe(true);
    expect(setFilter(fd, undefined)).toBe(true);
    sender.send("last");
    await eventually("the last", () => received.includes("last"));
    expect(received).toEqual(["before", ping(111), "last"]);
  });

  test("lets shapes of any number and length through", async () => {
    const shapes = [
      { start: "a", minBytes: 1, maxBytes: 3 },
      { start: "abcdefg", minBytes: 7, maxBytes: 65_507 },
      { start: "", minBytes: 5, maxBytes: 5 },
    ];
    const { fd, port, received } = await receiver("127.0.0.1");
    expect(setFilter(fd, makeFilter(shapes))).toBe(true);
    const wanted = ["a", "abc", "abcdefg", "abcdefg".padEnd(60_000), "fives", "aaaaa"];
    const sent = ["", "b", "abcd", "abcdef", "abcdefx", "bbbb", "bbbbbb", ...wanted];
    await sendDatagrams(sent, port);
    await eventually("all that are wanted", () => received.length >= wanted.length);
    expect(received).toEqual(wanted);
  });

  test("is refused for what is no socket", () => {
    expect(setFilter(-1, makeFilter([]))).toBe(false);
    expect(setFilter(-1, undefined)).toBe(false);
  });
});
