/**
 * Hostile datagrams for the compiled server; the tests have the names of the rows in the protocol's
 * table. After each attack the server runs, acknowledges the next honest ping, has counted what it
 * dropped, has written no control character to stderr, and its log is whole.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";

import { canonicalAddress } from "../../src/protocol/address.ts";
import { bind, connect } from "../../src/system/udp.ts";
import { runProcess } from "../processes.ts";
import { eventually, TEST_MS } from "../waiting.ts";
import {
  dynip,
  HAS_SIGNALS,
  type HostRecord,
  newSetup,
  serve,
  type Server,
  type SightingRecord,
} from "./dynip.ts";
import {
  digits,
  keyOf,
  microseconds,
  openPeer,
  type Peer,
  SECRET,
  sign,
  signedPing,
} from "./wire.ts";

setDefaultTimeout(TEST_MS);

const onUnix = test.skipIf(!HAS_SIGNALS);
const onLinux = test.skipIf(process.platform !== "linux");
/** Only Linux and Windows have 127.0.0.2 without configuration. */
const withTwoAddresses = test.skipIf(process.platform === "darwin");

/** The kinds of servers that are attacked. */
const KINDS = {
  "with a secret": { hasSecret: true, takesPlain: false },
  "without a secret": { hasSecret: false, takesPlain: true },
  "with allow_plain": { hasSecret: true, takesPlain: true },
} as const;
type Kind = keyof typeof KINDS;
const ALL = Object.keys(KINDS) as Kind[];
const SIGNING = ALL.filter((kind) => KINDS[kind].hasSecret);

const WINDOW = 300e6;
const MONTH = 30 * 86_400e6;
const HOUR = 3600e6;
/** The longest payload that every system sends; it is the default limit of macOS. */
const LARGEST = process.platform === "darwin" ? 9216 : 65_507;

/** The counters of the server that are not 0. */
type Counts = Record<string, number>;

interface Target {
  readonly kind: Kind;
  readonly hasSecret: boolean;
  readonly takesPlain: boolean;
  readonly port: number;
  readonly peer: Peer;
  server(): Server;
  /** Resolves when the server has handled everything sent so far, and all its replies have arrived. */
  handled(): Promise<void>;
  restart(): Promise<void>;
  /** The record of `name` in the log file, as soon as it is there. */
  record(name: string): Promise<SignedRecord>;
  /**
   * Checks that the server acknowledges an honest ping, stops it, and starts it again on its log.
   * @param names the names that the log must have besides that of the honest client
   * @returns what the server has counted since its last start, without the honest ping
   */
  survived(names: readonly string[]): Promise<Counts>;
  [Symbol.asyncDispose](): Promise<void>;
}

type SignedRecord = HostRecord & { counter?: string };

