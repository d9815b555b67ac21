/** Signed pings from end to end: what is acknowledged, what is not, and what survives. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";

import { describeDuration } from "../../src/config/duration.ts";
import { encodeKey } from "../../src/protocol/message.ts";
import { bind } from "../../src/system/udp.ts";
import { PYTHON, startSecondImplementation, WITHOUT_PYTHON } from "../python.ts";
import { receiver, sendDatagrams } from "../temporary.ts";
import { eventually, TEST_MS } from "../waiting.ts";
import {
  dynip,
  HAS_SIGNALS,
  hintOfSilence,
  newSetup,
  newSignedSetup,
  type RunOptions,
  serve,
} from "./dynip.ts";
import { whyNoHosts, WITHOUT_HOSTS, writeHosts } from "./hosts-file.ts";
import { digits, microseconds, openPeer, SECRET, signedPing } from "./wire.ts";

setDefaultTimeout(TEST_MS);

const onUnix = test.skipIf(!HAS_SIGNALS);
const onLinux = test.skipIf(process.platform !== "linux");

const OTHER = encodeKey(new Uint8Array(32).fill(8));

const ping = (config: string, options: RunOptions = {}, ...args: string[]) =>
  dynip(["ping", ...args, config], options);

/** For pings that nothing acknowledges: the only ones that are given little time. */
const pingInVain = (config: string, options: RunOptions = {}) =>
  ping(config, options, "--timeout", "1");

