/**
 * The command of NOTICES.md that lets a WireGuard interface follow a peer, in network namespaces: by the
 * kernel's WireGuard, or else by wireguard-go. Skipped where there is neither.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { cleanEnvironment, outputOf, runProcess, startProcess } from "../processes.ts";
import { temporaryFolder } from "../temporary.ts";
import { eventually, TEST_MS } from "../waiting.ts";
import { newNetwork, type Side, whyNoNetwork } from "./network.ts";

setDefaultTimeout(TEST_MS);

const NOTICES = await Bun.file(join(import.meta.dir, "..", "..", ".github", "NOTICES.md")).text();

/** The names of the interfaces: wireguard-go has one folder for those of all namespaces. */
const INTERFACES: Readonly<Record<Side, string>> = {
  server: `wg${process.pid}s`,
  client: `wg${process.pid}c`,
};
const INSIDE: Readonly<Record<Side, string>> = { server: "192.168.77.1", client: "192.168.77.9" };

function inKernel(): boolean {
  const name = INTERFACES.server;
  const { success } = Bun.spawnSync(["ip", "link", "add", name, "type", "wireguard"]);
  if (success) Bun.spawnSync(["ip", "link", "delete", name]);
  return success;
}

function whyNot(): string | undefined {
  const missing = ["wg", "ping"].find((program) => !Bun.which(program));
  if (missing) return `there is no ${missing} (Debian: wireguard-tools, iputils-ping)`;
  return (
    whyNoNetwork() ??
    (inKernel() || Bun.which("wireguard-go")
      ? undefined
      : "neither the kernel nor wireguard-go has WireGuard")
  );
}
const why = whyNot();

describe.skipIf(why !== undefined)(`WireGuard${why ? ` (skipped: ${why})` : ""}`, () => {
  test("the server reaches a peer that has moved, once the command has run", async () => {
    using network = newNetwork();
    await using folder = await temporaryFolder();
    await using stack = new AsyncDisposableStack();
    network.ip("server", "address add 10.77.0.1/24 dev eth0");
    network.ip("client", "address add 10.77.0.9/24 dev eth0");
    const keys = { server: await newKey(), client: await newKey() };
    for (const [side, other] of [
      ["server", "client"],
      ["client", "server"],
    ] as const) {
      const name = INTERFACES[side];
      if (inKernel()) network.ip(side, `link add ${name} type wireguard`);
      else {
        const command = [...network.on(side), "wireguard-go", "-f", name];
        const running = startProcess(command, { deadline: TEST_MS });
        stack.defer(async () => void (await running.stop())); // so that it removes its socket
      }
      const key = folder.file(side);
      await Bun.write(key, keys[side].secret);
      const peer = ["peer", keys[other].public, "allowed-ips", `${INSIDE[other]}/32`];
      const port = side === "client" ? ["listen-port", "51820"] : [];
      const set = [...network.on(side), "wg", "set", name, "private-key", key, ...port, ...peer];
      await eventually(`wg on the ${side}`, async () => (await runProcess(set)).exitCode === 0);
      network.ip(side, `address add ${INSIDE[side]}/24 dev ${name}`);
      network.ip(side, `link set ${name} up`);
    }
    const script = folder.file("script");
    const block = NOTICES.split("```sh\n").find((text) => text.includes("wg set wg0"))!;
    const text = block
      .split("```")[0]!
      .replace("wg0", INTERFACES.server)
      .replace("PUBLIC KEY OF nas", keys.client.public);
    await Bun.write(script, text);
    const tell = async (event: string, name: string, address: string): Promise<void> => {
      const env = { DYNIP_EVENT: event, DYNIP_NAME: name, DYNIP_FAMILY: "ipv4" };
      await outputOf([...network.on("server"), "sh", script], {
        env: { ...cleanEnvironment(), ...env, DYNIP_ADDRESS: address },
      });
    };
    const reaches = async (): Promise<boolean> => {
      const ping = ["ping", "-n", "-c", "1", "-W", "1", INSIDE.client];
      return (await runProcess([...network.on("server"), ...ping])).exitCode === 0;
    };

    // A ping now would fail, and WireGuard would wait for five seconds before it tries again.
    const show = [...network.on("server"), "wg", "show", INTERFACES.server, "endpoints"];
    expect(await outputOf(show)).toEndWith("\t(none)\n");
    await tell("new", "nas", "10.77.0.9");
    await eventually("nas through the tunnel", reaches);
    network.ip("client", "address delete 10.77.0.9/24 dev eth0");
    network.ip("client", "address add 10.77.0.10/24 dev eth0");
    expect(await reaches()).toBe(false);
    for (const [event, name] of [
      ["silent", "nas"],
      ["moved", "pi"],
    ] as const) {
      await tell(event, name, "10.77.0.10");
    }
    expect(await reaches()).toBe(false);
    await tell("moved", "nas", "10.77.0.10");
    await eventually("nas through the tunnel again", reaches);
  });
});

async function newKey(): Promise<{ secret: string; public: string }> {
  const secret = await outputOf(["wg", "genkey"]);
  return { secret, public: (await outputOf(["wg", "pubkey"], { input: secret })).trim() };
}
