import { describe, expect, test } from "bun:test";

import { COUNTER_WINDOW } from "../../src/protocol/message.ts";
import {
  COUNTER_LEAP,
  type PlainOutcome,
  Registry,
  type SignedPing,
} from "../../src/server/registry.ts";
import { HostMap } from "../world.ts";

const HOME = "203.0.113.7";
const AWAY = "198.51.100.9";
const SIX = "2001:db8::7";

/** A time of day, in milliseconds, and as a counter, in microseconds. */
const NOON = 1_763_812_800_000;
const COUNTER = NOON * 1000;

function newRegistry(maxClients = 3): { hosts: HostMap; registry: Registry } {
  const hosts = new HostMap();
  return { hosts, registry: new Registry(hosts, maxClients) };
}

const at = (address: string, since: number, lastSeen: number) => ({ address, since, lastSeen });

/** Records a plain ping, durable at once. */
function plain(registry: Registry, name: string, address: string, now: number): PlainOutcome {
  const outcome = registry.recordPlain(name, address, now);
  if (outcome.kind === "accepted") registry.settle(name, outcome.host, true);
  return outcome;
}

describe("a plain ping", () => {
  test("of a new name is recorded with the address and the time it was seen", () => {
    const { hosts, registry } = newRegistry();
    expect(plain(registry, "nas", HOME, 1000).kind).toBe("accepted");
    expect([...hosts]).toEqual([["nas", { ipv4: at(HOME, 1000, 1000) }]]);
  });

  test("from the same address moves when it was last seen, and not since when it is there", () => {
    const { hosts, registry } = newRegistry();
    plain(registry, "nas", HOME, 1000);
    const before = hosts.get("nas")!;
    const host = { ipv4: at(HOME, 1000, 2000) };
    expect(registry.recordPlain("nas", HOME, 2000)).toEqual({ kind: "seen", before, host });
    expect(hosts.get("nas")).toEqual({ ipv4: at(HOME, 1000, 2000) });
  });

  test("from another address replaces the one before, once it is durable", () => {
    const { hosts, registry } = newRegistry();
    plain(registry, "nas", HOME, 1000);
    const before = hosts.get("nas")!;
    const outcome = registry.recordPlain("nas", AWAY, 2000);
    if (outcome.kind !== "accepted") throw new Error("not accepted");
    expect(hosts.get("nas")).toBe(before);
    expect(registry.settle("nas", outcome.host, true)).toBe(before);
    expect(hosts.get("nas")).toEqual({ ipv4: at(AWAY, 2000, 2000) });
  });

  test("IPv4 and IPv6 are kept side by side", () => {
    const { hosts, registry } = newRegistry();
    plain(registry, "nas", HOME, 1000);
    expect(plain(registry, "nas", SIX, 2000).kind).toBe("accepted");
    expect(plain(registry, "nas", HOME, 3000).kind).toBe("seen");
    expect(hosts.get("nas")).toEqual({ ipv4: at(HOME, 1000, 3000), ipv6: at(SIX, 2000, 2000) });
  });

  test("100,000 new names stop at max_clients, and the known ones keep updating", () => {
    const { hosts, registry } = newRegistry(3);
    for (let i = 0; i < 100_000; i++) {
      expect(plain(registry, `host-${i}`, HOME, i).kind).toBe(i < 3 ? "accepted" : "refused");
    }
    expect([...hosts.keys()]).toEqual(["host-0", "host-1", "host-2"]);
    plain(registry, "host-1", AWAY, 200_000);
    expect(hosts.get("host-1")).toEqual({ ipv4: at(AWAY, 200_000, 200_000) });
  });

  test("names on their way to the disk count against max_clients, each once", () => {
    const { registry } = newRegistry(2);
    const one = registry.recordPlain("one", HOME, 1);
    registry.recordPlain("one", AWAY, 2);
    const two = registry.recordPlain("two", HOME, 3);
    expect(registry.recordPlain("three", HOME, 4)).toEqual({ kind: "refused", reason: "full" });
    if (one.kind !== "accepted" || two.kind !== "accepted") throw new Error("not accepted");
    registry.settle("one", one.host, true);
    registry.settle("two", two.host, false);
    // The second name was not made durable, so that it leaves its place to the third.
    expect(registry.recordPlain("three", HOME, 5).kind).toBe("accepted");
    expect(registry.recordPlain("four", HOME, 6)).toEqual({ kind: "refused", reason: "full" });
  });

  test("that says what one on its way to the disk says is a copy of it", () => {
    const { registry } = newRegistry();
    const first = registry.recordPlain("nas", HOME, 1);
    if (first.kind !== "accepted") throw new Error("not accepted");
    expect(registry.recordPlain("nas", HOME, 2)).toEqual({ kind: "copy", host: first.host });
    expect(registry.recordPlain("nas", AWAY, 3).kind).toBe("accepted");
  });

  test("a log with more hosts than max_clients keeps them all", () => {
    const hosts = new HostMap(["a", "b"].map((name) => [name, { ipv4: at(HOME, 0, 0) }]));
    const registry = new Registry(hosts, 1);
    expect(registry.recordPlain("c", HOME, 1)).toEqual({ kind: "refused", reason: "full" });
    expect(registry.recordPlain("b", HOME, 1).kind).toBe("seen");
    expect(hosts.size).toBe(2);
  });

  test("a plain name that is forgotten makes room for another, and a signed one does not count", () => {
    const { hosts, registry } = newRegistry(1);
    expect(plain(registry, "a", HOME, 1).kind).toBe("accepted");
    expect(plain(registry, "b", HOME, 1).kind).toBe("refused");
    hosts.delete("a");
    expect(plain(registry, "b", HOME, 2).kind).toBe("accepted");
    expect(plain(registry, "a", HOME, 2).kind).toBe("refused");
    hosts.set("signed", { ipv4: at(HOME, 0, 0), counter: 1 });
    hosts.delete("b");
    expect(plain(registry, "a", HOME, 3).kind).toBe("accepted");
  });

  test.each(["__proto__", "constructor", "toString", "10", "9", "1e3"])("%p is a name", (name) => {
    const { hosts, registry } = newRegistry();
    expect(plain(registry, name, HOME, 1000).kind).toBe("accepted");
    expect(plain(registry, name, HOME, 1000).kind).toBe("seen");
    expect([...hosts.keys()]).toEqual([name]);
  });
});