/** Starts a server of a kind, with these hosts in its log. */
async function attack(kind: Kind, hosts: Record<string, SignedRecord> = {}): Promise<Target> {
  const { hasSecret, takesPlain } = KINDS[kind];
  const setup = await newSetup({
    server: `allow_plain = ${takesPlain}\n[server.generations]\nrevoked = 2`,
    client: 'client_name = "honest"',
    secret: hasSecret ? SECRET : undefined,
  });
  if (Object.keys(hosts).length > 0) await writeFile(setup.logPath, JSON.stringify(hosts));
  let server = await serve(["--debug", setup.config]);
  const peer = await openPeer(setup.port);
  let marks = 0;
  let before = "";

  const handled = async (): Promise<void> => {
    // A server with a secret answers in order; one without says with --debug what it has dropped.
    if (hasSecret) {
      await peer.handled();
    } else {
      const length = 1000 + ++marks;
      await peer.send(" ".repeat(length));
      await server.said(`dropped ${length} bytes from `);
    }
  };

  return {
    kind,
    hasSecret,
    takesPlain,
    port: setup.port,
    peer,
    server: () => server,
    handled,
    async restart() {
      before += (await server.stop()).stderr;
      server = await serve(["--debug", setup.config]);
    },
    async record(name) {
      let record: SignedRecord | undefined;
      await eventually(`${name} in the log`, async () => {
        record = existsSync(setup.logPath) ? (await setup.readLog())[name] : undefined;
        return record !== undefined;
      });
      return record!;
    },
    async survived(names) {
      await handled();
      const { exitCode, stderr } = await dynip(["ping", setup.config]);
      expect({ kind, exitCode, stderr }).toEqual({ kind, exitCode: 0, stderr: "" });
      if (!hasSecret) await server.said("new host honest at 127.0.0.1");

      const stopped = await server.stop();
      await using again = await serve(["--debug", setup.config]);
      const expected = [...names, "honest"].sort();
      let log: Awaited<ReturnType<typeof setup.readLog>> = {};
      // A killed server has left an older log, and the rest in the journal.
      await eventually(`${expected} and nothing else in the log, ${kind}`, async () => {
        log = existsSync(setup.logPath) ? await setup.readLog() : {};
        return Bun.deepEquals(Object.keys(log).sort(), expected);
      });
      for (const record of Object.values(log)) {
        const { address } = (record.ipv4 ?? record.ipv6)!;
        expect(canonicalAddress(address)).toBe(address);
      }
      const restarted = await again.stop();
      expect(await setup.readLog()).toEqual(log);

      for (const text of [before, stopped.stderr, restarted.stderr]) expectHarmless(text);
      if (!HAS_SIGNALS) return {}; // killed, it reports no counters
      expect(stopped.exitCode).toBe(0);
      return countsOf(stopped.stderr);
    },
    async [Symbol.asyncDispose]() {
      await peer[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await setup[Symbol.asyncDispose]();
    },
  };
}

/** Expects no raw control, format or separator character, and no line of 300 bytes or more. */
function expectHarmless(stderr: string): void {
  expect(stderr).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u);
  const long = stderr.split("\n").filter((line) => Buffer.byteLength(line) >= 300);
  expect(long).toEqual([]);
}

/** The counters in the server's last line, without the datagrams that this file's helpers sent. */
function countsOf(stderr: string): Counts {
  const line = /stopped: (\d+) pings? accepted, (\d+) challenged, \d+ datagrams? dropped.*/.exec(
    stderr,
  );
  if (!line) throw new Error(`the server did not say what it counted:\n${stderr}`);
  const counts: Counts = { accepted: Number(line[1]), challenged: Number(line[2]) };
  for (const [, number, reason] of line[0].matchAll(/[(,] ?(\d+) ([^,()]+)(?=[,)])/g)) {
    if (!/^(?:challenged|datagrams? dropped)/.test(reason!)) counts[reason!] = Number(number);
  }
  const less = (reason: string, pattern: RegExp): void => {
    counts[reason] = (counts[reason] ?? 0) - (stderr.match(pattern)?.length ?? 0);
  };
  less("challenged", /challenged (?:barrier-\d+|honest) at /g);
  less("accepted", /(?:new host honest|honest is still) at /g);
  less("not a name", /dropped 1\d{3} bytes from \S+: not a name/g);
  return Object.fromEntries(Object.entries(counts).filter(([, number]) => number !== 0));
}

/** Runs an attack on servers of several kinds, in parallel. */
async function against(
  kinds: readonly Kind[],
  act: (target: Target) => Promise<void>,
  hosts?: Record<string, SignedRecord>,
): Promise<void> {
  await Promise.all(
    kinds.map(async (kind) => {
      await using target = await attack(kind, hosts);
      await act(target);
    }),
  );
}

const seen = (address = "127.0.0.1", time = Date.now() - 60_000): SightingRecord => {
  const text = new Date(time).toISOString();
  return { address, since: text, last_seen: text };
};

/** Why it is dropped, or the name that it is stored under where plain pings are accepted. */
type Outcome = string | { P: string };
type Sent = readonly [datagram: string | Uint8Array, outcome: Outcome];

