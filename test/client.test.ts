import { describe, expect, test } from "bun:test";

import { type Destination, pingServer, sendPacket } from "../src/client.ts";
import { connect } from "../src/udp.ts";
import { receiver } from "./temporary.ts";

const unreachable = Object.assign(new Error("ENETUNREACH"), { code: "ENETUNREACH" });

/** A network in which some addresses cannot be reached; what is sent is kept. */
function network(addresses: string[], unreachables: string[] = []) {
  const sent: string[] = [];
  let open = 0;
  return {
    sent,
    open: () => open,
    parts: {
      resolve: async (hostname: string) => {
        expect(hostname).toBe("vps.example.com");
        return addresses;
      },
      connect: async (address: string, port: number) => {
        if (unreachables.includes(address)) throw unreachable;
        open++;
        return {
          send(datagram: Uint8Array) {
            sent.push(`${Buffer.from(datagram)} to ${address} port ${port}`);
            return true;
          },
          close: () => void open--,
        };
      },
    },
  };
}

const to = (family: Destination["family"]): Destination => ({
  hostname: "vps.example.com",
  port: 28630,
  family,
});

const FOUR = "203.0.113.1";
const SIX = "2001:db8::1";

describe("of a server with both families", () => {
  test.each([
    ["any", [FOUR]],
    ["ipv4", [FOUR]],
    ["ipv6", [SIX]],
    ["both", [FOUR, SIX]],
  ] as const)("family %s pings %p", async (family, addresses) => {
    const { sent, open, parts } = network([SIX, FOUR]);
    const results = await pingServer("nas", to(family), parts);
    expect(results).toEqual(addresses.map((address) => ({ sent: true, address })));
    expect(sent).toEqual(addresses.map((address) => `nas to ${address} port 28630`));
    expect(open()).toBe(0);
  });
});

test("any falls back to IPv6 where IPv4 cannot be reached, and sends once", async () => {
  const { sent, parts } = network([FOUR, SIX], [FOUR]);
  expect(await pingServer("nas", to("any"), parts)).toEqual([{ sent: true, address: SIX }]);
  expect(sent).toHaveLength(1);
});

test("of several addresses the first that can be reached is used", async () => {
  const { sent, parts } = network([FOUR, "203.0.113.2", "203.0.113.3"], [FOUR]);
  expect(await pingServer("nas", to("ipv4"), parts)).toEqual([
    { sent: true, address: "203.0.113.2" },
  ]);
  expect(sent).toHaveLength(1);
});

test("both says which family failed, and still sends in the other", async () => {
  const { sent, parts } = network([FOUR, SIX], [SIX]);
  expect(await pingServer("nas", to("both"), parts)).toEqual([
    { sent: true, address: FOUR },
    { sent: false, error: unreachable, family: "ipv6" },
  ]);
  expect(sent).toHaveLength(1);
});

test("a family in which the server has no address is a failure", async () => {
  const { sent, parts } = network([FOUR]);
  const [result] = await pingServer("nas", to("ipv6"), parts);
  expect(result).toMatchObject({ sent: false, family: "ipv6" });
  expect(sent).toEqual([]);
});

test("a name that cannot be resolved is one failure, whatever the family", async () => {
  const error = Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" });
  const { parts } = network([]);
  const resolve = () => Promise.reject(error);
  for (const family of ["any", "both"] as const) {
    expect(await pingServer("nas", to(family), { ...parts, resolve })).toEqual([
      { sent: false, error },
    ]);
  }
});

test("a send queue that is full is a failure, and the socket is closed", async () => {
  let closed = 0;
  const full = async () => ({ send: () => false, close: () => void closed++ });
  await expect(sendPacket(FOUR, 1, "nas", full)).rejects.toThrow("queue is full");
  expect(closed).toBe(1);
});

test("on a real socket, the datagram is the name's bytes and nothing more", async () => {
  await using server = await receiver();
  await sendPacket("127.0.0.1", server.port, "büro", connect);
  expect(await server.next()).toEqual(Buffer.from("büro"));
  await Bun.sleep(20);
  expect(server.pending).toEqual([]);
});
