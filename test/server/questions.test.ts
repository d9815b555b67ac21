/** What the server answers to questions, datagram by datagram. The promises: model.test.ts. */
import { describe, expect, test } from "bun:test";

import type { Host } from "../../src/host.ts";
import {
  type Answer,
  decodeAnswer,
  decodeReply,
  deriveKey,
  encodeCounter,
  encodePing,
  encodeQuestion,
  hasMac,
  NO_COOKIE,
  type Question,
  type Reply,
} from "../../src/protocol/message.ts";
import { describeCounters, newCounters } from "../../src/server/counters.ts";
import { mayKnow } from "../../src/server/questions.ts";
import { recordedLog } from "../recorded-log.ts";
import { HostMap, type ServerOptions, startServer, SyncedDisk } from "../world.ts";

const HOME = "203.0.113.7";
const AWAY = "198.51.100.9";
const LAIR = "192.0.2.66";
const NOON = 1_763_812_800_000;
const SECRET = new Uint8Array(32).fill(1);
const keyOf = (name: string): Uint8Array => deriveKey(SECRET, name, 1);

const NAS: Host = {
  ipv4: { address: HOME, since: NOON - 95_460_999, lastSeen: NOON - 130_999 },
  ipv6: { address: "2001:db8::7", since: NOON - 95_461_000, lastSeen: NOON - 131_000 },
  counter: 1,
};
const OLD: Host = { ipv4: { address: AWAY, since: NOON - 5000, lastSeen: NOON - 5000 } };

interface Options extends Pick<ServerOptions, "allowPlain" | "readers"> {
  hosts?: Record<string, Host>;
  hasSecret?: boolean;
  isSlow?: boolean;
}

/** Starts a made-up server whose clocks stand still, with a reader `phone`. */
async function newServer({
  hosts = { nas: NAS, old: OLD },
  hasSecret = true,
  isSlow = false,
  ...options
}: Options = {}) {
  const log = recordedLog();
  const state = { now: NOON, monotonic: 0, nonces: 0 };
  const sent: Uint8Array[] = [];
  const disk = new SyncedDisk(isSlow);
  const started = await startServer({
    readers: ["phone"],
    ...options,
    hosts: new HostMap(Object.entries(hosts)),
    ...(hasSecret && { keyOf }),
    log,
    now: () => state.now,
    monotonic: () => state.monotonic,
    disk,
    socket: { send: (datagram) => void sent.push(datagram) },
  });
  const server = {
    ...started,
    log,
    state,
    disk,
    sent,
    /** Sends bytes and returns the reply to them, if there is one. */
    send(datagram: Uint8Array, from = AWAY, port = 40_000): Uint8Array | undefined {
      const before = sent.length;
      started.receive(datagram, from, port, `peer of ${from}`);
      return sent.length > before ? sent.at(-1) : undefined;
    },
    /** Sends a question once. */
    question(
      question: Partial<Question> = {},
      from = AWAY,
      port = 40_000,
    ): Answer | Reply | undefined {
      const whole = {
        asker: "phone",
        name: "nas",
        cookie: NO_COOKIE,
        nonce: newNonce(),
        ...question,
      };
      const key = keyOf(whole.asker);
      const reply = server.send(encodeQuestion(whole, key), from, port);
      if (reply === undefined) return undefined;
      expect(hasMac(reply, key)).toBe(true);
      const decoded = decodeAnswer(reply) ?? decodeReply(reply)!;
      expect(decoded.nonce).toBe(whole.nonce);
      return decoded;
    },
    /** Sends a question, answers its challenge and returns the answer. */
    ask(asker: string, name: string, from = AWAY): Answer {
      const challenge = server.question({ asker, name }, from) as Reply;
      expect(challenge).toMatchObject({ type: "C", counter: "0".repeat(16) });
      return server.question({ asker, name, cookie: challenge.value }, from) as Answer;
    },
  };
  const newNonce = (): string => encodeCounter(++state.nonces);
  return server;
}

const NOTHING = { isSigned: false, ipv4: undefined, ipv6: undefined };

test("a name may know of itself, a reader of everything, and of nothing anybody else", () => {
  const readers = new Set(["phone"]);
  expect(mayKnow("nas", "nas", readers)).toBe(true);
  expect(mayKnow("phone", "nas", readers)).toBe(true);
  expect(mayKnow("phone", "phone", readers)).toBe(true);
  expect(mayKnow("pi", "nas", readers)).toBe(false);
  expect(mayKnow("pi", "phone", readers)).toBe(false);
  expect(mayKnow("phone", "nas", new Set())).toBe(false);
});

