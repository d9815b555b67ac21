/** Where a client sends plain pings, and what it knows then. Signed ones are in exchange.test.ts. */
import { describe, expect, test } from "bun:test";

import {
  type ClientParts,
  type Destination,
  NoAddressError,
  pingServer,
  sendPacket,
} from "../../src/client/client.ts";
import { connect } from "../../src/system/udp.ts";
import { receiver } from "../temporary.ts";

const unreachable = Object.assign(new Error("ENETUNREACH"), { code: "ENETUNREACH" });

/** A network in which some addresses cannot be reached. It keeps what is sent. */
function network(addresses: string[], unreachables: string[] = []) {
  const sent: string[] = [];
  let open = 0;
  let clock = 0;
  const parts: ClientParts = {
    resolve: async (hostname) => {
      expect(hostname).toBe("vps.example.com");
      return addresses;
    },
    connect: async (address, port) => {
      if (unreachables.includes(address)) throw unreachable;
      open++;
      return {
        send(datagram) {
          sent.push(`${Buffer.from(datagram)} to ${address} port ${port}`);
          return true;
        },
        close: () => void open--,
      };
    },
    now: () => clock,
    monotonic: () => clock,
    // Time passes when nothing else can happen.
    async sleep(milliseconds, signal) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!signal.aborted) clock += milliseconds;
    },
    nonce: () => "0".repeat(16),
    observe() {},
  };
  return { sent, open: () => open, elapsed: () => clock, parts };
}

const to = (family: Destination["family"]): Destination => ({
  hostname: "vps.example.com",
  port: 28630,
  family,
});
const NAS = { name: "nas", key: undefined };

const FOUR = "203.0.113.1";
const SIX = "2001:db8::1";

describe("a server with both families", () => {
  test.each([
    ["any", [FOUR]],
    ["ipv4", [FOUR]],
    ["ipv6", [SIX]],
    ["both", [FOUR, SIX]],
  ] as const)("family %s pings %p", async (family, addresses) => {
    const { sent, open, elapsed, parts } = network([SIX, FOUR]);
    const results = await pingServer(NAS, to(family), Infinity, parts);
    expect(results).toEqual(addresses.map((address) => ({ kind: "sent", address })));
    expect(sent).toEqual(addresses.map((address) => `nas to ${address} port 28630`));
    expect(open()).toBe(0);
    expect(elapsed()).toBe(0);
  });
});

test("any falls back to IPv6 where IPv4 cannot be reached, and sends once", async () => {
  const { sent, parts } = network([FOUR, SIX], [FOUR]);
  expect(await pingServer(NAS, to("any"), Infinity, parts)).toEqual([
    { kind: "sent", address: SIX },
  ]);
  expect(sent).toHaveLength(1);
});

test("of several addresses the first that can be reached is used", async () => {
  const { sent, parts } = network([FOUR, "203.0.113.2", "203.0.113.3"], [FOUR]);
  expect(await pingServer(NAS, to("ipv4"), Infinity, parts)).toEqual([
    { kind: "sent", address: "203.0.113.2" },
  ]);
  expect(sent).toHaveLength(1);
});

test("both says which family failed, and still sends in the other", async () => {
  const { sent, parts } = network([FOUR, SIX], [SIX]);
  expect(await pingServer(NAS, to("both"), Infinity, parts)).toEqual([
    { kind: "sent", address: FOUR },
    { kind: "failed", error: unreachable, family: "ipv6" },
  ]);
  expect(sent).toHaveLength(1);
});

test("a family in which the server has no address is a failure at once", async () => {
  const { sent, elapsed, parts } = network([FOUR]);
  const [result] = await pingServer(NAS, to("ipv6"), Infinity, parts);
  expect(result).toMatchObject({ kind: "failed", family: "ipv6" });
  expect((result as { error: Error }).error).toBeInstanceOf(NoAddressError);
  expect(sent).toEqual([]);
  expect(elapsed()).toBe(0);
});

describe("a machine that has just booted", () => {
  const notFound = Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" });

  test("tries again when the resolver does not know yet", async () => {
    const { sent, elapsed, parts } = network([FOUR]);
    let tries = 0;
    const resolve = async () => {
      if (++tries < 4) throw notFound;
      return [FOUR];
    };
    const results = await pingServer(NAS, to("any"), Infinity, { ...parts, resolve });
    expect(results).toEqual([{ kind: "sent", address: FOUR }]);
    expect(sent).toHaveLength(1);
    expect(elapsed()).toBe(3500); // the fourth time of the schedule
  });

  test("tries again when the network is not up yet", async () => {
    const down = [FOUR];
    const { sent, elapsed, parts } = network([FOUR], down);
    const sleep = async (milliseconds: number, signal: AbortSignal): Promise<void> => {
      await parts.sleep(milliseconds, signal);
      if (parts.monotonic() >= 1500) down.pop();
    };
    const results = await pingServer(NAS, to("any"), Infinity, { ...parts, sleep });
    expect(results).toEqual([{ kind: "sent", address: FOUR }]);
    expect(sent).toHaveLength(1);
    expect(elapsed()).toBe(1500);
  });

  test("does not wait when waiting cannot help", async () => {
    const { elapsed, parts } = network([FOUR]);
    const denied = Object.assign(new Error("EACCES"), { code: "EACCES" });
    const connect = () => Promise.reject(denied);
    for (const key of [undefined, new Uint8Array(32)]) {
      const results = await pingServer({ ...NAS, key }, to("ipv4"), Infinity, {
        ...parts,
        connect,
      });
      expect(results).toEqual([{ kind: "failed", error: denied, family: "ipv4" }]);
    }
    expect(elapsed()).toBe(0);
  });

  test("gives up in time: one failure, whatever the family", async () => {
    const resolve = () => Promise.reject(notFound);
    for (const [timeout, seconds] of [
      [Infinity, 31.5],
      [5000, 5],
      [0, 0],
    ] as const) {
      for (const family of ["any", "both"] as const) {
        const { elapsed, parts } = network([]);
        expect(await pingServer(NAS, to(family), timeout, { ...parts, resolve })).toEqual([
          { kind: "failed", error: notFound },
        ]);
        expect(elapsed()).toBe(seconds * 1000);
      }
    }
  });
});

test("a send queue that is full is a failure, and the socket is closed", async () => {
  let closed = 0;
  const full = async () => ({ send: () => false, close: () => void closed++ });
  await expect(sendPacket(FOUR, 1, "nas", full)).rejects.toThrow("queue is full");
  expect(closed).toBe(1);
});

test("on a real socket, a plain ping is the name's bytes and nothing more", async () => {
  await using server = await receiver();
  await sendPacket("127.0.0.1", server.port, "büro", connect);
  expect(await server.next()).toEqual(Buffer.from("büro"));
  await Bun.sleep(20);
  expect(server.pending).toEqual([]);
});
