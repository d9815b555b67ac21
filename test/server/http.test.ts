/** The HTTP door with a disk and clocks that the test controls. What routes answer: test/e2e/http.test.ts. */
import { describe, expect, test } from "bun:test";

import { httpPassword } from "../../src/protocol/http-password.ts";
import { deriveKey } from "../../src/protocol/message.ts";
import { Announcer } from "../../src/server/announce.ts";
import { listenHttp } from "../../src/server/http.ts";
import { Recorder } from "../../src/server/recorder.ts";
import { Registry } from "../../src/server/registry.ts";
import { recordedLog } from "../recorded-log.ts";
import { eventually, within } from "../waiting.ts";
import { HostMap, SyncedDisk } from "../world.ts";

const SECRET = new Uint8Array(32).fill(7);
const keyOf = (name: string) => deriveKey(SECRET, name, 1);
const NOON = 1_763_812_800_000;

/** A door on loopback; what is reported waits for `disk.sync()`. */
function newDoor({ isBroken = false } = {}) {
  const hosts = new HostMap();
  const disk = new SyncedDisk(true);
  const log = recordedLog();
  const state = { monotonic: 0 };
  const monotonic = () => state.monotonic;
  const recorder = new Recorder({
    registry: new Registry(hosts, 10),
    store: { note() {}, commit: (name, host, done) => disk.write(name, host, done) },
    now: () => NOON,
    onListenerError(error) {
      throw error;
    },
  });
  const server = listenHttp({
    ip: "127.0.0.1",
    port: 0,
    hosts,
    recorder,
    readers: new Set(["phone", "laptop"]),
    keyOf,
    announcer: new Announcer({ log, isPublic: false, monotonic }),
    lastMoves: () => [],
    clientLog: () => {
      if (isBroken) throw new Error("boom");
      return Bun.file("/nowhere/dynip.json");
    },
    isSilent: (_, { ipv4 }, time) => time - ipv4!.lastSeen > 15 * 60_000,
    now: () => NOON,
    monotonic,
    log,
  });
  const get = async (path: string, user = "phone") => {
    const credentials = Buffer.from(`${user}:${httpPassword(keyOf(user))}`).toString("base64");
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      headers: { Authorization: `Basic ${credentials}` },
    });
    return { status: response.status, body: await response.text(), headers: response.headers };
  };
  return { hosts, disk, log, state, server, get };
}

const at = (address: string) => ({ address, since: NOON, lastSeen: NOON });

describe("a report", () => {
  test("is answered when it is durable, with all its addresses, and not before", async () => {
    const door = newDoor();
    const answer = door.get("/nic/update?myip=203.0.113.7,2001:db8::7", "home");
    await eventually("both records", () => door.disk.waiting.length === 2);
    expect(await Promise.race([answer, Bun.sleep(50)])).toBeUndefined();
    const [first] = door.disk.waiting.splice(0, 1);
    first!.done!(true);
    expect(await Promise.race([answer, Bun.sleep(50)])).toBeUndefined();
    door.disk.sync();
    expect(await answer).toMatchObject({ status: 200, body: "good 203.0.113.7,2001:db8::7" });
    await door.server.stop();
  });

  test("that the disk refuses is to be sent again, also if it is one address of two", async () => {
    const door = newDoor();
    const answer = door.get("/nic/update?myip=203.0.113.7,2001:db8::7", "home");
    await eventually("both records", () => door.disk.waiting.length === 2);
    const [first] = door.disk.waiting.splice(0, 1);
    first!.done!(true);
    door.disk.sync(false);
    expect(await answer).toMatchObject({ status: 503, body: "911" });
    await door.server.stop();
  });
});

describe("a stop", () => {
  test("answers what waits for the disk, and records nothing that comes later", async () => {
    const door = newDoor();
    const waiting = door.get("/nic/update?myip=203.0.113.7", "home");
    await eventually("the record", () => door.disk.waiting.length === 1);
    const stopped = door.server.stop();
    door.disk.sync();
    expect(await waiting).toMatchObject({ status: 200, body: "good 203.0.113.7" });
    await within(2000, "the end", stopped);
    expect(door.get("/", "home")).rejects.toThrow();
    expect(door.disk.waiting).toEqual([]);
  });

  test("is over within two seconds, though a request is never answered", async () => {
    const door = newDoor();
    const waiting = door.get("/nic/update?myip=203.0.113.7", "home").catch(() => "no answer");
    await eventually("the record", () => door.disk.waiting.length === 1);
    await within(2000, "the end", door.server.stop());
    expect(await waiting).toBe("no answer");
  });
});

test("a bug is an answer without a word of it, and a message in the log", async () => {
  const door = newDoor({ isBroken: true });
  const { status, body, headers } = await door.get("/hosts");
  expect([status, body]).toEqual([500, "internal error\n"]);
  expect(headers.get("cache-control")).toBe("no-store");
  expect(door.log.lines).toEqual(["error: This is a bug in dynip: boom"]);
  await door.server.stop();
});

test("the client log that is not there is not found", async () => {
  const door = newDoor();
  expect(await door.get("/hosts")).toMatchObject({ status: 404 });
  await door.server.stop();
});

describe("the page", () => {
  const address = /203\.0\.113\.\d+/;

  test("is made once a second for readers, from the same rows, each with the reader's name", async () => {
    const door = newDoor();
    door.hosts.set("nas", { ipv4: at("203.0.113.7"), counter: 1 });
    const first = await door.get("/");
    door.hosts.set("nas", { ipv4: at("203.0.113.8"), counter: 2 });
    const laptop = await door.get("/", "laptop");
    expect(address.exec(laptop.body)![0]).toBe("203.0.113.7");
    expect(laptop.body).toContain("<b>laptop</b>");
    expect(laptop.body).not.toContain("<b>phone</b>");
    door.state.monotonic = 999;
    expect((await door.get("/")).body).toBe(first.body);
    door.state.monotonic = 1000;
    expect(address.exec((await door.get("/")).body)![0]).toBe("203.0.113.8");
    await door.server.stop();
  });

  test("of one that is no reader is its own, and made anew each time", async () => {
    const door = newDoor();
    door.hosts.set("nas", { ipv4: at("203.0.113.7"), counter: 1 });
    door.hosts.set("pi", { ipv4: at("203.0.113.9"), counter: 1 });
    expect((await door.get("/", "nas")).body).not.toContain("203.0.113.9");
    door.hosts.set("nas", { ipv4: at("203.0.113.8"), counter: 2 });
    expect(address.exec((await door.get("/", "nas")).body)![0]).toBe("203.0.113.8");
    await door.server.stop();
  });

  test("of 5,000 hosts has every silent one among its rows, and the others up to 1,000", async () => {
    const door = newDoor();
    for (let n = 0; n < 5000; n++) {
      const lastSeen = n >= 4990 ? NOON - 3_600_000 : NOON;
      door.hosts.set(`host-${n}.`, {
        ipv4: { address: "203.0.113.7", since: 0, lastSeen },
        counter: 1,
      });
    }
    const { body } = await door.get("/");
    for (let n = 4990; n < 5000; n++) expect(body).toContain(`host-${n}.`);
    expect(body).toContain("5000");
    await door.server.stop();
  });
});