describe("dynip ping", () => {
  test("is silent under cron, and says with -v what the server recorded", async () => {
    await using setup = await newSignedSetup();
    await using server = await serve([setup.config]);
    expect(await ping(setup.config)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    await server.said("new host nas at 127.0.0.1");
    const { exitCode, stderr } = await ping(setup.config, {}, "-v");
    expect(exitCode).toBe(0);
    expect(stderr).toEndWith("127.0.0.1 recorded nas at 127.0.0.1 (unchanged)\n");
  });

  test("says when the address is new", async () => {
    await using setup = await newSignedSetup();
    await using _server = await serve([setup.config]);
    const { stderr } = await ping(setup.config, {}, "-v");
    expect(stderr).toEndWith("127.0.0.1 recorded nas at 127.0.0.1 (verified: new or changed)\n");
  });

  test("blames no clock of this machine's for a counter from a time when the server's was wrong", async () => {
    await using setup = await newSignedSetup();
    const time = new Date().toISOString();
    const ipv4 = { address: "127.0.0.1", since: time, last_seen: time };
    const in2099 = digits(4_070_908_800_000_000);
    await writeFile(setup.logPath, JSON.stringify({ nas: { ipv4, counter: in2099 } }));
    await using _server = await serve([setup.config]);
    const { exitCode, stderr } = await ping(setup.config, {}, "-v");
    expect(exitCode).toBe(0);
    const years = describeDuration(4_070_908_800 - Date.now() / 1000);
    expect(stderr).toEndWith(
      `nas at 127.0.0.1 (the server counts ${years} ahead of this machine's clock: ` +
        "one of the two clocks is wrong, or was)\n",
    );
  });

  test("lower-cases its name", async () => {
    await using setup = await newSignedSetup({ client: 'client_name = "NAS.Local"' });
    await using server = await serve([setup.config]);
    expect((await ping(setup.config)).exitCode).toBe(0);
    await server.said("new host nas.local at");
  });

  test("refuses a name that cannot be signed", async () => {
    await using setup = await newSignedSetup({ client: 'client_name = "büro"' });
    const { exitCode, stderr } = await ping(setup.config);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('machine\'s name is "büro", which cannot be signed');
    expect(stderr).toContain("hint: set client_name in [client]");
  });

  test("ends with 6 when the secret differs, and the server's log says so", async () => {
    await using setup = await newSignedSetup();
    await using server = await serve([setup.config]);
    const run = await pingInVain(setup.config, { env: { DYNIP_SECRET: OTHER } });
    const words = `error: Cannot ping "127.0.0.1": no answer from 127.0.0.1, port ${setup.port}\n`;
    expect(run).toEqual({ exitCode: 6, stdout: "", stderr: words + hintOfSilence(setup.port) });
    await server.said("warning: dropped a ping from 127.0.0.1: wrong MAC for nas\n");
    await server.said("hint: the client has another secret, or an older key of this name; or");
  });

  onLinux("ends with 6 when nothing listens, and says who said so", async () => {
    await using setup = await newSignedSetup();
    expect(await pingInVain(setup.config)).toEqual({
      exitCode: 6,
      stdout: "",
      stderr:
        `error: Cannot ping "127.0.0.1": no answer, and 127.0.0.1 says that nothing listens on UDP port ${setup.port}\n` +
        `hint: is dynip serve running there, and is its server_port ${setup.port}? A firewall that rejects says the same\n`,
    });
  });

  test("ends with 6 when another program answers, and says that this key signed nothing", async () => {
    await using setup = await newSignedSetup();
    const echo = await bind({
      address: "127.0.0.1",
      port: setup.port,
      onDatagram: (datagram, _address, port, peer) =>
        echo.send(Uint8Array.from(datagram), port, peer),
      onError() {},
    });
    const { exitCode, stderr } = await pingInVain(setup.config);
    echo.close();
    expect(exitCode).toBe(6);
    expect(stderr).toStartWith(
      'error: Cannot ping "127.0.0.1": datagrams came back from 127.0.0.1 that are not signed with this key\n',
    );
  });

  test("with a key never sends a plain ping, not even to a server that is silent", async () => {
    await using silent = await receiver();
    await using setup = await newSignedSetup();
    const text = await readFile(setup.config, "utf8");
    await writeFile(setup.config, text.replaceAll(String(setup.port), String(silent.port)));
    // It sends at 0, 0.5 and 1.5 s.
    expect((await ping(setup.config, {}, "--timeout", "2")).exitCode).toBe(6);
    expect(silent.pending.length).toBeGreaterThanOrEqual(2); // it was sent again
    for (const datagram of silent.pending) expect(datagram.toString()).toStartWith("dynip/1 P ");
    expect(new Set(silent.pending.map(String)).size).toBe(silent.pending.length);
  });

  test.skipIf(whyNoHosts !== undefined)(
    `family = "both" confirms each family, and says which failed${WITHOUT_HOSTS}`,
    async () => {
      await using setup = await newSignedSetup({ client: 'client_name = "nas"\nfamily = "both"' });
      const hosts = await writeHosts(setup);
      const text = await readFile(setup.config, "utf8");
      await writeFile(setup.config, text.replace('= "127.0.0.1"', '= "both.test"'));
      {
        await using server = await serve([setup.config]);
        const { exitCode, stderr } = await ping(setup.config, { hosts }, "-v");
        expect(exitCode).toBe(0);
        expect(stderr).toContain(
          "both.test recorded nas at 127.0.0.1 (verified: new or changed) and ::1 (verified: new",
        );
        await eventually("both in the log", async () => {
          const { nas } = await setup.readLog();
          return String(Object.keys(nas ?? {})) === "ipv4,ipv6,counter";
        });
        await server.stop();
      }
      const four = (await readFile(setup.config, "utf8")).replace(
        "[client]",
        'server_ip = "127.0.0.1"\n[client]',
      );
      await writeFile(setup.file("four.toml"), four);
      await using _server = await serve([setup.file("four.toml")]);
      const { exitCode, stderr } = await ping(setup.config, { hosts }, "-v", "--timeout", "4");
      expect(exitCode).toBe(6);
      expect(stderr).toContain("both.test recorded nas at 127.0.0.1 (unchanged)\n");
      expect(stderr).toContain('error: Cannot ping "both.test": IPv6: no answer');
    },
  );

  // macOS has no 127.0.0.2 until somebody makes it.
  test.skipIf(process.platform === "darwin")(
    "pings several servers at once, and says which did not acknowledge",
    async () => {
      await using setup = await newSignedSetup();
      const text = await readFile(setup.config, "utf8");
      const serveOn = async (address: string) => {
        const config = setup.file(`${address}.toml`);
        const server = `[server]\nserver_ip = "${address}"\nclient_log_path = "${address}.json"`;
        await writeFile(config, text.replace("[server]", server));
        return await serve([config]);
      };
      const config = setup.file("both.toml");
      await writeFile(config, text.replace('"127.0.0.1"', '["127.0.0.1", "127.0.0.2"]'));
      await using _one = await serveOn("127.0.0.1");
      {
        await using _two = await serveOn("127.0.0.2");
        expect(await ping(config)).toMatchObject({ exitCode: 0 });
      }
      const { exitCode, stderr } = await ping(config, {}, "-v", "--timeout", "4");
      expect(exitCode).toBe(6);
      expect(stderr).toContain("127.0.0.1 recorded nas at 127.0.0.1 (unchanged)\n");
      expect(stderr).toContain('error: Cannot ping "127.0.0.2": no answer');
    },
  );

  test("--timeout and --jitter take times, and nothing else", async () => {
    await using setup = await newSignedSetup();
    await using _server = await serve([setup.config]);
    expect((await ping(setup.config, {}, "--jitter", "50ms")).exitCode).toBe(0);
    for (const option of ["--timeout", "--jitter"]) {
      for (const time of ["soon", "99999m"]) {
        const { exitCode, stderr } = await dynip(["ping", option, time, setup.config]);
        expect(exitCode).toBe(1);
        expect(stderr).toBe(
          `error: Option "${option}" is "${time}", must be a time like 30s or 2m\n`,
        );
      }
    }
    expect(await dynip(["ping", "--timeout", "0ms", setup.config])).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: 'error: Option "--timeout" is "0ms", must be more than 0\n',
    });
  });
});

