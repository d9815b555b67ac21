/** What a socket does about a flood: with filters in the kernel, and where there are none. */
import { afterEach, describe, expect, jest, spyOn, test } from "bun:test";

import { SIGNED_SHAPES } from "../../src/protocol/message.ts";
import { FilterGuard } from "../../src/system/flood.ts";
import { raiseReceiveBuffer } from "../../src/system/receive-buffer.ts";
import { fdOf } from "../../src/system/setsockopt.ts";
import { bind } from "../../src/system/udp.ts";
import { startProcess } from "../processes.ts";
import { sendDatagrams } from "../temporary.ts";
import { eventually } from "../waiting.ts";

const PING = "dynip/1 P ".padEnd(150, "0");
const onLinux = describe.skipIf(process.platform !== "linux");

const sockets: { close(): void }[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

onLinux("a guard by filters", () => {
  /** A socket with a guard, and a sender. */
  async function guarded(shapes: typeof SIGNED_SHAPES | undefined) {
    const received: string[] = [];
    const socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: { data: (_socket, datagram) => void received.push(datagram.toString()) },
    });
    const guard = new FilterGuard(shapes);
    sockets.push(socket, guard);
    expect(guard.add(fdOf(socket))).toBe(true);
    const sender = await Bun.udpSocket({
      connect: { hostname: "127.0.0.1", port: socket.port },
    });
    sockets.push(sender);
    return {
      guard,
      fd: fdOf(socket),
      /** What is received of these, which are sent at once. */
      async receives(...datagrams: string[]): Promise<string[]> {
        for (const datagram of datagrams) sender.send(datagram);
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
        return received.splice(0);
      },
    };
  }

  test("lets everything through until there is a flood, and again a minute after", async () => {
    jest.useFakeTimers();
    try {
      const { guard, receives } = await guarded(SIGNED_SHAPES);
      expect(await receives("nas", PING)).toEqual(["nas", PING]);
      guard.onPressure("flood");
      expect(await receives("nas", PING)).toEqual([PING]);
      jest.advanceTimersByTime(59_000);
      guard.onPressure("flood"); // which goes on, and makes the minute no longer
      expect(await receives("nas", PING)).toEqual([PING]);
      jest.advanceTimersByTime(1000);
      expect(await receives("nas", PING)).toEqual(["nas", PING]);
      guard.onPressure("flood");
      expect(await receives("nas", PING)).toEqual([PING]);
    } finally {
      jest.useRealTimers();
    }
  });

  test("lets everything through all the time where every datagram is wanted", async () => {
    const { guard, receives } = await guarded(undefined);
    guard.onPressure("flood");
    expect(await receives("nas", PING)).toEqual(["nas", PING]);
  });

  test.each([
    ["what is wanted", SIGNED_SHAPES, [PING]],
    ["everything, where it is wanted", undefined, ["nas", PING]],
  ])("receives nothing while it is paused, then %s", async (_what, shapes, after) => {
    const { guard, receives } = await guarded(shapes);
    guard.onPressure("starving");
    expect(await receives("nas", PING)).toEqual([]);
    await eventually("the end of the pause", async () => (await receives(PING)).length > 0);
    expect(await receives("nas", PING)).toEqual([...after]);
  });

  test("guards a socket that comes during a flood, until it goes", async () => {
    const { guard, receives } = await guarded(SIGNED_SHAPES);
    const second = await guarded(undefined);
    guard.onPressure("flood");
    expect(guard.add(second.fd)).toBe(true);
    expect(await second.receives("nas", PING)).toEqual([PING]);
    guard.remove(second.fd);
    guard.onPressure("starving");
    expect(await receives(PING)).toEqual([]);
    expect(await second.receives(PING)).toEqual([PING]);
  });
});

