/** The recorder with the real registry; commits wait until the test lets them end. */
import { describe, expect, test } from "bun:test";

import type { Change, Host } from "../../src/host.ts";
import { type Listener, Recorder } from "../../src/server/recorder.ts";
import { Registry, type SignedPing } from "../../src/server/registry.ts";
import { HostMap } from "../world.ts";

const HOME = "203.0.113.7";
const AWAY = "198.51.100.9";
const SIX = "2001:db8::7";
const NOON = 1_763_812_800_000;

/** A recorder that tells `listeners`, and what it did, step by step. */
function newRecorder(...listeners: Listener[]) {
  const hosts = new HostMap();
  const steps: string[] = [];
  const waiting: ((isDurable: boolean) => void)[] = [];
  const errors: unknown[] = [];
  const changes: Change[] = [];
  const state = { now: NOON };
  const recorder = new Recorder({
    registry: new Registry(hosts, 10),
    store: {
      note: (name) => steps.push(`noted ${name}`),
      commit(name, _host, done) {
        steps.push(`committing ${name}`);
        waiting.push(done);
      },
    },
    now: () => state.now,
    onListenerError: (error) => errors.push(error),
  });
  for (const listener of listeners) recorder.subscribe(listener);
  recorder.subscribe((change) => {
    steps.push(`told of ${change.name}`);
    changes.push(change);
  });
  const settled = (isDurable: boolean, name: string, address: string) =>
    steps.push(`${isDurable ? "settled" : "failed"} ${name} at ${address}`);
  return {
    hosts,
    steps,
    changes,
    errors,
    state,
    sync(isDurable = true): void {
      for (const done of waiting.splice(0)) done(isDurable);
    },
    plain: (name: string, address = HOME) => recorder.recordPlain(name, address, settled),
    claim: (name: string, address = HOME) => recorder.recordClaim(name, address, settled),
    signed: (ping: Partial<SignedPing> = {}) =>
      recorder.recordSigned(
        { name: "nas", counter: state.now * 1000, hasCookie: true, address: HOME, ...ping },
        settled,
      ),
  };
}

const at = (address: string, since: number, lastSeen = since) => ({ address, since, lastSeen });

describe("a change", () => {
  test("is made durable, then seen by readers, then answered, then told", () => {
    let seenByListener: Host | undefined;
    const recorder = newRecorder(({ name }) => {
      seenByListener = recorder.hosts.get(name);
    });
    expect(recorder.signed()).toBeUndefined();
    expect(recorder.hosts.size).toBe(0);
    expect(recorder.steps).toEqual(["committing nas"]);
    recorder.sync();
    expect(recorder.steps).toEqual(["committing nas", `settled nas at ${HOME}`, "told of nas"]);
    expect(seenByListener).toEqual({ ipv4: at(HOME, NOON), counter: NOON * 1000 });
  });

  test("that could not be made durable is seen and told by no one", () => {
    const recorder = newRecorder();
    recorder.signed();
    recorder.plain("pi");
    recorder.sync(false);
    expect(recorder.hosts.size).toBe(0);
    expect(recorder.changes).toEqual([]);
    expect(recorder.steps.slice(2)).toEqual([`failed nas at ${HOME}`, `failed pi at ${HOME}`]);
  });

  test("says what was before, what is now, when, and how it was reported", () => {
    const recorder = newRecorder();
    recorder.plain("nas", SIX);
    recorder.sync();
    recorder.state.now += 1000;
    recorder.signed();
    recorder.sync();
    recorder.state.now += 1000;
    recorder.signed({ address: AWAY });
    recorder.sync();
    const plain = { ipv6: at(SIX, NOON) };
    const first = { ipv4: at(HOME, NOON + 1000), counter: (NOON + 1000) * 1000 };
    const second = { ipv4: at(AWAY, NOON + 2000), counter: (NOON + 2000) * 1000 };
    expect(recorder.changes).toEqual([
      { name: "nas", family: "ipv6", before: undefined, now: plain, time: NOON, how: "plain" },
      {
        name: "nas",
        family: "ipv4",
        before: plain,
        now: first,
        time: NOON + 1000,
        how: "proven",
      },
      {
        name: "nas",
        family: "ipv4",
        before: first,
        now: second,
        time: NOON + 2000,
        how: "proven",
      },
    ]);
  });

  test("of two in one sync builds on the one before it, and both are told in order", () => {
    const recorder = newRecorder();
    recorder.signed();
    recorder.state.now += 1;
    recorder.signed({ address: AWAY });
    recorder.sync();
    const [one, two] = recorder.changes;
    expect([one!.now.ipv4!.address, two!.now.ipv4!.address]).toEqual([HOME, AWAY]);
    expect(one!.before).toBeUndefined();
    expect(two!.before).toBe(one!.now);
  });

  test("by a plain ping from the recorded address is noted, and told at once", () => {
    const recorder = newRecorder();
    recorder.plain("nas");
    recorder.sync();
    recorder.steps.splice(0);
    recorder.state.now += 1000;
    recorder.plain("nas");
    expect(recorder.steps).toEqual(["noted nas", `settled nas at ${HOME}`, "told of nas"]);
    expect(recorder.changes.at(-1)).toMatchObject({
      before: { ipv4: at(HOME, NOON) },
      now: { ipv4: at(HOME, NOON, NOON + 1000) },
    });
  });
});