describe("secrets", () => {
  test("come from the environment, or from a file that it names", async () => {
    await using setup = await newSetup({ client: 'client_name = "nas"' });
    await writeFile(setup.file("secret"), `${SECRET}\n`, { mode: 0o600 });
    const env = { DYNIP_SECRET_FILE: setup.file("secret") };
    await using _server = await serve([setup.config], { env });
    expect((await ping(setup.config, { env: { DYNIP_SECRET: SECRET } })).exitCode).toBe(0);
    expect((await ping(setup.config, { env })).exitCode).toBe(0);
    for (const bad of [
      { DYNIP_SECRET_FILE: setup.file("gone") },
      { DYNIP_SECRET: "hunter2" },
      { DYNIP_KEY: "hunter2" },
    ]) {
      for (const command of ["serve", "ping"]) {
        if (command === "serve" && "DYNIP_KEY" in bad) continue; // a server has no key
        const { exitCode, stderr } = await dynip([command, setup.config], { env: bad });
        expect(exitCode).toBe(3);
        expect(stderr).toStartWith("error: Cannot read the secret: ");
        expect(stderr).not.toContain("hunter2");
      }
    }
  });

  test("of the environment win over the file, be they a secret or a key", async () => {
    await using setup = await newSignedSetup({ client: `client_name = "nas"\nkey = "${OTHER}"` });
    await using _server = await serve([setup.config]);
    expect((await pingInVain(setup.config)).exitCode).toBe(6); // the file's key is wrong
    expect((await ping(setup.config, { env: { DYNIP_SECRET: SECRET } })).exitCode).toBe(0);
  });

  test("that were put in a wrong place are not quoted, either", async () => {
    await using setup = await newSetup();
    for (const text of [`${SECRET} = 1`, `[server]\n${SECRET} = 1`, `[${SECRET}]`]) {
      await writeFile(setup.config, `${text}\n`);
      const { exitCode, stderr } = await dynip(["serve", "--debug", setup.config]);
      expect(exitCode).toBe(3);
      expect(stderr).toContain("(a secret)");
      expect(stderr).not.toContain(SECRET);
    }
    await writeFile(setup.config, "");
    const { stderr } = await dynip(["serve", setup.config], { env: { DYNIP_SECRET_FILE: SECRET } });
    expect(stderr).toContain('"(a secret)", which DYNIP_SECRET_FILE names: no such file');
    expect(stderr).not.toContain(SECRET);
  });

  test("are in no message, not even with --debug", async () => {
    await using setup = await newSignedSetup();
    await using server = await serve(["--debug", setup.config]);
    const { stderr } = await ping(setup.config, {}, "--debug");
    await server.said("new host nas");
    expect(stderr + server.stderr()).not.toContain(SECRET);
  });

  onUnix("in a file that everybody can read are worth a warning", async () => {
    await using setup = await newSignedSetup();
    await chmod(setup.config, 0o644);
    await using server = await serve([setup.config]);
    const warning = `warning: everybody on this machine can read "${setup.config}", which holds a secret\n`;
    await server.said(warning);
    expect((await ping(setup.config)).stderr).toContain(warning);
  });

  test("one client's own file has its key alone: it can be that client and nobody else", async () => {
    await using setup = await newSignedSetup();
    await using server = await serve([setup.config]);
    const file = setup.file("pi.toml");
    const args = ["--name", "pi", "--from", setup.config, "--server", "127.0.0.1"];
    const { exitCode, stdout } = await dynip(["init", file, ...args]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Next, (on pi, |copy the file to pi )/m);
    const text = await readFile(file, "utf8");
    expect(text).not.toContain(SECRET);
    expect((await ping(file)).exitCode).toBe(0);
    await server.said("new host pi at");
    await writeFile(file, text.replace('client_name = "pi"', 'client_name = "nas"'), {
      mode: 0o600,
    });
    expect((await pingInVain(file)).exitCode).toBe(6);
    await server.said("wrong MAC for nas");
  });

  test("a raised generation revokes the older key, and a new file works", async () => {
    await using setup = await newSignedSetup();
    const init = (path: string) =>
      dynip(["init", path, "--name", "pi", "--from", setup.config, "--server", "127.0.0.1"]);
    await init(setup.file("old.toml"));
    const text = await readFile(setup.config, "utf8");
    await writeFile(
      setup.config,
      text.replace("[client]", "[server.generations]\npi = 2\n[client]"),
    );
    await init(setup.file("new.toml"));
    await using _server = await serve([setup.config]);
    expect((await pingInVain(setup.file("old.toml"))).exitCode).toBe(6);
    expect((await ping(setup.file("new.toml"))).exitCode).toBe(0);
  });

  test("mistakes with --name are named", async () => {
    await using setup = await newSetup();
    const from = ["--from", setup.config];
    for (const [args, exitCode, message] of [
      [
        ["--name", "my nas", ...from],
        1,
        '--name is "my nas", must be 1 to 128 of the characters a-z',
      ],
      [["--name", "nas", ...from, "--server", "vps"], 3, "has no secret"],
      [["--server", "vps"], 1, "--server goes with --name"],
      [["--name", "nas", "--from", setup.file("gone.toml")], 3, "there is no such file"],
      [[...from], 3, "it has neither [DynIP:Server] nor [DynIP:Client]"],
    ] as [string[], number, string][]) {
      const result = await dynip(["init", setup.file("new.toml"), ...args]);
      expect(result.exitCode).toBe(exitCode);
      expect(result.stderr).toContain(message);
      expect(await Bun.file(setup.file("new.toml")).exists()).toBe(false);
    }
  });
});