const all = (outcome: Outcome, ...datagrams: (string | Uint8Array)[]): Sent[] =>
  datagrams.map((datagram) => [datagram, outcome]);
const names = (...plain: string[]): Sent[] => plain.map((name) => [name, { P: name }]);

/**
 * Datagrams that are dropped or plain, whatever the server knows. `good` is a ping of `nas` with a good
 * cookie, which the server would accept.
 */
const ROWS: [row: string, datagrams: (good: string) => Sent[]][] = [
  [
    "empty; one NUL byte",
    () => [
      ["", "empty"],
      ["\0", "not a name"],
    ],
  ],
  [
    "257 bytes, 65,507 bytes of `a`",
    () => all({ P: "a".repeat(256) }, "a".repeat(257), "a".repeat(LARGEST)),
  ],
  ["a two-byte character across byte 256", () => [[`${"a".repeat(255)}é`, { P: "a".repeat(255) }]]],
  [
    "`ff fe`; a STUN Binding request",
    () =>
      all(
        "not UTF-8",
        Uint8Array.of(0xff, 0xfe),
        Buffer.from(`000100002112a442${"0b".repeat(12)}`, "hex"),
      ),
  ],
  [
    "ESC, CR, LF, TAB, U+202E, U+2028 inside a name",
    () =>
      all(
        "not a name",
        ...["\x1b[2J\x1b[31m", "\r", "\n", "\t", "\u202e", "\u2028"].map((one) => `na${one}s`),
      ),
  ],
  [
    "`__proto__`, `constructor`, `toString`, `10`, `9`, `1e3`",
    () => names("__proto__", "constructor", "toString", "10", "9", "1e3"),
  ],
  // Names have no white space: <img onerror=x> is dropped, <img/onerror=x> is a name.
  [
    '`"]}`, `<img onerror=x>`, `../../etc/x`, `=cmd()`',
    () => [
      ...names('"]}', "<img/onerror=x>", "../../etc/x", "=cmd()"),
      ["<img onerror=x>", "not a name"],
    ],
  ],
  [
    "`dynip/2 …`, `dynip/`, `dynip/1 X …`",
    (good) =>
      all(
        "malformed",
        "dynip/",
        "dynip/1",
        ...["dynip/2 P", "dynip/0 P", "dynip/01 P", "dynip/1 X", "dynip/1 p", "dynip/1  P"].map(
          (start) => sign(good.slice(0, -32).replace("dynip/1 P", start), keyOf("nas")),
        ),
        // Q, G and R are reserved.
        ...["Q", "G", "R"].map((type) =>
          sign(good.slice(0, -32).replace(" P ", ` ${type} `), keyOf("nas")),
        ),
      ),
  ],
  [
    "a good ping cut at any length; with one byte or a newline more; upper-case hex",
    (good) => [
      ["", "empty"],
      // Without the slash it is a plain ping of the name `dynip`.
      ...names("d", "dy", "dyn", "dyni", "dynip"),
      ...Array.from({ length: good.length - 6 }, (_, more): Sent => {
        return [good.slice(0, 6 + more), "malformed"];
      }),
      ...all("malformed", `${good}0`, `${good} `, `${good}\0`, `${good}\n`, `${good}\r\n`),
      ...all("malformed", ` ${good}`.slice(1).replace(" nas ", " nas  ")),
      // Upper-case digits are malformed, even with a right MAC.
      ...[10, 27, 44].map((start): Sent => {
        const text = `${good.slice(0, start)}ABCDEF${good.slice(start + 6, -32)}`;
        return [sign(text, keyOf("nas")), "malformed"];
      }),
      ...all("malformed", good.slice(0, -32) + "ABCDEF".padEnd(32, "0")),
      ...all("malformed", sign(good.slice(0, -32).replace("nas", "NAS"), keyOf("nas"))),
    ],
  ],
  [
    "every single-bit flip of a good ping",
    (good) =>
      Array.from({ length: good.length * 8 }, (_, bit): Sent => {
        const flipped = Buffer.from(good);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        // With a broken prefix it is plain, and its spaces make it no name.
        if (bit < 48) return [flipped, (bit & 7) === 7 ? "not UTF-8" : "not a name"];
        const form = /^dynip\/1 P (?:[0-9a-f]{16} ){2}[0-9a-f]{32} [a-z0-9][a-z0-9._-]?[a-z0-9]? /;
        const text = flipped.toString("latin1");
        const fits = form.test(text) && /[a-z0-9] [0-9a-f]{32}$/.test(text);
        return [flipped, fits ? "wrong MAC" : "malformed"];
      }),
  ],
  [
    "MAC of 0, 31, 33 digits; MAC by another name's key; by an old generation",
    (good) => [
      ...all("malformed", good.slice(0, -32), good.slice(0, -33), good.slice(0, -1), `${good}a`),
      [sign(good.slice(0, -32), keyOf("pi")), "wrong MAC"],
      [sign(good.slice(0, -32).replace(" nas ", " revoked "), keyOf("revoked", 1)), "wrong MAC"],
      [sign(good.slice(0, -32), Buffer.alloc(32)), "wrong MAC"],
      [sign(good.slice(0, -32), Buffer.alloc(0)), "wrong MAC"],
    ],
  ],
  [
    "`A` or `C` sent to the server",
    (good) =>
      ["A", "C"].flatMap((type) =>
        all(
          "malformed",
          // In the form of a reply, with the length of a ping.
          sign(good.slice(0, 77).replace(" P ", ` ${type} `), keyOf("nas")),
          sign(good.slice(0, -32).replace(" P ", ` ${type} `), keyOf("nas")),
        ),
      ),
  ],
];

