/**
 * Hostile bytes for the HTTP door of the compiled server. During and after each attack UDP pings are
 * acknowledged, an honest request is answered, nothing of a host is told, and no control character is
 * written to stderr.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";

import { cleanEnvironment, startProcess } from "../processes.ts";
import { eventually, PATIENCE, TEST_MS, WAIT_MS, within } from "../waiting.ts";
import { HAS_SIGNALS } from "./dynip.ts";
import { basic, newWeb, parseResponse, passwordOf, request, type WebOptions } from "./web.ts";
import { digits, openPeer } from "./wire.ts";

setDefaultTimeout(TEST_MS);

const onUnix = test.skipIf(!HAS_SIGNALS);
const T1 = "2026-11-20T08:00:00.000Z";
const LOG = JSON.stringify({
  nas: {
    ipv4: { address: "203.0.113.7", since: T1, last_seen: T1 },
    counter: digits(1),
  },
});
const AUTH = { Host: "a", Authorization: basic("phone") };

/** A server that is attacked, and what must go on working meanwhile. */
async function newVictim(options: WebOptions = {}) {
  const web = await newWeb({ log: LOG, ...options });
  const peer = await openPeer(web.port);
  let pings = 0;
  return {
    ...web,
    /** A ping is acknowledged, and a request is answered. */
    async works(): Promise<void> {
      expect((await peer.exchange(`pi-${++pings}`)).type).toBe("A");
      const response = await web.get("/hosts/nas", "phone");
      expect(await response.text()).toBe("203.0.113.7\n");
    },
    /** It ends within two seconds of SIGTERM, and has said nothing that it should not. */
    async endsWell(): Promise<void> {
      const { exitCode, stderr } = await within(
        2000 * PATIENCE,
        "the end of the server",
        web.server.stop("SIGTERM"),
      );
      if (HAS_SIGNALS) expect(exitCode).toBe(0);
      // oxlint-disable-next-line no-control-regex
      expect(stderr).not.toMatch(/[\0-\x09\x0b-\x1f\x7f]/);
      expect(stderr).not.toContain("bug in dynip");
      expect(stderr).not.toContain(passwordOf("phone").slice(0, 8));
    },
    async [Symbol.asyncDispose]() {
      await peer[Symbol.asyncDispose]();
      await web[Symbol.asyncDispose]();
    },
  };
}

const get = (headers: Record<string, string>, target = "/hosts/nas") =>
  request(`GET ${target} HTTP/1.1`, { Host: "a", ...headers });
const wrongLogin = (header: string) => get({ Authorization: header });
const post = (headers: Record<string, string>, body: string) =>
  request("POST /nic/update HTTP/1.1", { ...AUTH, ...headers }, body);
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