describe("dynip serve", () => {
  test("drops plain pings where it has a secret, and says how to allow them", async () => {
    await using setup = await newSignedSetup();
    await using server = await serve([setup.config]);
    await sendDatagrams(["old-client"], server.port);
    await server.said("warning: dropped a ping of old-client from 127.0.0.1: it is not signed\n");
    await server.said("hint: allow_plain = true in [server]");
  });

  onUnix("with allow_plain records them, but for names that were ever signed", async () => {
    await using setup = await newSignedSetup({ server: "allow_plain = true" });
    {
      await using server = await serve([setup.config]);
      expect((await ping(setup.config)).exitCode).toBe(0);
      await server.stop();
    }
    const before = (await setup.readLog())["nas"]!;
    await using server = await serve([setup.config]); // a restart forgets nothing of that
    const alike = ["nas", "NAS", "nas.", "Nas.", "ｎａｓ", "n\u034fas", "nas\ufe0f", "nas\u3164"];
    await sendDatagrams([...alike, "nas\u2800", "old-client"], server.port, "127.0.0.2");
    await server.said("new host old-client");
    await server.stop();
    const after = await setup.readLog();
    expect(Object.keys(after)).toEqual(["nas", "old-client"]);
    expect(after["nas"]).toEqual(before);
  });

  onUnix("keeps what it has acknowledged through kill -9, every time", async () => {
    await using setup = await newSignedSetup();
    let previous = "";
    for (let cycle = 0; cycle < 10; cycle++) {
      await using server = await serve([setup.config]);
      expect((await ping(setup.config)).exitCode).toBe(0);
      await server.stop("SIGKILL");
      await using again = await serve([setup.config]);
      await again.stop();
      const { counter } = (await setup.readLog())["nas"] as unknown as { counter: string };
      expect(counter > previous).toBe(true);
      previous = counter;
    }
    expect((await readdir(setup.path)).sort()).toEqual(["dynip.json", "dynip.toml"]);
  });

  test("answers nothing that the disk refuses, says so, and goes on when it recovers", async () => {
    await using setup = await newSignedSetup();
    await using server = await serve([setup.config]);
    const journal = `${setup.logPath}.journal.1`;
    await mkdir(journal); // what is there cannot be written to
    expect((await pingInVain(setup.config)).exitCode).toBe(6);
    await server.said(
      `error: Cannot write the journal of client log "${setup.logPath}": it is a folder\n`,
    );
    await rmdir(journal);
    expect((await ping(setup.config)).exitCode).toBe(0);
    await server.said("is written again\n");
  });
});