describe("dropped, or stored as a plain ping where these are taken, and never answered:", () => {
  test.each(ROWS)("%s", async (_row, datagrams) => {
    await against(ALL, async (target) => {
      const { kind, hasSecret, takesPlain, peer } = target;
      let good = signedPing({ name: "nas", cookie: "f".repeat(32) });
      let challenged = 0;
      if (hasSecret) {
        const { counter, value } = await peer.ask({ name: "nas" });
        good = signedPing({ name: "nas", counter, cookie: value });
        challenged = 1;
      }
      const stored = new Set<string>();
      const expected: Counts = challenged ? { challenged } : {};
      for (const [index, [datagram, outcome]] of datagrams(good).entries()) {
        await peer.send(datagram);
        // Some dozens of datagrams, or a few of this size, could overflow the receive buffer.
        if (datagram.length > 1000 || index % 32 === 31) await target.handled();
        let reason = typeof outcome === "string" ? outcome : "accepted";
        if (typeof outcome === "object") {
          if (takesPlain) stored.add(outcome.P);
          else reason = "plain";
        }
        if (reason === "wrong MAC" && !hasSecret) reason = "no secret";
        expected[reason] = (expected[reason] ?? 0) + 1;
      }
      await target.handled();
      expect({ kind, replies: await peer.rest() }).toEqual({ kind, replies: [] });
      const counts = await target.survived([...stored]);
      if (HAS_SIGNALS) expect({ kind, counts }).toEqual({ kind, counts: expected });
    });
  });

  test("plain `nas`, `NAS`, `nas.` once `nas` was signed; any plain name while a secret is set", async () => {
    const nas: SignedRecord = { ipv4: seen("203.0.113.7"), counter: digits(microseconds()) };
    await against(
      ALL,
      async (target) => {
        const { kind, takesPlain, peer } = target;
        for (const name of ["nas", "NAS", "nas.", "Nas..", "na\u017f"]) await peer.send(name);
        await peer.send("other");
        await target.handled();
        expect(await peer.rest()).toEqual([]);
        const counts = await target.survived(takesPlain ? ["nas", "other"] : ["nas"]);
        expect({ kind, nas: await target.record("nas") }).toEqual({ kind, nas });
        if (!HAS_SIGNALS) return;
        expect({ kind, counts }).toEqual({
          kind,
          counts: takesPlain ? { accepted: 1, "signed name": 5 } : { plain: 6 },
        });
      },
      { nas },
    );
  });
});