/** What is sent, and the status of the answer; undefined where the connection is closed without one. */
const ATTACKS: [what: string, bytes: string | Uint8Array, status: number | undefined][] = [
  ["no password", get({}), 401],
  ["a wrong password", wrongLogin(basic("phone", "x")), 401],
  ["base64 that is cut off", wrongLogin(AUTH.Authorization.slice(0, -9)), 401],
  ["base64 that is none", wrongLogin("Basic \x7f\xff\xfe"), 401],
  ["a user that is HTML", wrongLogin(basic("<script>alert(1)</script>", "x")), 401],
  ["a user with control characters", wrongLogin(basic("\x1b[31mred\n\r\0", "x")), 401],
  ["a user of 10,000 characters", wrongLogin(basic("x".repeat(10_000), "x")), 401],
  ["another scheme", wrongLogin("Negotiate abc"), 401],
  ["two Authorizations", get({ Authorization: `${basic("phone")}, ${basic("phone")}` }), 401],
  [
    "HTTP/1.0 without a Host",
    request("GET /hosts/nas HTTP/1.0", { Authorization: basic("phone") }),
    200,
  ],
  ["HTTP/1.1 without a Host", request("GET / HTTP/1.1", { Authorization: basic("phone") }), 400],
  ["two Hosts", get({ ...AUTH, host: "b" }), 200],
  ["a Host that is junk", get({ ...AUTH, Host: "<script>/../?#@[::" }), 200],
  ["an absolute target", get(AUTH, "http://evil.example/hosts/nas"), 200],
  ["an absolute target with a password in it", get({}, "http://phone:x@evil.example/"), 401],
  ["CONNECT", request("CONNECT a:443 HTTP/1.1", AUTH), 404],
  ["OPTIONS *", request("OPTIONS * HTTP/1.1", AUTH), 400],
  ["no target", request("GET  HTTP/1.1", AUTH), 400],
  ["a path with NUL and bytes that are no UTF-8", get(AUTH, "/hosts/%00%ff%c0%80"), 404],
  ["a path that climbs", get(AUTH, "/hosts/../../../../etc/passwd"), 404],
  ["a path that climbs, encoded", get(AUTH, "/hosts/..%2f..%2f..%2fetc%2fpasswd"), 404],
  ["a header of 100 kB", get({ ...AUTH, X: "x".repeat(100_000) }), 431],
  [
    "300 headers",
    get({ ...AUTH, ...Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`X-${n}`, "x"])) }),
    431,
  ],
  ["a target of 20 kB", get(AUTH, `/${"x".repeat(20_000)}`), 431],
  ["a body of over 1 kB", post({ ...FORM, "Content-Length": "1025" }, "x".repeat(1025)), 413],
  ["a body that is said to have 4 GB", post({ ...FORM, "Content-Length": "4294967296" }, "x"), 413],
  [
    "a body of over 1 kB in chunks",
    post({ ...FORM, "Transfer-Encoding": "chunked" }, `800\r\n${"x".repeat(2048)}\r\n0\r\n\r\n`),
    413,
  ],
  [
    "a GET with a body of 5 kB",
    `${get({ ...AUTH, "Content-Length": "5000" })}${"x".repeat(5000)}`,
    413,
  ],
  ["a length below 0", post({ ...FORM, "Content-Length": "-1" }, ""), 400],
  [
    "a length and chunks",
    post({ ...FORM, "Content-Length": "5", "Transfer-Encoding": "chunked" }, "0\r\n\r\n"),
    400,
  ],
  ["two lengths", post({ ...FORM, "Content-Length": "1", "content-length": "2" }, "ab"), 400],
  ["a method that is none", request("FOO / HTTP/1.1", AUTH), undefined],
  ["a WebSocket", get({ ...AUTH, Upgrade: "websocket", Connection: "Upgrade" }), 200],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  ["HTTP/0.9", "GET /\r\n\r\n", 505],
  ["a name that is HTML", get(AUTH, "/hosts/<script>alert(1)</script>"), 404],
  ["TLS", Uint8Array.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3, 0x0d, 0x0a]), 400],
];

describe("an attacker sends", () => {
  test.each(ATTACKS)("%s", async (_what, bytes, status) => {
    await using victim = await newVictim();
    const answer = await victim.send(bytes);
    if (status === undefined) expect(answer).toEqual({ text: "", isClosed: true });
    else expect(parseResponse(answer.text).status).toBe(status);
    if (status !== 200) expect(answer.text).not.toContain("203.0.113.7");
    expect(answer.text).not.toContain("<script>");
    await victim.works();
    await victim.endsWell();
  });

  test("bytes of a good request, some of them changed, cut off or doubled", async () => {
    await using victim = await newVictim();
    const good = Buffer.from(post({ ...FORM, "Content-Length": "16" }, "myip=203.0.113.8"));
    let seed = 1;
    const below = (limit: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 8) % limit;
    };
    const sockets: Socket[] = [];
    for (let n = 0; n < 300; n++) {
      let bytes: Uint8Array = Buffer.from(good);
      for (let change = below(4); change >= 0; change--) bytes[below(bytes.length)] = below(256);
      if (below(3) === 0) bytes = bytes.subarray(0, below(bytes.length));
      if (below(3) === 0) bytes = Buffer.concat([bytes, good]);
      const socket = connect(victim.webPort, "127.0.0.1");
      socket.on("error", () => {});
      socket.on("data", () => {});
      socket.write(bytes);
      sockets.push(socket);
      if (n % 50 === 49) await victim.works();
    }
    await victim.works();
    for (const socket of sockets) socket.destroy();
    await victim.endsWell();
  });
});

test("requests in one piece are answered in order, over one connection", async () => {
  await using victim = await newVictim();
  const requests = Array.from({ length: 50 }, (_, n) => get(n % 2 ? AUTH : {}));
  const statuses = (text: string): string[] => text.match(/^HTTP\/1\.1 \d{3}/gm) ?? [];
  const isWhole = (text: string) => statuses(text).length === 50;
  const { text } = await victim.send(requests.join(""), isWhole);
  const expected = requests.map((_, n) => `HTTP/1.1 ${n % 2 ? 200 : 401}`);
  expect(statuses(text)).toEqual(expected);
  await victim.works();
  await victim.endsWell();
});