describe.skipIf(!PYTHON)(`a second implementation, in Python${WITHOUT_PYTHON}`, () => {
  test("agrees on the test vectors", async () => {
    const run = startSecondImplementation("vectors", `${import.meta.dir}/../vectors.json`);
    expect(await run.stdout.text()).toStartWith("ok: ");
    expect(await run.exited).toBe(0);
  });

  test.each([
    ["right", String(Date.now() * 1000)],
    ["in 1970", "0"],
    ["in 2099", "4070908800000000"],
  ])("is acknowledged by our server, its clock %s", async (_which, clock) => {
    await using setup = await newSignedSetup();
    await using server = await serve([setup.config]);
    const args = ["--port", String(server.port), "--name", "py", "--secret", SECRET];
    const run = startSecondImplementation("ping", ...args, "--clock", clock);
    expect(JSON.parse(await run.stdout.text())).toMatchObject({
      acknowledged: true,
      address: "127.0.0.1",
      challenges: 1,
      datagrams: 2,
    });
    expect(await run.exited).toBe(0);
    await server.said("new host py at 127.0.0.1");
  });

  // What is wrong, and with which clock, neither side can know.
  test.each([
    ["in 1970", 0, "ahead of the server's: one of the two is wrong"],
    [
      "in 2099",
      4_070_908_800,
      "ahead of this machine's clock: one of the two clocks is wrong, or was",
    ],
  ])(
    "acknowledges our client, its own clock %s, which our client says",
    async (_which, clock, words) => {
      await using setup = await newSignedSetup();
      const server = startSecondImplementation(
        "serve",
        "--secret",
        SECRET,
        "--clock",
        String(clock * 1_000_000),
      );
      try {
        const { port } = JSON.parse(await readLines(server.stdout)());
        const text = await readFile(setup.config, "utf8");
        await writeFile(setup.config, text.replaceAll(String(setup.port), String(port)));
        const { exitCode, stderr } = await ping(setup.config, {}, "-v");
        expect(exitCode).toBe(0);
        const years = describeDuration(Math.abs(Date.now() / 1000 - clock));
        expect(stderr).toEndWith(`${years} ${words})\n`);
      } finally {
        await server.stdin.end();
        await server.exited;
      }
    },
  );

  test("acknowledges our client, and not one with another secret", async () => {
    await using setup = await newSignedSetup();
    const server = startSecondImplementation("serve", "--secret", SECRET);
    try {
      const lines = readLines(server.stdout);
      const { port } = JSON.parse(await lines());
      const text = await readFile(setup.config, "utf8");
      await writeFile(setup.config, text.replaceAll(String(setup.port), String(port)));
      const { exitCode, stderr } = await ping(setup.config, {}, "-v");
      expect(exitCode).toBe(0);
      expect(stderr).toContain("127.0.0.1 recorded nas at 127.0.0.1 (verified: new or changed)\n");
      expect(JSON.parse(await lines())).toMatchObject({ event: "challenged", name: "nas" });
      expect(JSON.parse(await lines())).toMatchObject({ event: "accepted", name: "nas" });
      expect((await pingInVain(setup.config, { env: { DYNIP_SECRET: OTHER } })).exitCode).toBe(6);
      expect(JSON.parse(await lines())).toMatchObject({ event: "dropped", reason: "mac" });
    } finally {
      await server.stdin.end();
      await server.exited;
    }
  });
});