test("`P` reflected to the client is ignored, and so is any reply but the server's", async () => {
  await using target = await attack("with a secret");
  await using setup = await newSetup({ client: 'client_name = "nas"' });
  let reflected = 0;
  const relay = await bind({
    address: "127.0.0.1",
    port: 0,
    onError() {},
    onDatagram(datagram, _address, port, peer) {
      const ping = datagram.slice();
      const text = Buffer.from(ping).toString();
      const forged = sign(text.slice(0, 77).replace(" P ", " A "), keyOf("pi"));
      for (const junk of [ping, Buffer.from(forged), new Uint8Array(0), ping.slice(0, 109)]) {
        relay.send(junk, port, peer);
      }
      reflected++;
      void carry(ping, (reply) => relay.send(reply, port, peer));
    },
  });
  const sockets: { close(): void }[] = [];
  async function carry(ping: Uint8Array, deliver: (reply: Uint8Array) => void): Promise<void> {
    const socket = await connect("127.0.0.1", target.port, (reply) => deliver(reply.slice()));
    sockets.push(socket);
    socket.send(ping);
  }
  try {
    const text = await readFile(setup.config, "utf8");
    await writeFile(setup.config, text.replaceAll(String(setup.port), String(relay.port)));
    const env = { DYNIP_SECRET: SECRET };
    const run = await dynip(["ping", "-v", setup.config], { env });
    expect(run).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("nas at 127.0.0.1") });
    expect(reflected).toBeGreaterThanOrEqual(2);
  } finally {
    relay.close();
    for (const socket of sockets) socket.close();
  }
  await target.survived(["nas"]);
});