describe("a claim", () => {
  const claim = (registry: Registry, name: string, address: string, now = NOON): boolean => {
    const { host, isNews } = registry.recordClaim(name, address, now);
    registry.settle(name, host, true);
    return isNews;
  };

  test("of a new name is recorded as claimed, and makes it a signed one with counter 0", () => {
    const { hosts, registry } = newRegistry(1);
    expect(claim(registry, "nas", HOME)).toBe(true);
    expect(hosts.get("nas")).toEqual({
      ipv4: { ...at(HOME, NOON, NOON), claimed: true },
      counter: 0,
    });
    expect(registry.recordPlain("NAS", HOME, NOON)).toEqual({
      kind: "refused",
      reason: "signed name",
    });
  });

  test("is not bound by max_clients, and takes none of its places", () => {
    const { registry } = newRegistry(1);
    expect(plain(registry, "pi", HOME, NOON).kind).toBe("accepted");
    claim(registry, "nas", HOME);
    claim(registry, "nas2", HOME);
    expect(plain(registry, "attic", HOME, NOON).kind).toBe("refused");
    claim(registry, "pi", AWAY); // it is a signed name from now on
    expect(plain(registry, "attic", HOME, NOON).kind).toBe("accepted");
  });

  test("of a plain name drops what plain pings said of it: anybody could have", () => {
    const { hosts, registry } = newRegistry();
    plain(registry, "nas", SIX, NOON);
    plain(registry, "nas", HOME, NOON);
    expect(claim(registry, "nas", HOME, NOON + 1)).toBe(true);
    expect(hosts.get("nas")).toEqual({
      ipv4: { ...at(HOME, NOON + 1, NOON + 1), claimed: true },
      counter: 0,
    });
  });

  test("of the address where it is already is no news, and moves only the time", () => {
    const { hosts, registry } = newRegistry();
    claim(registry, "nas", HOME);
    expect(claim(registry, "nas", HOME, NOON + 5)).toBe(false);
    expect(hosts.get("nas")!.ipv4).toEqual({ ...at(HOME, NOON, NOON + 5), claimed: true });
    expect(claim(registry, "nas", SIX, NOON + 6)).toBe(true);
    expect(hosts.get("nas")!.ipv4).toEqual({ ...at(HOME, NOON, NOON + 5), claimed: true });
  });

  test("leaves the counter and the other family as they are", () => {
    const { hosts, registry } = signedRegistry();
    claim(registry, "nas", SIX);
    expect(hosts.get("nas")).toEqual({
      ipv4: at(HOME, NOON, NOON),
      ipv6: { ...at(SIX, NOON, NOON), claimed: true },
      counter: COUNTER,
    });
  });

  test("of a proven address leaves it proven: rule 1 still accepts pings from there", () => {
    const { hosts, registry, send } = signedRegistry();
    expect(claim(registry, "nas", HOME, NOON + 1)).toBe(false);
    expect(hosts.get("nas")!.ipv4).toEqual(at(HOME, NOON, NOON + 1));
    expect(send({ counter: COUNTER + 1 }).kind).toBe("accepted");
  });

  test("does not open rule 1: a ping from the claimed address is challenged until it has a cookie", () => {
    const { hosts, registry, send } = signedRegistry();
    claim(registry, "nas", AWAY);
    expect(send({ counter: COUNTER + 1, address: AWAY }).kind).toBe("challenge");
    claim(registry, "nas", HOME); // proven once, but it was elsewhere meanwhile
    expect(send({ counter: COUNTER + 1 }).kind).toBe("challenge");
    const outcome = send({ counter: COUNTER + 1, hasCookie: true }, NOON + 5);
    if (outcome.kind !== "accepted") throw new Error("not accepted");
    registry.settle("nas", outcome.host, true);
    expect(hosts.get("nas")!.ipv4).toEqual(at(HOME, NOON, NOON + 5));
    expect(send({ counter: COUNTER + 2 }).kind).toBe("accepted");
  });

  test("makes the copy of a ping no copy: what comes from the claimed address has shown nothing", () => {
    const { registry, send } = signedRegistry();
    expect(send({ counter: COUNTER + 1 }).kind).toBe("accepted"); // on its way to the disk
    registry.recordClaim("nas", AWAY, NOON);
    expect(send({ counter: COUNTER + 1, address: AWAY }).kind).toBe("challenge");
  });

  test("that could not be made durable is as if it had never been", () => {
    const { hosts, registry, send } = signedRegistry();
    const { host } = registry.recordClaim("nas", AWAY, NOON);
    registry.settle("nas", host, false);
    expect(hosts.get("nas")!.ipv4).toEqual(at(HOME, NOON, NOON));
    expect(send({ counter: COUNTER + 1 }).kind).toBe("accepted");
    const unknown = registry.recordClaim("attic", HOME, NOON);
    registry.settle("attic", unknown.host, false);
    expect(plain(registry, "attic", HOME, NOON).kind).toBe("accepted");
  });
});

