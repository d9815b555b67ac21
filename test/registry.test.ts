import { expect, test } from "bun:test";

import { type Hosts, Registry } from "../src/registry.ts";

const HOME = "203.0.113.7";
const AWAY = "198.51.100.9";
const SIX = "2001:db8::7";

function newRegistry(maxClients = 3): { hosts: Hosts; registry: Registry } {
  const hosts: Hosts = new Map();
  return { hosts, registry: new Registry(hosts, maxClients) };
}

test("a new name is recorded with the address and the time it was seen", () => {
  const { hosts, registry } = newRegistry();
  expect(registry.recordPlain("nas", HOME, 1000)).toEqual({ kind: "new" });
  expect([...hosts]).toEqual([["nas", { ipv4: { address: HOME, since: 1000, lastSeen: 1000 } }]]);
});

test("the same address again moves the time it was last seen, and not since when it is there", () => {
  const { hosts, registry } = newRegistry();
  registry.recordPlain("nas", HOME, 1000);
  expect(registry.recordPlain("nas", HOME, 2000)).toEqual({ kind: "same" });
  expect(hosts.get("nas")).toEqual({ ipv4: { address: HOME, since: 1000, lastSeen: 2000 } });
});

test("another address replaces the one before, and says which that was", () => {
  const { hosts, registry } = newRegistry();
  registry.recordPlain("nas", HOME, 1000);
  expect(registry.recordPlain("nas", AWAY, 2000)).toEqual({ kind: "moved", previous: HOME });
  expect(hosts.get("nas")).toEqual({ ipv4: { address: AWAY, since: 2000, lastSeen: 2000 } });
});

test("IPv4 and IPv6 are kept side by side", () => {
  const { hosts, registry } = newRegistry();
  registry.recordPlain("nas", HOME, 1000);
  expect(registry.recordPlain("nas", SIX, 2000)).toEqual({ kind: "moved", previous: undefined });
  expect(registry.recordPlain("nas", HOME, 3000)).toEqual({ kind: "same" });
  expect(hosts.get("nas")).toEqual({
    ipv4: { address: HOME, since: 1000, lastSeen: 3000 },
    ipv6: { address: SIX, since: 2000, lastSeen: 2000 },
  });
});

test("100,000 new names stop at max_clients, and the known ones keep updating", () => {
  const { hosts, registry } = newRegistry(3);
  for (let i = 0; i < 100_000; i++) {
    expect(registry.recordPlain(`host-${i}`, HOME, i).kind).toBe(i < 3 ? "new" : "full");
  }
  expect([...hosts.keys()]).toEqual(["host-0", "host-1", "host-2"]);
  expect(registry.recordPlain("host-1", AWAY, 200_000)).toEqual({ kind: "moved", previous: HOME });
});

test("a log with more hosts than max_clients keeps them all", () => {
  const hosts: Hosts = new Map(
    ["a", "b"].map((name) => [name, { ipv4: { address: HOME, since: 0, lastSeen: 0 } }]),
  );
  const registry = new Registry(hosts, 1);
  expect(registry.recordPlain("c", HOME, 1)).toEqual({ kind: "full" });
  expect(registry.recordPlain("b", HOME, 1)).toEqual({ kind: "same" });
  expect(hosts.size).toBe(2);
});

test.each(["__proto__", "constructor", "toString", "10", "9", "1e3"])("%p is a name", (name) => {
  const { hosts, registry } = newRegistry();
  expect(registry.recordPlain(name, HOME, 1000)).toEqual({ kind: "new" });
  expect(registry.recordPlain(name, HOME, 1000)).toEqual({ kind: "same" });
  expect([...hosts.keys()]).toEqual([name]);
});