describe("challenged, the record unchanged:", () => {
  withTwoAddresses(
    "replay from the same address, from another address, a month later",
    async () => {
      // The record and the pings are a month old, and the clock stays. model.test.ts moves the clock.
      const then = microseconds() - MONTH;
      const old: SignedRecord = { ipv4: seen("127.0.0.1", then / 1000), counter: digits(then) };
      await against(
        SIGNING,
        async (target) => {
          const { peer } = target;
          await using elsewhere = await openPeer(target.port, "127.0.0.2");
          const { counter, value: cookie } = await peer.ask({ name: "nas" });
          const accepted = { name: "nas", counter, cookie };
          expect((await peer.ask(accepted)).type).toBe("A");
          const direct = { name: "nas", counter: digits(Number.parseInt(counter, 16) + 1) };
          expect((await peer.ask(direct)).type).toBe("A");
          const before = target
            .server()
            .stderr()
            .match(/nas at|nas is/g);
          for (const thief of [peer, elsewhere]) {
            for (const stolen of [accepted, direct]) {
              expect(await thief.ask(stolen)).toMatchObject({ type: "C" });
            }
            for (const late of [then, then + 1, then + WINDOW]) {
              const reply = await thief.ask({ name: "month", counter: digits(late) });
              expect(reply.type).toBe("C");
            }
          }
          expect(before).not.toBeNull();
          await target.survived(["month", "nas"]);
          expect(await target.record("month")).toEqual(old);
          expect(await target.record("nas")).toMatchObject({
            ipv4: { address: "127.0.0.1" },
            counter: direct.counter,
          });
        },
        { month: old },
      );
    },
  );

  // Cookies that are too old are in cookie.test.ts and model.test.ts, which can move the clock.
  withTwoAddresses(
    "a cookie from another address, from before a restart, of another name; and the client then gets its A",
    async () => {
      await against(SIGNING, async (target) => {
        const { peer } = target;
        await using elsewhere = await openPeer(target.port, "127.0.0.2");
        const stolen = await peer.ask({ name: "nas" });
        const { counter, value: cookie } = stolen;
        for (const [thief, name] of [
          [elsewhere, "nas"],
          [peer, "pi"],
        ] as const) {
          const reply = await thief.ask({ name, counter, cookie });
          expect(reply.type).toBe("C");
          const met = { name, counter: reply.counter, cookie: reply.value };
          if (name === "pi") expect((await thief.ask(met)).type).toBe("A");
        }
        await target.restart();
        const reply = await peer.ask({ name: "nas", counter, cookie });
        expect(reply.type).toBe("C");
        const met = { name: "nas", counter: reply.counter, cookie: reply.value };
        expect((await peer.ask(met)).type).toBe("A");
        await target.survived(["nas", "pi"]);
        expect((await target.record("nas")).ipv4!.address).toBe("127.0.0.1");
      });
    },
  );

  test.each([
    ["counter 0; the client's clock in 1970", 0],
    ["counter `ffffffffffffffff`", 2 ** 64],
    ["the client's clock in 2099", Date.UTC(2099, 0) * 1000],
    ["a counter beyond the window", Date.now() * 1000 + WINDOW + HOUR],
  ])("%s: then the client gets its A", async (_which, number) => {
    await against(SIGNING, async (target) => {
      const { peer } = target;
      const counter = number === 2 ** 64 ? "f".repeat(16) : digits(number);
      const first = await peer.ask({ name: "nas", counter });
      expect(first.type).toBe("C");
      // A good cookie does not make up for the counter.
      const second = await peer.ask({ name: "nas", counter, cookie: first.value });
      expect(second.type).toBe("C");
      const met = { name: "nas", counter: second.counter, cookie: second.value };
      expect(await peer.ask(met)).toMatchObject({ type: "A", counter: second.counter });
      const counts = await target.survived(["nas"]);
      if (HAS_SIGNALS) expect(counts).toEqual({ accepted: 1, challenged: 2 });
      const stored = Number.parseInt((await target.record("nas")).counter!, 16);
      expect(stored).toBeLessThanOrEqual(microseconds() + WINDOW);
      expect(stored).toBeGreaterThan(microseconds() - WINDOW);
    });
  });

  test("the server's clock set back an hour: then the client gets its A", async () => {
    // For the server, a clock set back and a record from the future are the same.
    const last = microseconds() + HOUR;
    const nas: SignedRecord = { ipv4: seen("127.0.0.1", last / 1000), counter: digits(last) };
    await against(
      SIGNING,
      async (target) => {
        const { peer } = target;
        const { type, counter, value } = await peer.ask({ name: "nas" });
        expect({ type, counter }).toEqual({ type: "C", counter: digits(last + 1) });
        expect((await peer.ask({ name: "nas", counter, cookie: value })).type).toBe("A");
        expect((await peer.exchange("nas")).counter).toBe(digits(last + 2));
        await target.survived(["nas"]);
        expect((await target.record("nas")).counter).toBe(digits(last + 2));
      },
      { nas },
    );
  });
});

onUnix(
  "two pings of one name in one fsync batch: the newer is stored, both are answered",
  async () => {
    await against(SIGNING, async (target) => {
      const { peer } = target;
      const { counter, value: cookie } = await peer.ask({ name: "nas" });
      const first = Number.parseInt(counter, 16);
      const wanted = Array.from({ length: 8 }, (_, index) => ({
        counter: digits(first + index),
        nonce: digits(900_000 + index),
      }));
      // The server is stopped until all are in its buffer, so that they share one sync or two.
      process.kill(target.server().pid, "SIGSTOP");
      for (const one of wanted) await peer.send(signedPing({ name: "nas", cookie, ...one }));
      process.kill(target.server().pid, "SIGCONT");
      const replies = await peer.replies("nas", ...wanted.map(({ nonce }) => nonce));
      expect(replies.map(({ type }) => type)).toEqual(wanted.map(() => "A"));
      // An A has the counter that is now stored: that of its ping, or a newer one of the same sync.
      for (const [index, reply] of replies.entries()) {
        expect(reply.counter >= wanted[index]!.counter).toBe(true);
      }
      const counts = await target.survived(["nas"]);
      expect(counts).toEqual({ accepted: 8, challenged: 1 });
      expect((await target.record("nas")).counter).toBe(wanted.at(-1)!.counter);
    });
  },
);

