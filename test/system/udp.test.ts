import { afterEach, describe, expect, spyOn, test } from "bun:test";

import { WANTED_BYTES } from "../../src/system/receive-buffer.ts";
import { bind, type BoundSocket, connect } from "../../src/system/udp.ts";
import { hasIPv6, receiver, sendDatagrams } from "../temporary.ts";
import { eventually } from "../waiting.ts";

const onIPv6 = test.skipIf(!(await hasIPv6()));

const sockets: BoundSocket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

async function listen(address: string, port = 0) {
  const received: [string, string][] = [];
  const errors: Error[] = [];
  const socket = await bind({
    address,
    port,
    onDatagram: (datagram, sender) => received.push([Buffer.from(datagram).toString(), sender]),
    onError: (error) => errors.push(error),
  });
  sockets.push(socket);
  return { socket, received, errors };
}

test("a datagram arrives with its sender's address and port", async () => {
  const { socket, received } = await listen("127.0.0.1");
  expect(socket.address).toBe("127.0.0.1");
  await sendDatagrams(["nas"], socket.port);
  await eventually("the datagram", () => received.length === 1);
  expect(received).toEqual([["nas", "127.0.0.1"]]);
});

onIPv6("* takes IPv4 and IPv6 on one port, and IPv4 senders are IPv4", async () => {
  const { socket, received } = await listen("*");
  expect(socket.address).toBe("::");
  await sendDatagrams(["four"], socket.port, "127.0.0.1");
  await sendDatagrams(["six"], socket.port, "::1");
  await eventually("both", () => received.length === 2);
  expect(received.sort()).toEqual([
    ["four", "127.0.0.1"],
    ["six", "::1"],
  ]);
});

test("a socket answers its peers", async () => {
  await using peer = await receiver();
  const { socket } = await listen("127.0.0.1");
  socket.send(Buffer.from("to a peer"), peer.port, "127.0.0.1");
  expect((await peer.next()).toString()).toBe("to a peer");
});

test("what a forged source makes a socket send to itself arrives once", async () => {
  const { socket, received, errors } = await listen("127.0.0.1");
  socket.send(Buffer.from("to itself"), socket.port, "127.0.0.1");
  await eventually("the datagram", () => received.length > 0);
  await sendDatagrams(["last"], socket.port);
  await eventually("the last", () => received.length > 1);
  expect(received.map(([text]) => text)).toEqual(["to itself", "last"]);
  expect(errors).toEqual([]);
});

test.skipIf(process.platform !== "linux")(
  "the receive buffer is what was asked for, or what the system allows",
  async () => {
    const { socket } = await listen("127.0.0.1");
    const allowed = Number(await Bun.file("/proc/sys/net/core/rmem_max").text());
    expect(socket.receiveBuffer).toBe(Math.min(WANTED_BYTES, allowed));
  },
);

describe("where the system has no IPv6", () => {
  test.each(["EAFNOSUPPORT", "EADDRNOTAVAIL"])("(%s) * takes IPv4", async (code) => {
    const original = Bun.udpSocket;
    const spy = spyOn(Bun, "udpSocket").mockImplementation(((options: { hostname: string }) => {
      if (options.hostname === "::") throw Object.assign(new Error(code), { code });
      return original(options);
    }) as typeof Bun.udpSocket);
    try {
      const { socket, received } = await listen("*");
      expect(socket.address).toBe("0.0.0.0");
      await sendDatagrams(["four"], socket.port);
      await eventually("the datagram", () => received.length === 1);
    } finally {
      spy.mockRestore();
    }
  });

  test("but no other error is passed over", async () => {
    const spy = spyOn(Bun, "udpSocket").mockImplementation((() => {
      throw Object.assign(new Error("EACCES"), { code: "EACCES" });
    }) as unknown as typeof Bun.udpSocket);
    try {
      await expect(listen("*")).rejects.toMatchObject({ code: "EACCES" });
      expect(spy).toHaveBeenCalledTimes(1);
    } finally {
      spy.mockRestore();
    }
  });
});

test("a port in use and an address of another machine are errors with their codes", async () => {
  const { socket } = await listen("127.0.0.1");
  await expect(listen("127.0.0.1", socket.port)).rejects.toMatchObject({ code: "EADDRINUSE" });
  await expect(listen("192.0.2.254")).rejects.toMatchObject({ code: "EADDRNOTAVAIL" });
});

test("a handler that throws is reported, and the next datagram is handled", async () => {
  const errors: Error[] = [];
  let calls = 0;
  const socket = await bind({
    address: "127.0.0.1",
    port: 0,
    onDatagram() {
      if (++calls === 1) throw new Error("bug");
    },
    onError: (error) => errors.push(error),
  });
  sockets.push(socket);
  await sendDatagrams(["a", "b"], socket.port);
  await eventually("both", () => calls === 2);
  expect(errors.map(({ message }) => message)).toEqual(["bug"]);
});

test("what waited while the machine was slow is no flood: all of it is taken", async () => {
  let taken = 0;
  const socket = await bind({
    address: "127.0.0.1",
    port: 0,
    onDatagram() {
      taken++;
      Bun.sleepSync(1);
    },
    onError: () => {},
  });
  sockets.push(socket);
  const sender = await Bun.udpSocket({ connect: { hostname: "127.0.0.1", port: socket.port } });
  expect(sender.sendMany(Array<string>(150).fill("nas"))).toBe(150); // in one turn of the loop
  await eventually("150 datagrams", () => taken === 150);
  sender.close();
});

test("a connected socket sends to its peer, and says so", async () => {
  await using peer = await receiver();
  const socket = await connect("127.0.0.1", peer.port);
  expect(socket.send(Buffer.from("nas"))).toBe(true);
  socket.close();
  expect((await peer.next()).toString()).toBe("nas");
});

onIPv6("a connected socket reaches IPv6 as well", async () => {
  await using peer = await receiver("::1");
  const socket = await connect("::1", peer.port);
  expect(socket.send(Buffer.from("nas"))).toBe(true);
  socket.close();
  expect((await peer.next()).toString()).toBe("nas");
});

test("a peer that is not there ends nobody's process: its ICMP error is taken", async () => {
  const gone = await receiver();
  await gone[Symbol.asyncDispose]();
  // In a process of its own, in the shape of a daemon: a test's pending await would hide the crash.
  const udp = JSON.stringify(Bun.pathToFileURL(`${import.meta.dir}/../../src/system/udp.ts`).href);
  const script = `
    import { connect } from ${udp};
    connect("127.0.0.1", ${gone.port}).then((socket) => {
      socket.send(Buffer.from("nas"));
      setTimeout(() => { socket.close(); console.log("alive"); }, 100);
    });`;
  const run = Bun.spawn([process.execPath, "-e", script], { stderr: "pipe" });
  expect(await run.stdout.text()).toBe("alive\n");
  expect(await run.exited).toBe(0);
});