test("a signed host that is forgotten is challenged like a new one, whatever its counter was", () => {
  const { hosts, registry } = newRegistry();
  hosts.set("nas", { ipv4: at(HOME, 0, 0), counter: COUNTER + COUNTER_WINDOW });
  hosts.delete("nas");
  const ping = { name: "nas", counter: COUNTER, hasCookie: false, address: HOME };
  expect(registry.recordSigned(ping, NOON)).toEqual({ kind: "challenge", counter: COUNTER });
  expect(registry.recordSigned({ ...ping, hasCookie: true }, NOON).kind).toBe("accepted");
});

/** A registry that has accepted one signed ping of `nas` from HOME, at noon. */
function signedRegistry() {
  const made = newRegistry();
  const ping: SignedPing = { name: "nas", counter: COUNTER, hasCookie: true, address: HOME };
  const outcome = made.registry.recordSigned(ping, NOON);
  if (outcome.kind !== "accepted") throw new Error("the first ping was not accepted");
  made.registry.settle("nas", outcome.host, true);
  return {
    ...made,
    send: (more: Partial<SignedPing>, now = NOON) =>
      made.registry.recordSigned({ ...ping, hasCookie: false, ...more }, now),
  };
}

describe("a signed ping", () => {
  test("of a new name is challenged, and accepted with the cookie", () => {
    const { hosts, registry } = newRegistry();
    const ping: SignedPing = { name: "nas", counter: COUNTER, hasCookie: false, address: HOME };
    expect(registry.recordSigned(ping, NOON)).toEqual({ kind: "challenge", counter: COUNTER });
    expect(hosts.size).toBe(0);
    const outcome = registry.recordSigned({ ...ping, hasCookie: true }, NOON);
    expect(outcome).toEqual({
      kind: "accepted",
      host: { ipv4: at(HOME, NOON, NOON), counter: COUNTER },
    });
  });

  // The rule of protocol.md, a row a condition: what is sent after the first ping, and when.
  test.each([
    ["a higher counter from the recorded address", { counter: COUNTER + 1 }, 0, "accepted"],
    ["the same counter again", { counter: COUNTER }, 0, "challenge"],
    ["a lower counter", { counter: COUNTER - 1 }, 0, "challenge"],
    ["another address", { counter: COUNTER + 1, address: AWAY }, 0, "challenge"],
    ["another family", { counter: COUNTER + 1, address: SIX }, 0, "challenge"],
    ["a counter 300 s ahead", { counter: COUNTER + COUNTER_WINDOW }, 0, "accepted"],
    ["a counter over 300 s ahead", { counter: COUNTER + COUNTER_WINDOW + 1 }, 0, "challenge"],
    ["a counter 300 s behind", { counter: COUNTER + 1 }, 300, "accepted"],
    ["a counter over 300 s behind", { counter: COUNTER + 1 }, 301, "challenge"],
    [
      "a cookie and another address",
      { counter: COUNTER + 1, address: AWAY, hasCookie: true },
      0,
      "accepted",
    ],
    ["a cookie and the same counter", { counter: COUNTER, hasCookie: true }, 0, "challenge"],
    [
      "a cookie and a counter 300 s ahead",
      { counter: COUNTER + COUNTER_WINDOW, hasCookie: true },
      0,
      "accepted",
    ],
    [
      "a cookie and one further ahead",
      { counter: COUNTER + COUNTER_WINDOW + 1, hasCookie: true },
      0,
      "challenge",
    ],
    [
      "a cookie and a counter an hour behind",
      { counter: COUNTER + 1, hasCookie: true },
      3600,
      "accepted",
    ],
    [
      "a cookie, the clock set back an hour",
      { counter: COUNTER + 1, hasCookie: true },
      -3600,
      "accepted",
    ],
    [
      "a cookie, the clock in 1970",
      { counter: COUNTER + 1, hasCookie: true },
      -NOON / 1000,
      "accepted",
    ],
    ["counter 0", { counter: 0, hasCookie: true }, 0, "challenge"],
    ["counter ffffffffffffffff", { counter: 2 ** 64, hasCookie: true }, 0, "challenge"],
  ] as const)("with %s", (_what, ping, later, kind) => {
    const { send } = signedRegistry();
    expect(send(ping, NOON + later * 1000).kind).toBe(kind);
  });

  test("a challenge names a counter that is accepted, whatever the clock", () => {
    for (const now of [0, NOON - 3_600_000, NOON, NOON + 3_600_000, 4_070_908_800_000]) {
      const { send } = signedRegistry();
      const challenge = send({ counter: 0 }, now);
      if (challenge.kind !== "challenge") throw new Error("not challenged");
      expect(challenge.counter).toBe(Math.max(COUNTER + 1, now * 1000));
      expect(send({ counter: challenge.counter, hasCookie: true }, now).kind).toBe("accepted");
    }
  });

  test("whoever stole a key cannot push the counter away from the clock", () => {
    const { registry, hosts } = signedRegistry();
    // As fast as the server takes pings of one name, each with the highest counter it accepts.
    const PER_SECOND = 30_000;
    for (let n = 0; n < 3 * PER_SECOND; n++) {
      const now = NOON + (n * 1000) / PER_SECOND;
      const last = hosts.get("nas")!.counter!;
      const top = Math.max(last + COUNTER_LEAP, Math.floor(now * 1000) + COUNTER_WINDOW);
      const ping = { name: "nas", hasCookie: true, address: AWAY };
      expect(registry.recordSigned({ ...ping, counter: top + 1 }, now).kind).toBe("challenge");
      const outcome = registry.recordSigned({ ...ping, counter: top }, now);
      if (outcome.kind !== "accepted") throw new Error("not accepted");
      registry.settle("nas", outcome.host, true);
      expect(top - now * 1000).toBeLessThanOrEqual(COUNTER_WINDOW + COUNTER_LEAP);
    }
  });

  test("when it was seen is told by family, 0 for what plain pings said", () => {
    const { registry } = signedRegistry();
    expect(registry.seenOf("nas", AWAY)).toBe(NOON);
    expect(registry.seenOf("nas", SIX)).toBe(0);
    plain(registry, "pi", HOME, NOON);
    expect(registry.seenOf("pi", HOME)).toBe(0);
    expect(registry.seenOf("unknown", HOME)).toBe(0);
  });

  test("no counter is stored that the client log could not hold", () => {
    const hosts = new HostMap([
      ["nas", { ipv4: at(HOME, 0, 0), counter: Number.MAX_SAFE_INTEGER }],
    ]);
    const registry = new Registry(hosts, 1);
    const counter = Number.MAX_SAFE_INTEGER + 3;
    const ping: SignedPing = { name: "nas", counter, hasCookie: true, address: HOME };
    expect(registry.recordSigned(ping, NOON).kind).toBe("challenge");
  });

  test("an accepted one is judged by at once, and seen in the hosts when it is durable", () => {
    const { hosts, registry, send } = signedRegistry();
    const before = hosts.get("nas");
    const outcome = send({ counter: COUNTER + 5, hasCookie: true, address: AWAY });
    if (outcome.kind !== "accepted") throw new Error("not accepted");
    expect(hosts.get("nas")).toBe(before!);
    // A copy that the network made: a challenge would overtake the acknowledgement.
    const copy = { counter: COUNTER + 5, address: AWAY };
    expect(send(copy)).toEqual({ kind: "copy", host: outcome.host });
    expect(send({ ...copy, address: HOME }).kind).toBe("challenge"); // a replay from elsewhere
    expect(send({ counter: COUNTER + 4 }).kind).toBe("challenge");
    registry.settle("nas", outcome.host, true);
    expect(hosts.get("nas")).toBe(outcome.host);
    expect(send(copy).kind).toBe("challenge");
  });

  test("one that could not be made durable is as if it had never been", () => {
    const { hosts, registry, send } = signedRegistry();
    const before = hosts.get("nas");
    const outcome = send({ counter: COUNTER + 5 });
    if (outcome.kind !== "accepted") throw new Error("not accepted");
    registry.settle("nas", outcome.host, false);
    expect(hosts.get("nas")).toBe(before!);
    expect(hosts.get("nas")!.counter).toBe(COUNTER);
    expect(send({ counter: COUNTER + 5 }).kind).toBe("accepted"); // the counter is not used up
  });

  test("of two in one batch the newer is stored", () => {
    const { hosts, registry, send } = signedRegistry();
    const one = send({ counter: COUNTER + 1 });
    const two = send({ counter: COUNTER + 2 });
    if (one.kind !== "accepted" || two.kind !== "accepted") throw new Error("not accepted");
    registry.settle("nas", one.host, true);
    expect(hosts.get("nas")!.counter).toBe(COUNTER + 1);
    registry.settle("nas", two.host, true);
    expect(hosts.get("nas")!.counter).toBe(COUNTER + 2);
  });
});