// macOS has no 127.0.0.2 until it is configured.
describe.skipIf(process.platform === "darwin")("the server's rule", () => {
  type Start = () => Promise<{ port: number } & AsyncDisposable>;
  const servers: [string, Start][] = [["ours", startOurs]];
  if (PYTHON) servers.push(["the second implementation", startSecond]);

  describe.each(servers)("of %s", (_which, start) => {
    test("an answer to a challenge is worth nothing once a newer ping was accepted", async () => {
      await using server = await start();
      await using home = await openPeer(server.port);
      await using away = await openPeer(server.port, "127.0.0.2");
      const { counter } = await home.exchange("nas");
      await Bun.sleep(5); // the next challenge has a counter between
      const { counter: held, value: cookie } = await away.ask({ name: "nas" });
      const between = digits(Number.parseInt(counter, 16) + 1);
      expect(between < held).toBe(true);
      expect(await home.ask({ name: "nas", counter: between })).toMatchObject({ type: "A" });
      expect(await away.ask({ name: "nas", counter: held, cookie })).toMatchObject({ type: "C" });
    });

    test("a bad cookie does no harm to a ping from the recorded address", async () => {
      await using server = await start();
      await using home = await openPeer(server.port);
      await home.exchange("nas");
      const reply = await home.ask({ name: "nas", cookie: "ab".repeat(16) });
      expect(reply.type).toBe("A");
    });

    test("nobody pushes a counter further than 300 s ahead of the clock", async () => {
      await using server = await start();
      await using home = await openPeer(server.port);
      const ask = async (ahead: number) => {
        const { value: cookie } = await home.ask({ name: "nas", counter: digits(0) });
        return await home.ask({ name: "nas", counter: digits(last + ahead), cookie });
      };
      let last = microseconds();
      last = Number.parseInt((await ask(299_000_000)).counter, 16);
      expect(last).toBeGreaterThan(microseconds() + 290_000_000);
      expect(await ask(299_000_000)).toMatchObject({ type: "C" });
      expect(await ask(20_000_000)).toMatchObject({ type: "C" });
      expect(await ask(32)).toMatchObject({ type: "A", counter: digits(last + 32) });
    });

    test("a replayed datagram is challenged three times a second, and uses up no other's challenges", async () => {
      await using server = await start();
      await using thief = await openPeer(server.port);
      const replayed = signedPing({ name: "nas", nonce: "feedfeedfeedfeed" });
      for (let i = 0; i < 50; i++) await thief.send(replayed);
      expect(await thief.exchange("nas")).toMatchObject({ type: "A" });
      // The 50 may have come in two seconds of the server's.
      expect((await thief.rest()).length).toBeWithin(3, 7);
    });
  });

  async function startOurs() {
    const setup = await newSignedSetup();
    const server = await serve([setup.config]);
    return {
      port: server.port,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        await setup[Symbol.asyncDispose]();
      },
    };
  }

  async function startSecond() {
    const server = startSecondImplementation("serve", "--secret", SECRET);
    const { port } = JSON.parse(await readLines(server.stdout)());
    return {
      port: port as number,
      async [Symbol.asyncDispose]() {
        await server.stdin.end();
        await server.exited;
      },
    };
  }
});

/** The next line of a stream, each time it is called. */
function readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): () => Promise<string> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  return async () => {
    while (!rest.includes("\n")) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`the stream ended with: ${rest}`);
      rest += value;
    }
    const [line, ...others] = rest.split("\n");
    rest = others.join("\n");
    return line!;
  };
}
