/**
 * A network of a test's own: two namespaces of Linux, one for a server and one for a client, with a
 * cable between them. Needs Linux, root and iproute2.
 */

export type Side = "server" | "client";

/** Why there can be no such network here; undefined where there can. */
export function whyNoNetwork(): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid!() !== 0) return "needs root, for network namespaces";
  if (Bun.which("ip") === null) return "needs ip (Debian: iproute2)";
  const name = `dynip-${process.pid}-try`;
  if (!Bun.spawnSync(["ip", "netns", "add", name]).success) return "no network namespaces here";
  const { success } = Bun.spawnSync(["ip", "netns", "delete", name]);
  return success ? undefined : "no network namespaces here";
}

export interface Network {
  /** The beginning of a command that runs on one side. */
  on(side: Side): string[];
  /** Runs ip(8) on one side, with the words of `command`. */
  ip(side: Side, command: string): void;
  [Symbol.dispose](): void;
}

let networks = 0;

/** Makes a network. Each side has `lo`, and `eth0` on the cable, without addresses. */
export function newNetwork(): Network {
  const prefix = `dynip-${process.pid}-${++networks}`;
  const nameOf = (side: Side): string => `${prefix}-${side}`;
  const ip = (...args: string[]): void => {
    const { success, stderr } = Bun.spawnSync(["ip", ...args], { timeout: 5000 });
    if (!success) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
  };
  const network: Network = {
    on: (side) => ["ip", "netns", "exec", nameOf(side)],
    ip: (side, command) => ip("-n", nameOf(side), ...command.split(" ")),
    [Symbol.dispose]() {
      for (const side of SIDES) Bun.spawnSync(["ip", "netns", "delete", nameOf(side)]);
    },
  };
  try {
    for (const side of SIDES) ip("netns", "add", nameOf(side));
    network.ip("server", `link add eth0 type veth peer name eth0 netns ${nameOf("client")}`);
    for (const side of SIDES) {
      network.ip(side, "link set lo up");
      network.ip(side, "link set eth0 up");
    }
    return network;
  } catch (error) {
    network[Symbol.dispose]();
    throw error;
  }
}

const SIDES: readonly Side[] = ["server", "client"];
