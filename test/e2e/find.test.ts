/** `dynip ping --find`: where is a host? What it prints, how it ends, and what a server tells. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";

import { runProcess } from "../processes.ts";
import { PYTHON, startSecondImplementation, WITHOUT_PYTHON } from "../python.ts";
import { receiver } from "../temporary.ts";
import { TEST_MS } from "../waiting.ts";
import {
  BINARY,
  dynip,
  HAS_SIGNALS,
  newSetup,
  newSignedSetup,
  type RunOptions,
  serve,
} from "./dynip.ts";
import { digits, keyOf, NO_COOKIE, openPeer, SECRET, sign } from "./wire.ts";

setDefaultTimeout(TEST_MS);

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A log with these hosts, seen a moment less than so long ago: then a slow machine does not matter. */
function clientLog(): string {
  const ago = (milliseconds: number) => new Date(Date.now() - milliseconds).toISOString();
  const at = (address: string, seen: number, since: number) => ({
    address,
    since: ago(since),
    last_seen: ago(seen),
  });
  const counter = digits(1);
  const four = at("203.0.113.52", 2.1 * MINUTE, 26.5 * HOUR);
  const six = at("2001:db8::52", 5.1 * MINUTE, 72.5 * HOUR);
  return JSON.stringify({
    nas: { ipv4: four, counter },
    both: { ipv4: at("203.0.113.53", 3.1 * HOUR, 4.1 * HOUR), ipv6: six, counter },
    six: { ipv6: six, counter },
    old: { ipv4: at("203.0.113.54", 3.1 * HOUR, 4.1 * HOUR) },
    "Kris-PC": { ipv4: four },
  });
}

/** A server that knows some hosts, and a configuration with the secret. */
async function newKnowing({ family = "any", server = "" } = {}) {
  const setup = await newSignedSetup({
    server: `readers = ["phone"]\n${server}`,
    client: `client_name = "nas"\nfamily = "${family}"`,
  });
  await writeFile(setup.logPath, clientLog());
  const running = await serve(["-v", setup.config]);
  return {
    ...setup,
    server: running,
    /** Writes the configuration of a client with its own key; its path. */
    async client(name: string): Promise<string> {
      const path = setup.file(`${name}.toml`);
      const args = ["--name", name, "--from", setup.config, "--server", "127.0.0.1"];
      expect((await dynip(["init", ...args, path])).exitCode).toBe(0);
      return path;
    },
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      await setup[Symbol.asyncDispose]();
    },
  };
}

const find = (config: string, name: string, args: string[] = [], options: RunOptions = {}) =>
  dynip(["ping", "--find", name, ...args, config], options);

describe("with the secret", () => {
  test("it prints the address and nothing else, and with -v what is known of it", async () => {
    await using known = await newKnowing();
    const found = { exitCode: 0, stdout: "203.0.113.52\n", stderr: "" };
    expect(await find(known.config, "nas")).toEqual(found);
    expect(await find(known.config, "NAS", ["--max-age", "15m"])).toEqual(found);
    await known.server.said("nas asked for nas\n");
    const { stdout, stderr } = await find(known.config, "nas", ["-v"]);
    expect(stdout).toBe("203.0.113.52\n");
    expect(stderr).toEndWith("\nnas: 203.0.113.52, seen 2 minutes ago, there for 26 hours\n");
  });

  test("a name that the server does not know is exit code 7", async () => {
    await using known = await newKnowing();
    expect(await find(known.config, "attic")).toEqual({
      exitCode: 7,
      stdout: "",
      stderr:
        'error: Cannot find "attic": the server does not know it\n' +
        "hint: has it ever pinged that server, under this name?\n",
    });
    await known.server.said("attic asked for attic, which is unknown, or not for attic\n");
    // A plain name with capitals is another name.
    expect((await find(known.config, "Kris-PC")).exitCode).toBe(7);
  });

  test("an address that is older than --max-age is exit code 9", async () => {
    await using known = await newKnowing();
    expect(await find(known.config, "nas", ["--max-age", "2m"])).toEqual({
      exitCode: 9,
      stdout: "",
      stderr:
        'error: Cannot find "nas": it was last seen 2 minutes ago, at 203.0.113.52\n' +
        "hint: --max-age takes no address that is so old\n",
    });
    expect((await find(known.config, "nas", ["--max-age", "1h"])).exitCode).toBe(0);
    expect((await find(known.config, "nas", ["--max-age", "400d"])).exitCode).toBe(0);
  });

  test("what plain pings alone say comes with a warning", async () => {
    await using known = await newKnowing();
    expect(await find(known.config, "old")).toEqual({
      exitCode: 0,
      stdout: "203.0.113.54\n",
      stderr: "warning: only plain pings say where old is, and anyone can forge one\n",
    });
  });

  test.each([
    ["any", "both", [], "203.0.113.53\n"],
    ["any", "both", ["--max-age", "1h"], "2001:db8::52\n"],
    ["any", "six", [], "2001:db8::52\n"],
    ["both", "both", [], "203.0.113.53\n2001:db8::52\n"],
    ["both", "both", ["--max-age", "1h"], "2001:db8::52\n"],
    ["both", "nas", [], "203.0.113.52\n"],
    ["ipv4", "both", [], "203.0.113.53\n"],
    ["ipv6", "both", [], "2001:db8::52\n"],
  ])('family = "%s" of %s, %j', async (family, name, args, stdout) => {
    await using known = await newKnowing({ family });
    expect(await find(known.config, name, args)).toEqual({ exitCode: 0, stdout, stderr: "" });
  });

  test("no address in the family that is asked for is exit code 7, and says so", async () => {
    await using known = await newKnowing({ family: "ipv6" });
    const { exitCode, stdout, stderr } = await find(known.config, "nas");
    expect({ exitCode, stdout }).toEqual({ exitCode: 7, stdout: "" });
    expect(stderr).toStartWith('error: Cannot find "nas": it is known by an IPv4 address alone\n');
  });
});