describe("a name that was ever signed", () => {
  test.each(["nas", "NAS", "Nas", "nas.", "NAS.", "na\u017f", "ｎａｓ", "Ｎas．"])(
    "takes no plain ping as %p",
    (name) => {
      const { hosts, registry } = signedRegistry();
      const before = hosts.get("nas");
      expect(registry.recordPlain(name, AWAY, NOON)).toEqual({
        kind: "refused",
        reason: "signed name",
      });
      expect([...hosts]).toEqual([["nas", before!]]);
    },
  );

  test("takes none while its first signed ping is on its way to the disk, either", () => {
    const { registry } = newRegistry();
    registry.recordSigned({ name: "nas", counter: COUNTER, hasCookie: true, address: HOME }, NOON);
    expect(registry.recordPlain("nas", AWAY, NOON)).toEqual({
      kind: "refused",
      reason: "signed name",
    });
  });

  test("loses what plain pings said of it: anybody could have", () => {
    const { hosts, registry } = newRegistry(1);
    plain(registry, "nas", SIX, NOON);
    const ping: SignedPing = { name: "nas", counter: COUNTER, hasCookie: false, address: SIX };
    expect(registry.recordSigned(ping, NOON).kind).toBe("challenge"); // recorded, but by a plain ping
    const outcome = registry.recordSigned({ ...ping, hasCookie: true, address: HOME }, NOON);
    if (outcome.kind !== "accepted") throw new Error("not accepted");
    registry.settle("nas", outcome.host, true);
    expect(hosts.get("nas")).toEqual({ ipv4: at(HOME, NOON, NOON), counter: COUNTER });
    // It no longer counts against max_clients.
    expect(plain(registry, "pi", HOME, NOON).kind).toBe("accepted");
    expect(registry.recordPlain("attic", HOME, NOON)).toEqual({ kind: "refused", reason: "full" });
  });
});