describe("a claim", () => {
  test("is made durable, then seen by readers, then answered, then told", () => {
    const recorder = newRecorder();
    expect(recorder.claim("nas")).toBe(true);
    expect(recorder.hosts.size).toBe(0);
    recorder.sync();
    expect(recorder.steps).toEqual(["committing nas", `settled nas at ${HOME}`, "told of nas"]);
    const now = { ipv4: { ...at(HOME, NOON), claimed: true as const }, counter: 0 };
    expect(recorder.hosts.get("nas")).toEqual(now);
    expect(recorder.changes).toEqual([
      { name: "nas", family: "ipv4", before: undefined, now, time: NOON, how: "claimed" },
    ]);
  });

  test("that could not be made durable is answered so, and told to nobody", () => {
    const recorder = newRecorder();
    recorder.claim("nas");
    recorder.sync(false);
    expect(recorder.steps).toEqual(["committing nas", `failed nas at ${HOME}`]);
    expect(recorder.hosts.size).toBe(0);
  });

  test("of a proven address is told as a claim, though the address stays proven", () => {
    const recorder = newRecorder();
    recorder.signed();
    expect(recorder.claim("nas")).toBe(false);
    recorder.sync();
    const { how, now } = recorder.changes[1]!;
    expect([how, now.ipv4!.claimed]).toEqual(["claimed", undefined]);
  });

  test("of two families is one record, told once for each", () => {
    const recorder = newRecorder();
    recorder.claim("nas");
    recorder.claim("nas", SIX);
    recorder.sync();
    expect(recorder.changes.map(({ family }) => family)).toEqual(["ipv4", "ipv6"]);
    expect(Object.keys(recorder.hosts.get("nas")!).sort()).toEqual(["counter", "ipv4", "ipv6"]);
  });
});

describe("a plain ping like the one that is on its way to the disk", () => {
  test("is settled with it, and told as one from the recorded address", () => {
    const recorder = newRecorder();
    recorder.plain("nas");
    expect(recorder.plain("nas")).toBeUndefined();
    recorder.sync();
    expect(recorder.hosts.get("nas")).toEqual({ ipv4: at(HOME, NOON) });
    expect(recorder.steps).toEqual([
      "committing nas",
      `settled nas at ${HOME}`,
      "told of nas",
      `settled nas at ${HOME}`,
      "told of nas",
    ]);
    expect(recorder.changes[1]!.before).toBe(recorder.changes[1]!.now);
  });

  test("does not undo what came after it", () => {
    const recorder = newRecorder();
    recorder.plain("nas", HOME);
    recorder.plain("nas", HOME);
    recorder.plain("nas", AWAY);
    recorder.sync();
    expect(recorder.steps.filter((step) => step === "committing nas")).toHaveLength(2);
    expect(recorder.hosts.get("nas")).toEqual({ ipv4: at(AWAY, NOON) });
  });

  test("fails with it", () => {
    const recorder = newRecorder();
    recorder.plain("nas");
    recorder.plain("nas");
    recorder.sync(false);
    expect(recorder.hosts.size).toBe(0);
    expect(recorder.steps.slice(1)).toEqual([`failed nas at ${HOME}`, `failed nas at ${HOME}`]);
  });

  test("is dropped where 16 wait already", () => {
    const recorder = newRecorder();
    const refusals = Array.from({ length: 20 }, () => recorder.plain("nas"));
    expect(refusals).toEqual([...Array(17).fill(undefined), "copy", "copy", "copy"]);
    recorder.sync();
    expect(recorder.changes).toHaveLength(17);
  });
});

test("a ping that is refused changes nothing, and no one is told", () => {
  const recorder = newRecorder();
  expect(recorder.signed({ hasCookie: false })).toMatchObject({ kind: "challenge" });
  recorder.signed();
  expect(recorder.plain("nas")).toBe("signed name");
  recorder.sync();
  expect(recorder.changes).toHaveLength(1);
});

describe("a listener", () => {
  const boom = new Error("boom");

  test.each<[string, Listener]>([
    [
      "throws",
      () => {
        throw boom;
      },
    ],
    ["rejects", () => Promise.reject(boom)],
  ])(
    "that %s harms neither the ping nor the other listeners, and its error is reported",
    async (_what, listener) => {
      const recorder = newRecorder(listener);
      recorder.signed();
      recorder.state.now += 1;
      recorder.signed();
      recorder.sync();
      await Promise.resolve();
      expect(recorder.steps.filter((step) => step.startsWith("settled"))).toHaveLength(2);
      expect(recorder.changes).toHaveLength(2);
      expect(recorder.errors).toEqual([boom, boom]);
    },
  );

  test("that never comes to an end is not waited for", () => {
    const recorder = newRecorder(() => new Promise<void>(() => {}));
    recorder.signed();
    recorder.state.now += 1;
    recorder.signed();
    recorder.sync();
    expect(recorder.changes).toHaveLength(2);
    expect(recorder.errors).toEqual([]);
  });
});