const python = Bun.which("python3");
const canForge = process.platform === "linux" && process.getuid!() === 0 && python !== null;

/** Writes whole IP packets: source address, source port, destination port, payload. */
const FORGER = `
import json, socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
here = socket.inet_aton("127.0.0.1")
for source, port, to, payload in json.load(sys.stdin):
    udp = struct.pack("!HHHH", port, to, 8 + len(payload), 0) + payload.encode()
    ip = struct.pack("!BBHHHBBH4s4s", 69, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                     socket.inet_aton(source), here)
    raw.sendto(ip + udp, ("127.0.0.1", 0))
`;

/** Sends pings with right MACs from these sources, each with another name. */
async function forge(target: Target, sources: readonly [address: string, port: number][]) {
  const packets = sources.map(([address, port], index) => {
    return [address, port, target.port, signedPing({ name: `forged-${index}` })];
  });
  const input = JSON.stringify(packets);
  const { exitCode, stderr } = await runProcess([python!, "-c", FORGER], { input });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  await target.handled();
}

describe.skipIf(!canForge)("sources that only a forger has (Linux, root, Python)", () => {
  test("source port 0, source 255.255.255.255, the server's own address and port", async () => {
    await using target = await attack("with a secret");
    await forge(target, [
      ["255.255.255.255", 40_000],
      ["224.0.0.1", 40_000],
      ["127.0.0.1", target.port],
      // Bun 1.4.5 does not deliver these.
      ["127.0.0.1", 0],
      ["192.0.2.1", 0],
    ]);
    for (const index of [0, 1, 2]) await target.server().said(`challenged forged-${index} at `);
    const stderr = target.server().stderr();
    // The system would have refused an answer to everyone.
    expect(stderr).not.toContain("socket:");
    const challenged = stderr.match(/challenged forged-/g)!.length;
    // The server receives its answer to itself, drops it, and answers it no more.
    expect(await target.survived([])).toEqual({ challenged, malformed: 1 });
  });

  test("the server's port at any other of its own addresses", async () => {
    await using target = await attack("with a secret");
    const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const external = own.find(({ family, internal }) => family === "IPv4" && !internal);
    const addresses = ["127.0.0.2", ...(external ? [external.address] : [])];
    await forge(
      target,
      addresses.map((address) => [address, target.port]),
    );
    const { length } = addresses;
    expect(await target.survived([])).toEqual({ challenged: length, malformed: length });
  });

  test("its own port, with allow_plain: its answers to itself are no plain pings", async () => {
    await using target = await attack("with allow_plain");
    await forge(target, [["127.0.0.1", target.port]]);
    expect(await target.survived([])).toEqual({ challenged: 1, malformed: 1 });
  });
});

// A client that closed its socket before the answer: vanishing.test.ts.

test("`::ffff:127.0.0.1` and `127.0.0.1` are the same address", async () => {
  // A socket on every interface sees the first address, one on 127.0.0.1 the second.
  await using target = await attack("with allow_plain");
  expect(await target.peer.exchange("nas")).toMatchObject({
    type: "A",
    value: "00000000000000000000ffff7f000001",
  });
  await target.restart();
  const counter = Number.parseInt((await target.record("nas")).counter!, 16);
  await using setup = await newSetup({ server: 'server_ip = "127.0.0.1"' });
  await writeFile(setup.logPath, JSON.stringify({ nas: await target.record("nas") }));
  await using four = await serve(["-v", setup.config], { env: { DYNIP_SECRET: SECRET } });
  await using peer = await openPeer(four.port);
  const next = digits(Math.max(counter + 1, microseconds()));
  expect((await peer.ask({ name: "nas", counter: next })).type).toBe("A"); // and no challenge
  await four.said("nas is still at 127.0.0.1");
  expect(four.stderr()).not.toContain("ffff");
  await target.survived(["nas"]);
});