test("X-Forwarded-For of somebody who is not on this machine is not believed", async () => {
  const own = Object.values(networkInterfaces())
    .flat()
    .find((one) => one !== undefined && one.family === "IPv4" && !one.internal)?.address;
  if (own === undefined) return console.error("skipped: this machine has no address but loopback");
  await using victim = await newVictim({ http: 'ip = "0.0.0.0"' });
  const headers = { Authorization: basic("home"), "X-Forwarded-For": "203.0.113.66" };
  const url = `http://${own}:${victim.webPort}/nic/update`;
  expect(await (await fetch(url, { headers })).text()).toBe(`good ${own}`);
  await fetch(url, { headers: { ...headers, Authorization: basic("home", "x") } });
  await victim.server.said(`wrong name or password for home by HTTP from ${own}\n`);
  await victim.works();
});

describe("while connections are held,", () => {
  /** Opens connections and writes the same to each. */
  async function hold(port: number, count: number, bytes: string): Promise<Socket[]> {
    const sockets = Array.from({ length: count }, () => connect(port, "127.0.0.1"));
    for (const socket of sockets) socket.on("error", () => {});
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    for (const socket of sockets) socket.write(bytes);
    return sockets;
  }

  onUnix("100 senders of a byte at a time hold up nobody, and end with the server", async () => {
    await using victim = await newVictim();
    const bytes = post({ ...FORM, "Content-Length": "16" }, "myip=203.0.113.8");
    const sockets = await hold(victim.webPort, 100, bytes[0]!);
    for (let at = 1; at <= 4; at++) {
      await victim.works();
      for (const socket of sockets) socket.write(bytes[at]!);
      await Bun.sleep(1000);
    }
    await victim.works();
    await victim.endsWell();
    for (const socket of sockets) socket.destroy();
  });

  onUnix.each([
    ["idle, kept alive", get(AUTH)],
    ["in the middle of a body", post({ ...FORM, "Content-Length": "16" }, "myip=203")],
    ["in the middle of the headers", get(AUTH).slice(0, 40)],
  ])("SIGTERM ends the server within two seconds: %s", async (_what, bytes) => {
    await using victim = await newVictim();
    const sockets = await hold(victim.webPort, 50, bytes);
    const closed = Promise.all(sockets.map((socket) => once(socket.resume(), "close")));
    await victim.works();
    await victim.endsWell();
    await within(WAIT_MS, "the end of the connections", closed);
  });

  onUnix(
    "SIGTERM while reports come without end: what was answered with good is kept",
    async () => {
      await using victim = await newVictim();
      const good = new Map<string, string>();
      let isOver = false;
      const report = async (name: string): Promise<void> => {
        for (let n = 1; !isOver; n++) {
          const address = `203.0.${n >> 8}.${n & 255}`;
          const response = await victim
            .get(`/nic/update?myip=${address}`, name)
            .catch(() => undefined);
          const body = await response?.text().catch(() => undefined);
          if (body === undefined) return; // the server is gone
          if (body === `good ${address}`) good.set(name, address);
          else expect([response!.status, body]).toEqual([503, "911"]);
        }
      };
      const reporting = Array.from({ length: 8 }, (_, n) => report(`home-${n}`));
      await eventually("a report of each", () => good.size === 8);
      await victim.endsWell();
      isOver = true;
      await Promise.all(reporting);
      const log = await victim.readLog();
      const kept = [...good.keys()].map((name) => [name, log[name]?.ipv4?.address] as const);
      // The last one may have been recorded, and its answer have been lost.
      const next = (address: string) => {
        const n = Number(address.split(".")[2]) * 256 + Number(address.split(".")[3]) + 1;
        return `203.0.${n >> 8}.${n & 255}`;
      };
      for (const [name, address] of kept) {
        expect([good.get(name)!, next(good.get(name)!)]).toContain(address!);
      }
    },
  );

  const COUNT = 5000;
  const LIMIT = 8000;
  const canRaise = HAS_SIGNALS && Bun.spawnSync(["sh", "-c", `ulimit -n ${LIMIT}`]).success;
  const withFiles = ["sh", "-c", `ulimit -n ${LIMIT} && exec "$0" "$@"`];
  const why = canRaise ? "" : ` (skipped: no ${LIMIT} open files are allowed here)`;
  test.skipIf(!canRaise)(
    `5,000 idle connections keep nobody from being served${why}`,
    async () => {
      await using victim = await newVictim({ within: withFiles });
      const program = `${import.meta.dir}/idle-connections.ts`;
      const command = [process.execPath, program, String(victim.webPort), String(COUNT)];
      await using holder = startProcess([...withFiles, ...command], {
        env: cleanEnvironment(),
        deadline: TEST_MS,
      });
      await holder.said("open", WAIT_MS);
      for (let round = 0; round < 5; round++) await victim.works();
      await victim.endsWell();
      expect(holder.isRunning()).toBe(true);
    },
    2 * TEST_MS,
  );
});