onLinux("a bound socket that is flooded", () => {
  test("receives what is wanted alone; what is no flood, all of it", async () => {
    const received: string[] = [];
    const socket = await bind({
      address: "127.0.0.1",
      port: 0,
      onDatagram: (datagram) => void received.push(Buffer.from(datagram).toString()),
      onError: () => {},
      shapes: SIGNED_SHAPES,
    });
    sockets.push(socket);
    const sender = await Bun.udpSocket({ connect: { hostname: "127.0.0.1", port: socket.port } });
    sockets.push(sender);
    /** Sends junk, at once, and a ping, and says how many of the junk were received. */
    const burst = async (junk: number): Promise<number> => {
      received.length = 0;
      expect(sender.sendMany(Array<string>(junk).fill("junk"))).toBe(junk);
      sender.send(PING);
      await eventually("the ping", () => received.includes(PING));
      return received.length - 1;
    };
    expect(await burst(200)).toBe(200);
    await eventually("the filter", async () => (await burst(900)) === 0);
  });
});

describe("a bound socket without filters", () => {
  /** Sockets of which the system cannot be asked anything, as on Windows. */
  function withoutFilters() {
    const original = Bun.udpSocket;
    const ports: number[] = [];
    let before = async (): Promise<void> => {};
    const spy = spyOn(Bun, "udpSocket").mockImplementation((async (options: never) => {
      await before();
      const socket = await original(options);
      // As large as that of macOS at least: what comes while the loop stands still fills the backlog.
      raiseReceiveBuffer(fdOf(socket));
      Object.defineProperty(socket, "fd", { value: -1 });
      ports.push(socket.port);
      return socket;
    }) as unknown as typeof Bun.udpSocket);
    return {
      /** The real thing. */
      original,
      /** Of the sockets that were opened. */
      ports,
      /** Called before a socket is opened. */
      beforeOpening: (call: () => Promise<void>) => (before = call),
      [Symbol.dispose]: () => spy.mockRestore(),
    };
  }

  async function flooded() {
    const said: string[] = [];
    const log = {
      error: (message: string, hint?: string) => said.push(`error: ${message}`, `hint: ${hint}`),
      warn: (message: string) => said.push(`warning: ${message}`),
      log: (message: string) => said.push(message),
    };
    let handled = 0;
    const socket = await bind({
      address: "127.0.0.1",
      port: 0,
      onDatagram: () => {
        handled++;
        const end = performance.now() + 0.05;
        while (performance.now() < end);
      },
      onError: () => {},
      log,
    });
    sockets.push(socket);
    return { socket, said, handled: () => handled };
  }

  /** Sends from a process of its own until the scope ends. */
  const flood = (port: number) =>
    startProcess([process.execPath, `${import.meta.dir}/../flood.ts`, "junk", `${port}`, "15"]);

  test("is closed for a moment, and bound to its port again", async () => {
    using without = withoutFilters();
    const { socket, said, handled } = await flooded();
    {
      await using _noise = flood(socket.port);
      await eventually("bound again twice", () => without.ports.length >= 3);
    }
    expect(without.ports).toEqual(without.ports.map(() => socket.port));
    const before = handled();
    await eventually("another datagram", async () => {
      await sendDatagrams(["nas"], socket.port);
      return handled() > before;
    });
    expect(said).toEqual([]);
  });

  test("says once that another program took its port, tries again, and says that it is back", async () => {
    using without = withoutFilters();
    const { socket, said, handled } = await flooded();
    let thief: { close(): void } | undefined;
    let attempts = 0;
    without.beforeOpening(async () => {
      attempts++;
      thief ??= await without.original({ hostname: "127.0.0.1", port: socket.port });
    });
    {
      await using _noise = flood(socket.port);
      await eventually("three attempts", () => attempts >= 3);
    }
    expect(said).toEqual([
      `error: Cannot listen on UDP port ${socket.port} any more: the port is in use; no ping is received`,
      "hint: a flood closed the port for a moment, and another program took it; it is tried again until it is free",
    ]);
    thief!.close();
    await eventually("it listens", () => said.length > 2);
    expect(said.slice(2)).toEqual([`listening on UDP port ${socket.port} again`]);
    const before = handled();
    await sendDatagrams(["nas"], socket.port);
    await eventually("a datagram", () => handled() > before);
  });
});