describe("with a key of its own", () => {
  test("a reader is told of all, others of themselves alone", async () => {
    await using known = await newKnowing();
    const phone = await known.client("phone");
    expect(await find(phone, "nas")).toMatchObject({ exitCode: 0, stdout: "203.0.113.52\n" });
    await known.server.said("phone asked for nas\n");
    const nas = await known.client("nas");
    expect(await find(nas, "nas")).toMatchObject({ exitCode: 0, stdout: "203.0.113.52\n" });
    expect(await find(nas, "six")).toEqual({
      exitCode: 7,
      stdout: "",
      stderr:
        'error: Cannot find "six": the server does not know it, or does not tell nas\n' +
        "hint: nas may ask for others if readers in [server] of the server's configuration names it\n",
    });
    await known.server.said("nas asked for six, which is unknown, or not for nas\n");
  });
});

test("without a key and a secret it says that it cannot ask", async () => {
  await using setup = await newSetup();
  const { exitCode, stdout, stderr } = await find(setup.config, "nas");
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
  expect(stderr).toBe(
    `error: Cannot find "nas": config "${setup.config}" has neither a key nor a secret to ask with\n` +
      "hint: dynip init --name NAME, on the server, makes a file with a key\n",
  );
});

test.each([
  [["--max-age", "1d"], 'Option "--max-age" needs --find'],
  [["--find", "nas", "--max-age", "1w"], 'Option "--max-age" is "1w", must be a time like'],
  [["--find", "a b"], 'Option "--find" is "a b", must be a name of 1 to 128'],
  [["--find", "büro"], 'Option "--find" is "büro", must be a name of 1 to 128'],
  [["--find"], 'Option "--find" needs a value'],
])("%j is wrong usage", async (args, message) => {
  const { exitCode, stdout, stderr } = await dynip(["ping", ...args]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  expect(stderr).toStartWith(`error: ${message}`);
});

describe("a server that does not answer", () => {
  test("gets questions alone, on the schedule, each new; exit code 6", async () => {
    await using silent = await receiver();
    await using setup = await newSignedSetup();
    const text = await readFile(setup.config, "utf8");
    await writeFile(setup.config, text.replaceAll(String(setup.port), String(silent.port)));
    expect(await find(setup.config, "nas", ["--timeout", "2"])).toEqual({
      exitCode: 6,
      stdout: "",
      stderr:
        `error: Cannot find "nas": "127.0.0.1": no answer from 127.0.0.1, port ${silent.port}\n` +
        'hint: see the server\'s log, with systemd "journalctl -u dynip": "wrong MAC" means another ' +
        "secret or an older key; no line about this question means that a firewall, a security group or a wrong " +
        `port stops UDP port ${silent.port}. A server older than 0.3.0 answers no questions\n`,
    });
    const sent = silent.pending.map(String);
    expect(sent.length).toBeGreaterThanOrEqual(2);
    for (const question of sent) expect(question).toMatch(/^dynip\/1 Q .{342}$/);
    expect(new Set(sent).size).toBe(sent.length);
  });

  test("whose name cannot be resolved is exit code 5", async () => {
    await using setup = await newSignedSetup();
    const text = await readFile(setup.config, "utf8");
    await writeFile(setup.config, text.replace('"127.0.0.1"', '"none.invalid"'));
    const { exitCode, stdout, stderr } = await find(setup.config, "nas", ["--timeout", "2"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: "" });
    expect(stderr).toMatch(
      /^error: Cannot find "nas": "none.invalid": (its name cannot be resolved|the resolver did not answer)/,
    );
  });
});

// macOS has no 127.0.0.2 until it is configured.
test.skipIf(process.platform === "darwin")(
  "of several servers the freshest answer wins, and a silent one costs a second and is named",
  async () => {
    await using one = await newKnowing({ server: 'server_ip = "127.0.0.1"' });
    await using two = await newSignedSetup({ server: 'server_ip = "127.0.0.2"' });
    const withPort = async (path: string, ...servers: string[]) => {
      const text = await readFile(two.config, "utf8");
      const hosts = JSON.stringify(servers);
      await writeFile(
        path,
        text
          .replaceAll(String(two.port), String(one.port))
          .replace('server_hostname = "127.0.0.1"', `server_hostname = ${hosts}`),
        { mode: 0o600 },
      );
      return path;
    };
    const config = await withPort(two.file("client.toml"), "127.0.0.1", "127.0.0.2");
    const other = await withPort(two.file("server.toml"), "127.0.0.2");
    const silent = await find(config, "nas", ["-v"]);
    expect(silent).toMatchObject({ exitCode: 0, stdout: "203.0.113.52\n" });
    expect(silent.stderr).toMatch(
      process.platform === "win32" // which does not tell a UDP socket of ICMP
        ? /^"127\.0\.0\.2": no answer from 127\.0\.0\.2, port \d+$/m
        : /^"127\.0\.0\.2": no answer, .*nothing listens on UDP port \d+$/m,
    );
    expect(await find(config, "nas")).toMatchObject({ exitCode: 0, stderr: "" });
    await using second = await serve(["-v", other]);
    expect((await dynip(["ping", other])).exitCode).toBe(0);
    await second.said("new host nas at 127.0.0.1");
    // The first knew another address, two minutes older.
    expect(await find(config, "nas")).toEqual({ exitCode: 0, stdout: "127.0.0.1\n", stderr: "" });
  },
);

// The script of util-linux makes the terminal. Other systems' script has other arguments.
const script = process.platform === "linux" ? Bun.which("script") : null;
test.skipIf(script === null)("at a terminal it says on stderr what is known", async () => {
  await using known = await newKnowing();
  const command = `'${BINARY}' ping --find nas '${known.config}' > '${known.file("out")}'`;
  const { exitCode, stdout } = await runProcess([script!, "-qec", command, "/dev/null"]);
  expect(exitCode).toBe(0);
  expect(stdout).toBe("nas: 203.0.113.52, seen 2 minutes ago, there for 26 hours\r\n");
  expect(await readFile(known.file("out"), "utf8")).toBe("203.0.113.52\n");
});

describe("the server", () => {
  let nonces = 0;
  function question(
    asker: string,
    name: string,
    cookie = NO_COOKIE,
    nonce = digits(++nonces),
  ): string {
    const zeros = "0".repeat(257 - asker.length - name.length);
    return sign(`dynip/1 Q ${nonce} ${cookie} ${asker} ${name} ${zeros} `, keyOf(asker));
  }
  /** An answer's text behind the nonce, and without the MAC, which is checked. */
  function read(answer: string, asker: string): string {
    expect(answer).toHaveLength(163);
    expect(sign(answer.slice(0, -32), keyOf(asker))).toBe(answer);
    return answer.slice(27, -33);
  }
  const nowhere = `${"0".repeat(32)} 00000000 00000000`;

  test("says the same of what is unknown and of what is not for the asker", async () => {
    await using known = await newKnowing();
    await using peer = await openPeer(known.port);
    const ask = async (asker: string, name: string): Promise<string> => {
      const nonce = digits(++nonces);
      await peer.send(question(asker, name, NO_COOKIE, nonce));
      const [challenge] = await peer.replies(asker, nonce);
      expect(challenge).toMatchObject({ type: "C", counter: digits(0) });
      await peer.send(question(asker, name, challenge!.value));
      await peer.handled();
      const [answer] = await peer.rest();
      return read(answer!, asker);
    };
    const nothing = `0 ${nowhere} ${nowhere}`;
    expect(await ask("pi", "nas")).toBe(nothing);
    expect(await ask("pi", "none")).toBe(nothing);
    expect(await ask("phone", "none")).toBe(nothing);
    expect(await ask("phone", "nas")).toMatch(
      new RegExp(
        `^1 00000000000000000000ffffcb007134 000000[0-9a-f]{2} 000[0-9a-f]{5} ${nowhere}$`,
      ),
    );
  });

  test("answers no question with a flipped bit, and nothing changes", async () => {
    await using known = await newKnowing({ server: "allow_plain = true" });
    const before = await known.readLog();
    await using peer = await openPeer(known.port);
    const nonce = digits(++nonces);
    await peer.send(question("phone", "nas", NO_COOKIE, nonce));
    const [challenge] = await peer.replies("phone", nonce);
    const good = Buffer.from(question("phone", "nas", challenge!.value));
    for (let bit = 0; bit < good.length * 8; bit++) {
      const flipped = Buffer.from(good);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await peer.send(flipped);
      if (bit % 64 === 63) await peer.handled(); // they could overflow the receive buffer
    }
    await peer.handled();
    expect(await peer.rest()).toEqual([]);
    await peer.send(good);
    await peer.handled();
    expect((await peer.rest()).map((answer) => read(answer, "phone").slice(0, 2))).toEqual(["1 "]);
    const { exitCode, stderr } = await known.server.stop();
    if (!HAS_SIGNALS) return;
    expect(exitCode).toBe(0);
    expect(stderr).toContain("stopped: 0 pings accepted, 1 question answered,");
    // With the prefix broken it is a plain ping, and its spaces make it no name.
    expect(stderr).toContain(`, ${good.length * 8} datagrams dropped (`);
    expect(await known.readLog()).toEqual(before);
  });

  test("answers a replayed question a few times, and not from elsewhere", async () => {
    await using known = await newKnowing();
    await using peer = await openPeer(known.port);
    await using thief = await openPeer(
      known.port,
      process.platform === "darwin" ? "::1" : "127.0.0.2",
    );
    const nonce = digits(++nonces);
    await peer.send(question("phone", "nas", NO_COOKIE, nonce));
    const [challenge] = await peer.replies("phone", nonce);
    const stolen = question("phone", "nas", challenge!.value);
    for (let i = 0; i < 50; i++) await thief.send(stolen);
    await thief.handled();
    for (const reply of await thief.rest()) expect(reply).toStartWith("dynip/1 C ");
    const other = question("phone", "nas", challenge!.value);
    for (let i = 0; i < 50; i++) await peer.send(other);
    await peer.handled();
    const answers = await peer.rest();
    // The 50 may have come in two seconds of the server's.
    expect(answers.length).toBeWithin(3, 7);
    expect(new Set(answers.map((answer) => answer.slice(0, 10)))).toEqual(new Set(["dynip/1 R "]));
  });
});

describe.skipIf(!PYTHON)(`a second implementation, in Python${WITHOUT_PYTHON}`, () => {
  test("is answered by our server", async () => {
    await using known = await newKnowing();
    const ask = async (name: string, ...as: string[]) => {
      const where = ["--port", String(known.port), "--timeout", "5"];
      const run = startSecondImplementation("find", ...where, "--find", name, ...as);
      const text = await run.stdout.text();
      return [await run.exited, JSON.parse(text)];
    };
    const [exitCode, answer] = await ask("both", "--secret", SECRET);
    expect(exitCode).toBe(0);
    expect(answer).toMatchObject({ answered: true, signed: true, challenges: 1, datagrams: 2 });
    expect(answer.ipv4.address).toBe("203.0.113.53");
    expect(answer.ipv6.address).toBe("2001:db8::52");
    expect(answer.ipv6.seen).toBeWithin(306, 340);
    expect(answer.ipv6.there).toBeWithin(261_000, 261_034);
    const nothing = { answered: true, signed: false, ipv4: null, ipv6: null };
    const pi = ["--name", "pi", "--key", keyOf("pi").toString("base64url")];
    expect(await ask("both", ...pi)).toMatchObject([7, nothing]);
    const phone = ["--name", "phone", "--key", keyOf("phone").toString("base64url")];
    expect(await ask("both", ...phone)).toMatchObject([0, { signed: true }]);
  });

  test("answers our client", async () => {
    await using known = await newKnowing();
    const second = startSecondImplementation("serve", "--secret", SECRET, "--reader", "phone");
    try {
      const reader = second.stdout.pipeThrough(new TextDecoderStream()).getReader();
      const { port } = JSON.parse((await reader.read()).value!);
      const redirect = async (config: string): Promise<string> => {
        const text = await readFile(config, "utf8");
        await writeFile(config, text.replaceAll(String(known.port), String(port)));
        return config;
      };
      const phone = await redirect(await known.client("phone"));
      const pi = await redirect(await known.client("pi"));
      const secret = await redirect(known.config);
      expect((await find(secret, "nas")).exitCode).toBe(7);
      expect((await dynip(["ping", secret])).exitCode).toBe(0);
      for (const config of [secret, phone]) {
        const { exitCode, stdout, stderr } = await find(config, "nas", ["-v"]);
        expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "127.0.0.1\n" });
        expect(stderr).toMatch(
          /nas: 127\.0\.0\.1, seen \d+ seconds? ago, there for \d+ seconds?\n$/,
        );
      }
      expect((await find(pi, "nas")).exitCode).toBe(7);
    } finally {
      await second.stdin.end();
      await second.exited;
    }
  });
});