const linkLocal = Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
  (addresses ?? [])
    .filter(({ address }) => address.startsWith("fe80:"))
    .map(({ address }) => ({ address: address.replace(/%.*/, ""), name })),
)[0];
test.skipIf(process.platform === "win32" || linkLocal === undefined)(
  "`fe80::1%eth0`: the zone is stripped",
  async () => {
    const { address, name } = linkLocal!;
    await using target = await attack("with a secret");
    // server_hostname takes no zone, so that the test uses the client's socket.
    const replies: Buffer[] = [];
    const socket = await connect(`${address}%${name}`, target.port, (datagram) => {
      replies.push(Buffer.from(datagram));
    });
    try {
      socket.send(Buffer.from(signedPing({ name: "nas" })));
      await eventually("a challenge", () => replies.length === 1);
      const [, , counter, , value] = replies[0]!.toString().split(" ");
      socket.send(Buffer.from(signedPing({ name: "nas", counter: counter!, cookie: value! })));
      await eventually("an acknowledgement", () => replies.length === 2);
      expect(replies[1]!.toString()).toStartWith("dynip/1 A ");
    } finally {
      socket.close();
    }
    await target.server().said(`new host nas at ${address}\n`);
    await target.survived(["nas"]);
    expect((await target.record("nas")).ipv6!.address).toBe(address);
  },
);

describe("100,000 new plain names", () => {
  const MAX_CLIENTS = 10_000;
  const TOTAL = 100_000;
  /** Few enough for a receive buffer of Linux's default size. */
  const AT_ONCE = 64;

  onLinux("stop at max_clients; known names keep updating; memory is flat", async () => {
    await using setup = await newSetup({ server: "allow_plain = true" });
    const env = { DYNIP_SECRET: SECRET };
    await using server = await serve([setup.config], { env });
    await using peer = await openPeer(server.port);
    const memory = (): number => {
      const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1024;
    };
    let after10k = 0;
    for (let sent = 0; sent < TOTAL; sent += AT_ONCE) {
      const names = Array.from({ length: Math.min(AT_ONCE, TOTAL - sent) }, (_, index) =>
        peer.send(`host-${sent + index}`),
      );
      await Promise.all(names);
      await peer.handled();
      if (sent < MAX_CLIENTS && sent + AT_ONCE >= MAX_CLIENTS) after10k = memory();
    }
    expect(memory() - after10k).toBeLessThan(30);

    // A busy machine may lose a few, so that the log tells which names are known.
    await eventually("10,000 names in the log", async () => {
      return Object.keys(await setup.readLog()).length >= MAX_CLIENTS;
    });
    const before = Object.keys(await setup.readLog());
    const known = [before[0]!, before.at(-1)!];
    const unknown = `host-${TOTAL - 1}`;
    expect(before).not.toContain(unknown);
    await using elsewhere = await openPeer(server.port, "127.0.0.2");
    for (const name of [...known, unknown]) await elsewhere.send(name);
    await elsewhere.handled();

    const { exitCode, stderr } = await server.stop();
    expect(exitCode).toBe(0);
    const { accepted, full } = countsOf(stderr);
    expect(accepted).toBe(MAX_CLIENTS + known.length);
    expect(full).toBeWithin((TOTAL - MAX_CLIENTS) * 0.9, TOTAL - MAX_CLIENTS + 2);
    expectHarmless(stderr);
    expect(stderr.match(/as many as max_clients are known/g)).toHaveLength(1);
    const after = await setup.readLog();
    expect(Object.keys(after).sort()).toEqual(before.sort());
    expect(before).toHaveLength(MAX_CLIENTS);
    for (const name of known) expect(after[name]!.ipv4!.address).toBe("127.0.0.2");
  });
});
