/**
 * A server on `*` on a machine with several addresses: it answers each client from the address that
 * was asked, so that the answer is taken. In network namespaces, with the compiled binary.
 */
import { describe, expect, test } from "bun:test";

import { temporaryFolder } from "../temporary.ts";
import { dynip, serve } from "./dynip.ts";
import { newNetwork, whyNoNetwork } from "./network.ts";
import { SECRET } from "./wire.ts";

const why = whyNoNetwork();
const env = { DYNIP_SECRET: SECRET };
const PORT = 28630;

/** A server with these addresses, each on an interface, and a client on the cable to `eth0`. */
async function newWorld(...addresses: readonly [address: string, device: string][]) {
  const network = newNetwork();
  const folder = await temporaryFolder();
  const server = {
    add: (address: string, device = "eth0") =>
      network.ip("server", `address add ${address} dev ${device}${nodad(address)}`),
    remove: (address: string, device = "eth0") =>
      network.ip("server", `address delete ${address} dev ${device}`),
  };
  try {
    network.ip("server", "link add eth1 type veth peer name eth1-end");
    for (const device of ["eth1", "eth1-end"]) network.ip("server", `link set ${device} up`);
    for (const [address, device] of addresses) server.add(address, device);
    for (const address of ["10.77.0.9/24", "fd77::9/64"]) {
      network.ip("client", `address add ${address} dev eth0${nodad(address)}`);
    }
    network.ip("client", "route add 10.78.0.0/24 via 10.77.0.1");
    network.ip("client", "route add fd78::/64 via fd77::1");
    const config = folder.file("server.toml");
    await Bun.write(config, `[server]\nserver_port = ${PORT}\n`);
    const running = await serve(["-v", config], { env, within: network.on("server") });
    return {
      ...server,
      running,
      /** The exit code of a ping to an address of the server. */
      async ping(address: string, timeout = "5"): Promise<number> {
        const file = folder.file("client.toml");
        await Bun.write(
          file,
          `[client]\nclient_name = "nas"\nserver_hostname = "${address}"\nserver_port = ${PORT}\n`,
        );
        const within = network.on("client");
        return (await dynip(["ping", "--timeout", timeout, file], { env, within })).exitCode;
      },
      async [Symbol.asyncDispose]() {
        await running[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
        network[Symbol.dispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    network[Symbol.dispose]();
    throw error;
  }
}

/** An IPv6 address of a test is there at once, not after duplicate address detection. */
function nodad(address: string): string {
  return address.includes(":") ? " nodad" : "";
}

describe.skipIf(why !== undefined)(`a server on *${why ? ` (skipped: ${why})` : ""}`, () => {
  const ONE_INTERFACE: [string, string][] = [
    ["10.77.0.1/24", "eth0"],
    ["10.77.0.2/24", "eth0"],
    ["10.77.0.3/32", "eth0"],
    ["fd77::1/64", "eth0"],
    ["fd77::2/64", "eth0"],
  ];

  test("with several addresses on one interface answers from each", async () => {
    await using world = await newWorld(...ONE_INTERFACE);
    for (const [address] of ONE_INTERFACE) {
      const asked = address.replace(/\/.*/, "");
      expect([asked, await world.ping(asked)]).toEqual([asked, 0]);
    }
    expect(world.running.stderr()).toContain(
      `listening on UDP port ${PORT}, every interface, IPv6 and IPv4\n`,
    );
    const { exitCode } = await world.running.stop();
    expect(exitCode).toBe(0);
  }, 40_000);

  test("with addresses on two interfaces answers from the one that is further away", async () => {
    await using world = await newWorld(
      ["10.77.0.1/24", "eth0"],
      ["fd77::1/64", "eth0"],
      ["10.78.0.1/24", "eth1"],
      ["fd78::1/64", "eth1"],
    );
    for (const asked of ["10.77.0.1", "10.78.0.1", "fd77::1", "fd78::1"]) {
      expect([asked, await world.ping(asked)]).toEqual([asked, 0]);
    }
  }, 40_000);

  test("answers from an address that comes while it runs, goes, and comes back", async () => {
    await using world = await newWorld(["10.77.0.1/24", "eth0"], ["fd77::1/64", "eth0"]);
    for (const [address, bits] of [
      ["10.77.0.2", 24],
      ["fd77::2", 64],
    ] as const) {
      for (let round = 0; round < 2; round++) {
        world.add(`${address}/${bits}`);
        expect([address, await world.ping(address)]).toEqual([address, 0]);
        world.remove(`${address}/${bits}`);
        expect(await world.ping(address, "0.3")).not.toBe(0);
      }
    }
    for (const asked of ["10.77.0.1", "fd77::1"]) expect(await world.ping(asked)).toBe(0);
  }, 60_000);
});
