/** A socket for each address, on loopback: 127.0.0.0/8 is all of this machine on Linux. */
import { afterEach, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { once } from "node:events";

import { ManyAddresses, ownAddresses } from "../../src/system/many-addresses.ts";
import { fdOf } from "../../src/system/setsockopt.ts";
import { bind, connect } from "../../src/system/udp.ts";
import { hasIPv6 } from "../temporary.ts";
import { eventually } from "../waiting.ts";

const onLinux = describe.skipIf(process.platform !== "linux");
const withIPv6 = await hasIPv6();

const open: { close(): void }[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

/** A socket on every address, and those beside it. All receive into one list. */
async function manyAddresses() {
  const received: [address: string, text: string][] = [];
  const errors: Error[] = [];
  const warnings: string[] = [];
  const machine = { addresses: [] as string[], now: 0 };
  const openSocket = async (hostname: string, port: number, flags: number) => {
    const options = {
      hostname,
      port,
      flags,
      socket: {
        data: (_socket: unknown, datagram: Buffer) =>
          void received.push([hostname, datagram.toString()]),
        error() {},
      },
    };
    const socket = await Bun.udpSocket(options);
    open.push(socket);
    return socket;
  };
  const everywhere = await openSocket(withIPv6 ? "::" : "0.0.0.0", 0, 0);
  const { port } = everywhere;
  const many = new ManyAddresses({
    everywhere: { fd: fdOf(everywhere) },
    addresses: () => {
      if (machine.addresses.includes("error")) throw new Error("getifaddrs");
      return machine.addresses;
    },
    now: () => machine.now,
    async open(address) {
      const socket = await openSocket(address, port, 4);
      return { fd: fdOf(socket), close: () => socket.close() };
    },
    onError: (error) => errors.push(error),
    log: { warn: (message, hint) => warnings.push(message, hint ?? "") },
  });
  return {
    many,
    port,
    errors,
    warnings,
    /** Sets the addresses, and looks at them when the time has come. */
    async has(...addresses: string[]) {
      machine.addresses = addresses;
      machine.now += 400;
      await many.look();
    },
    machine,
    /** Which socket receives what is sent to an address. */
    async receiverAt(address: string): Promise<string> {
      const text = `${address} ${received.length}`;
      const sender = await connect(address, port);
      sender.send(Buffer.from(text));
      await eventually(text, () => received.at(-1)?.[1] === text);
      sender.close();
      return received.at(-1)![0];
    },
  };
}

onLinux("sockets at many addresses", () => {
  const EVERYWHERE = withIPv6 ? "::" : "0.0.0.0";

  test("come and go with the addresses", async () => {
    const { has, receiverAt, errors } = await manyAddresses();
    expect(await receiverAt("127.0.0.2")).toBe(EVERYWHERE);
    await has("127.0.0.1", "127.0.0.2");
    expect(await receiverAt("127.0.0.1")).toBe("127.0.0.1");
    expect(await receiverAt("127.0.0.2")).toBe("127.0.0.2");
    expect(await receiverAt("127.0.0.3")).toBe(EVERYWHERE);
    await has("127.0.0.2", "127.0.0.3");
    expect(await receiverAt("127.0.0.1")).toBe(EVERYWHERE);
    expect(await receiverAt("127.0.0.2")).toBe("127.0.0.2");
    expect(await receiverAt("127.0.0.3")).toBe("127.0.0.3");
    await has();
    expect(await receiverAt("127.0.0.3")).toBe(EVERYWHERE);
    await has("127.0.0.3", "127.0.0.3"); // two interfaces may have the same address
    expect(await receiverAt("127.0.0.3")).toBe("127.0.0.3");
    expect(errors).toEqual([]);
  });

  test.skipIf(!withIPv6)("are of both families", async () => {
    const { has, receiverAt } = await manyAddresses();
    await has("::1", "127.0.0.1");
    expect(await receiverAt("::1")).toBe("::1");
    expect(await receiverAt("127.0.0.1")).toBe("127.0.0.1");
  });

  test("are looked for every 400 ms at most", async () => {
    const { many, machine, has, receiverAt } = await manyAddresses();
    await has("127.0.0.1");
    machine.addresses = ["127.0.0.2"];
    machine.now += 399;
    await many.look();
    expect(await receiverAt("127.0.0.2")).toBe(EVERYWHERE);
    machine.now += 1;
    await many.look();
    expect(await receiverAt("127.0.0.2")).toBe("127.0.0.2");
  });

  test("an address that cannot be bound is left to the socket everywhere, and tried again", async () => {
    const { has, receiverAt, errors, many } = await manyAddresses();
    await has("192.0.2.254", "127.0.0.2");
    expect(errors).toEqual([expect.objectContaining({ code: "EADDRNOTAVAIL" })]);
    expect(many.get("192.0.2.254")).toBeUndefined();
    expect(await receiverAt("127.0.0.2")).toBe("127.0.0.2");
    await has("192.0.2.254");
    expect(errors.length).toBe(2);
  });

  test("stay as they are when the system does not list its addresses, which is said once", async () => {
    const { has, receiverAt, warnings } = await manyAddresses();
    await has("127.0.0.2");
    await has("error");
    await has("error");
    expect(await receiverAt("127.0.0.2")).toBe("127.0.0.2");
    expect(warnings).toEqual([
      "Cannot list the addresses of this machine: getifaddrs",
      "a service must allow AF_NETLINK; until then, where there are several, name one as server_ip",
    ]);
  });

  test("nobody else can bind the port, at one address or at all, in any way", async () => {
    const { has, port } = await manyAddresses();
    await has("127.0.0.1", "127.0.0.2");
    for (const reuse of [{}, { reusePort: true }, { reuseAddr: true }]) {
      for (const address of ["127.0.0.1", "127.0.0.2", "127.0.0.3", "0.0.0.0"]) {
        const thief = createSocket({ type: "udp4", ...reuse });
        open.push(thief);
        thief.bind(port, address);
        const [error] = await once(thief, "error");
        expect(error.code).toBe("EADDRINUSE");
      }
    }
  });

  test("all close", async () => {
    const { has, many, port } = await manyAddresses();
    await has("127.0.0.1", "127.0.0.2");
    many.close();
    expect(many.get("127.0.0.1")).toBeUndefined();
    for (const socket of open.splice(0, 1)) socket.close(); // that on every address
    const next = await bind({ address: "*", port, onDatagram() {}, onError() {} });
    open.push(next);
    expect(next.port).toBe(port);
  });
});

onLinux("a socket on *", () => {
  test.each(withIPv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"])(
    "answers from %s, which was asked",
    async (address) => {
      const socket = await bind({
        address: "*",
        port: 0,
        onDatagram: (datagram, _address, port, peer) =>
          socket.send(Uint8Array.from(datagram), port, peer),
        onError() {},
      });
      open.push(socket);
      const replies: string[] = [];
      const client = await connect(address, socket.port, (datagram) => {
        replies.push(Buffer.from(datagram).toString());
      });
      open.push(client);
      client.send(Buffer.from("nas"));
      await eventually("the answer", () => replies.length > 0);
      expect(replies).toEqual(["nas"]);
    },
  );
});

test("the addresses of this machine are those of loopback, and no link-local ones", () => {
  const addresses = ownAddresses(true);
  expect(addresses).toContain("127.0.0.1");
  if (withIPv6) expect(addresses).toContain("::1");
  expect(addresses.filter((address) => address.startsWith("fe80:"))).toEqual([]);
  expect(ownAddresses(false).filter((address) => address.includes(":"))).toEqual([]);
});