test("the last message of a server counts questions, if there were any", () => {
  const counters = { ...newCounters(), accepted: 2, challenged: 1 };
  expect(describeCounters(counters)).toBe("2 pings accepted, 1 challenged, 0 datagrams dropped");
  expect(describeCounters({ ...counters, answered: 1, "too many questions": 3 })).toBe(
    "2 pings accepted, 1 question answered, 1 challenged, 3 datagrams dropped (3 too many questions)",
  );
});

describe("questions", () => {
  test("are answered when their challenge is: with ages by the server's clock, in whole seconds", async () => {
    const server = await newServer();
    expect(server.ask("phone", "nas")).toEqual({
      nonce: expect.any(String),
      isSigned: true,
      ipv4: { address: HOME, age: 130, stay: 95_460 },
      ipv6: { address: "2001:db8::7", age: 131, stay: 95_461 },
    });
    expect(server.log.lines.slice(1)).toEqual([
      "debug: challenged phone at 198.51.100.9",
      "info: phone asked for nas",
    ]);
    expect(await server.stop()).toEqual({ answered: 1, challenged: 1 });
  });

  test("about a host that plain pings alone made known are answered with the flag 0", async () => {
    const server = await newServer();
    const ipv4 = { address: AWAY, age: 5, stay: 5 };
    expect(server.ask("phone", "old")).toMatchObject({ ...NOTHING, ipv4 });
    server.send(Buffer.from("new"), LAIR);
    expect(server.ask("phone", "new")).toMatchObject({ isSigned: false, ipv4: { address: LAIR } });
    await server.stop();
  });

  test("mean the very name: a plain ping of NAS or nas. says nothing of nas", async () => {
    const server = await newServer({ hosts: { NAS: OLD, "nas.": OLD } });
    expect(server.ask("phone", "nas")).toMatchObject(NOTHING);
    await server.stop();
  });

  test("about what is unknown and what is not for the asker have one answer", async () => {
    const server = await newServer();
    for (const [asker, name] of [
      ["phone", "attic"],
      ["pi", "nas"],
      ["pi", "attic"],
      ["pi", "phone"],
      ["pi", "pi"],
    ] as const) {
      expect(server.ask(asker, name)).toEqual({ nonce: expect.any(String), ...NOTHING });
      const line = `info: ${asker} asked for ${name}, which is unknown, or not for ${asker}`;
      expect(server.log.lines.at(-1)).toBe(line);
    }
    const texts = server.sent
      .filter((sent) => sent.length === 163)
      .map((sent) => sent.slice(27, 131));
    for (const text of texts) expect(text).toEqual(texts[0]!);
    await server.stop();
  });

  test("about itself any name may ask", async () => {
    const server = await newServer({ readers: [] });
    expect(server.ask("nas", "nas")).toMatchObject({ isSigned: true, ipv4: { address: HOME } });
    expect(server.ask("phone", "nas")).toMatchObject(NOTHING);
    await server.stop();
  });

  test("are answered with what is durable", async () => {
    const server = await newServer({ hosts: {}, isSlow: true });
    const ping = (counter: string, cookie: string): Uint8Array | undefined => {
      const nonce = encodeCounter(++server.state.nonces);
      return server.send(encodePing({ name: "nas", counter, nonce, cookie }, keyOf("nas")), HOME);
    };
    const { counter, value } = decodeReply(ping(encodeCounter(NOON * 1000), NO_COOKIE)!)!;
    ping(counter, value);
    expect(server.ask("phone", "nas")).toMatchObject(NOTHING);
    server.disk.sync(true);
    expect(server.ask("phone", "nas")).toMatchObject({ isSigned: true, ipv4: { address: HOME } });
    await server.stop();
  });

  test("get no age below 0 when the server's clock went back", async () => {
    const server = await newServer();
    server.state.now -= 1_000_000_000;
    expect(server.ask("phone", "nas").ipv4).toEqual({ address: HOME, age: 0, stay: 0 });
    await server.stop();
  });

  test("are answered without an address that is no host's, as an edited log may have one", async () => {
    const ipv6 = { address: "::", since: NOON, lastSeen: NOON };
    const server = await newServer({ hosts: { nas: { ipv6, counter: 1 } } });
    expect(server.ask("phone", "nas")).toMatchObject(NOTHING);
    await server.stop();
  });

  test.each([
    ["another address", { from: LAIR }],
    ["another asker", { asker: "pi" }],
    ["a ping of the same name", { isPing: true }],
    ["over a minute before", { later: 60_000 }],
  ])(
    "are challenged with a cookie of %s",
    async (_whose, { from, asker, isPing, later }: Other) => {
      const server = await newServer();
      const first = server.question({ asker: asker ?? "phone" }, from) as Reply;
      let cookie = first.value;
      if (isPing) {
        const ping = { name: "phone", counter: encodeCounter(1), nonce: encodeCounter(99) };
        const bytes = encodePing({ ...ping, cookie: NO_COOKIE }, keyOf("phone"));
        cookie = decodeReply(server.send(bytes)!)!.value;
      }
      server.state.monotonic += later ?? 0;
      expect(server.question({ cookie })).toMatchObject({ type: "C" });
      await server.stop();
    },
  );

  test("are answered with a cookie of another question of the same asker", async () => {
    const server = await newServer();
    const { value: cookie } = server.question({ name: "old" }) as Reply;
    server.state.monotonic += 30_000;
    expect(server.question({ cookie })).toMatchObject({ isSigned: true });
    await server.stop();
  });

  test("that are replayed bring three replies in a second, whatever the source, and use up nothing", async () => {
    const server = await newServer();
    const nonce = "f".repeat(16);
    const { value: cookie } = server.question() as Reply;
    for (let i = 0; i < 50; i++) server.question({ cookie, nonce });
    for (let i = 0; i < 50; i++) server.question({ cookie, nonce }, LAIR);
    expect(server.sent).toHaveLength(1 + 3);
    expect(server.question({ cookie })).toMatchObject({ isSigned: true });
    server.state.monotonic += 1000;
    for (let i = 0; i < 50; i++) server.question({ nonce: "e".repeat(16) });
    expect(server.sent).toHaveLength(1 + 3 + 1 + 3);
    expect(await server.stop()).toEqual({
      answered: 4,
      challenged: 4,
      "too many questions": 97 + 47,
    });
  });

  test("with a wrong MAC are not answered, and a warning names the source", async () => {
    const server = await newServer();
    const question = { asker: "phone", name: "nas", nonce: "0".repeat(16), cookie: NO_COOKIE };
    expect(server.send(encodeQuestion(question, keyOf("nas")))).toBeUndefined();
    expect(server.log.lines.slice(1)).toEqual([
      `warn: dropped a question from ${AWAY}: wrong MAC for phone`,
      "hint: the client has another secret, or an older key of this name; or somebody else sent this",
      `debug: dropped phone from ${AWAY}: wrong MAC`,
    ]);
    expect(await server.stop()).toEqual({ "wrong MAC": 1 });
  });

  test("are dropped by a server without a secret, which says so once", async () => {
    const server = await newServer({ hasSecret: false });
    expect([server.question(), server.question()]).toEqual([undefined, undefined]);
    expect(server.log.lines.filter((line) => line.startsWith("warn"))).toEqual([
      `warn: dropped a signed question of phone from ${AWAY}: this server has no secret`,
    ]);
    expect(await server.stop()).toEqual({ "no secret": 2 });
  });

  test.each([
    ["port 0", AWAY, 0],
    ["broadcast", "255.255.255.255", 40_000],
    ["multicast", "224.0.0.1", 40_000],
  ])("from %s are not answered", async (_what, address, port) => {
    const server = await newServer();
    expect(server.question({}, address, port)).toBeUndefined();
    await server.stop();
  });

  test("change nothing", async () => {
    const server = await newServer({ readers: ["phone", "new"] });
    const before = structuredClone(new Map(server.hosts));
    for (const asker of ["phone", "nas", "new"])
      for (const name of ["nas", "old", "no"]) server.ask(asker, name);
    expect(new Map(server.hosts)).toEqual(before);
    expect(server.disk.waiting).toEqual([]);
    await server.stop();
  });
});

/** How a cookie is another's. */
interface Other {
  from?: string;
  asker?: string;
  isPing?: boolean;
  later?: number;
}
