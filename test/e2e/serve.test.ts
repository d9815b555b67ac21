/** `dynip serve`: what it records, what it says, and how it stops. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";

import { freePort, hasIPv6, receiver, sendDatagrams } from "../temporary.ts";
import { eventually, TEST_MS } from "../waiting.ts";
import { dynip, HAS_SIGNALS, newSetup, newSignedSetup, serve } from "./dynip.ts";
import { openPeer } from "./wire.ts";

setDefaultTimeout(TEST_MS);

const onUnix = test.skipIf(!HAS_SIGNALS);
const onIPv6 = test.skipIf(!(await hasIPv6()));

onUnix("a real client's address is recorded, and a clean stop leaves the log alone", async () => {
  await using setup = await newSetup();
  await using server = await serve([setup.config], { cwd: "/" });
  expect(server.port).toBe(setup.port);
  const before = Date.now();
  expect((await dynip(["ping", setup.config])).exitCode).toBe(0);
  await server.said(`new host ${hostname()} at 127.0.0.1`);
  const after = Date.now();
  const { exitCode, stdout } = await server.stop("SIGTERM");
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "" });

  const log = await setup.readLog();
  expect(Object.keys(log)).toEqual([hostname()]);
  const { address, since, last_seen } = log[hostname()]!.ipv4!;
  expect(address).toBe("127.0.0.1");
  expect(last_seen).toBe(since);
  expect(Date.parse(since)).toBeGreaterThanOrEqual(before);
  expect(Date.parse(since)).toBeLessThanOrEqual(after);
  expect((await readdir(setup.path)).sort()).toEqual(["dynip.json", "dynip.toml"]);
});

test("the log is current while the server runs", async () => {
  await using setup = await newSetup();
  await using server = await serve([setup.config]);
  await eventually("an empty log", () => existsSync(setup.logPath));
  expect(await setup.readLog()).toEqual({});
  await sendDatagrams(["nas"], server.port);
  await server.said("new host nas");
  await eventually("the host in the log", () => setup.isInLog("nas"));
  expect(Object.keys(await setup.readLog())).toEqual(["nas"]);
});

describe.skipIf(!HAS_SIGNALS)("it stops gracefully, and nothing accepted is lost", () => {
  test.each(["SIGINT", "SIGTERM"] as const)("on %s", async (signal) => {
    await using setup = await newSetup();
    await using server = await serve([setup.config, "-v"]);
    const names = Array.from({ length: 200 }, (_, index) => `host-${index}`);
    await sendDatagrams(names, server.port);
    await server.said("new host host-199 ");
    const { exitCode, stderr } = await server.stop(signal);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(`stopping: ${signal}`);
    expect(stderr).toContain("stopped: 200 pings accepted, 0 challenged, 0 datagrams dropped\n");
    expect(Object.keys(await setup.readLog()).sort()).toEqual(names.sort());
    expect((await readdir(setup.path)).sort()).toEqual(["dynip.json", "dynip.toml"]);
  });

  test("also before there was any ping", async () => {
    await using setup = await newSetup();
    await using server = await serve([setup.config]);
    expect((await server.stop("SIGINT")).exitCode).toBe(0);
    expect(await readFile(setup.logPath, "utf8")).toBe("{\n}\n");
  });
});

onUnix("what it knew is there at the next start, and goes on", async () => {
  await using setup = await newSetup();
  {
    await using server = await serve([setup.config]);
    await sendDatagrams(["nas", "__proto__", "10", "9", "constructor"], server.port);
    await server.said("new host constructor");
    await server.stop();
  }
  const first = await setup.readLog();
  await using server = await serve([setup.config]);
  expect(server.stderr()).toContain(`keeping "${setup.logPath}", 5 hosts\n`);
  await sendDatagrams(["nas", "pi"], server.port);
  await server.said("new host pi");
  expect(server.stderr()).not.toContain("new host nas");
  await server.stop();
  const second = await setup.readLog();
  expect(Object.keys(second).sort()).toEqual(["10", "9", "__proto__", "constructor", "nas", "pi"]);
  expect(second["nas"]!.ipv4!.since).toBe(first["nas"]!.ipv4!.since);
  expect(second["nas"]!.ipv4!.last_seen > first["nas"]!.ipv4!.last_seen).toBe(true);
  expect(second["9"]).toEqual(first["9"]!);
});

onIPv6(
  "by default it listens on every interface, IPv4 and IPv6, whatever the hostname is",
  async () => {
    await using setup = await newSetup();
    await using server = await serve([setup.config]);
    expect(server.stderr()).toContain(
      `listening on UDP port ${setup.port}, every interface, IPv6 and IPv4\n`,
    );
    await sendDatagrams(["nas"], server.port, "127.0.0.1");
    await sendDatagrams(["nas"], server.port, "127.0.0.2"); // not an address of the hostname either
    await sendDatagrams(["nas"], server.port, "::1");
    await server.said("nas is at ::1, too");
    expect(server.stderr()).not.toContain("::ffff:");
  },
);

test("server_ip binds that address alone", async () => {
  await using setup = await newSetup({ server: 'server_ip = "127.0.0.1"' });
  await using server = await serve([setup.config]);
  expect(server.stderr()).toContain(`listening on UDP port ${setup.port}, 127.0.0.1\n`);
  await sendDatagrams(["nas"], server.port);
  await server.said("new host nas at 127.0.0.1");
});

test("at the default level: what it keeps, where it listens, new hosts and changed addresses", async () => {
  await using setup = await newSetup();
  await writeFile(
    setup.logPath,
    '{\n"nas": {"ipv4":{"address":"203.0.113.7","since":"2026-11-20T08:00:00.000Z","last_seen":"2026-11-20T08:00:00.000Z"}}\n}\n',
  );
  await using server = await serve([setup.config]);
  await sendDatagrams(["nas", "nas", "pi", "", "a b"], server.port);
  await server.said(
    "warning: pi is recorded at 127.0.0.1, an address of a private network or of this machine\n",
  );
  const lines = server.stderr().trim().split("\n");
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /;
  for (const line of lines) expect(line).toMatch(time);
  expect(lines.map((line) => line.replace(time, ""))).toEqual([
    "warning: there is no secret: pings are plain, and anyone can forge one",
    "hint: dynip init writes a configuration with a secret; the clients of DynIP 0.1e can use none",
    `keeping "${setup.logPath}", 1 host`,
    `listening on UDP port ${setup.port}, every interface, ${(await hasIPv6()) ? "IPv6 and IPv4" : "IPv4"}`,
    "nas moved from 203.0.113.7 to 127.0.0.1",
    "warning: nas is recorded at 127.0.0.1, an address of a private network or of this machine",
    "hint: if it is not in this network, a gateway or a container bridge hides its own address",
    "new host pi at 127.0.0.1",
    "warning: pi is recorded at 127.0.0.1, an address of a private network or of this machine",
  ]);
});

test("a file whose clients would ping another port than the server's is warned of", async () => {
  await using setup = await newSetup();
  const text = await readFile(setup.config, "utf8");
  await writeFile(setup.config, text.replace(/(\[client\][^]*server_port = )\d+/, "$19"));
  await using server = await serve([setup.config]);
  expect(server.stderr()).toContain(
    `warning: server_port is ${setup.port} in [server] and 9 in [client] of "${setup.config}"\n`,
  );
});

test("a file for a server alone is not warned of, whatever its port is", async () => {
  await using setup = await newSetup();
  await writeFile(setup.config, `[server]\nserver_port = ${setup.port}\n`);
  await using server = await serve([setup.config]);
  expect(server.stderr()).not.toContain("in [client]");
});

test("-v shows every ping, --debug every datagram, and neither a raw control character", async () => {
  for (const [flag, shown, hidden] of [
    ["-v", "nas is still at 127.0.0.1", "debug:"],
    ["--debug", "debug: dropped 5 bytes from 127.0.0.1: not a name", "\x1b"],
  ] as const) {
    await using setup = await newSetup();
    await using server = await serve([flag, setup.config]);
    await sendDatagrams(["nas", "nas", "\x1b[31m", "end"], server.port);
    await server.said("new host end");
    expect(server.stderr()).toContain(shown);
    expect(server.stderr()).not.toContain(hidden);
    expect(server.stderr()).toContain(`configuration "${setup.config}"`);
  }
});

test("a relative client_log_path starts at the configuration's folder, wherever it is run", async () => {
  await using setup = await newSetup({ server: 'client_log_path = "log/clients.json"' });
  await mkdir(setup.file("log"));
  await mkdir(setup.file("elsewhere"));
  await using server = await serve(["../dynip.toml"], { cwd: setup.file("elsewhere") });
  await sendDatagrams(["nas"], server.port);
  await server.said("new host nas");
  expect(await readdir(setup.file("elsewhere"))).toEqual([]);
  await eventually("the log", () => existsSync(setup.file("log/clients.json")));
});

test("the configuration is found without a path: DYNIP_CONFIG, then the current folder", async () => {
  await using setup = await newSetup();
  await using other = await newSetup();
  {
    await using server = await serve([], { cwd: setup.path });
    expect(server.port).toBe(setup.port);
  }
  await using server = await serve([], { cwd: setup.path, env: { DYNIP_CONFIG: other.config } });
  expect(server.port).toBe(other.port);
});

test("no configuration at all is exit code 3, and the hint is to run dynip init", async () => {
  await using setup = await newSetup();
  const cwd = setup.file("empty");
  await mkdir(cwd);
  const { exitCode, stderr } = await dynip(["serve"], { cwd, env: { ProgramData: cwd } });
  expect(exitCode).toBe(3);
  expect(stderr).toStartWith("error: Cannot find a configuration: ");
  expect(stderr).toEndWith(
    "hint: on the server, dynip init writes one, and dynip init --name NAME one for each client\n",
  );
});

describe("what it cannot listen on is exit code 8", () => {
  test("a port in use", async () => {
    await using setup = await newSetup();
    await using taken = await receiver("0.0.0.0");
    await writeFile(setup.config, `[server]\nserver_port = ${taken.port}\n`);
    const { exitCode, stdout, stderr } = await dynip(["serve", setup.config]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 8, stdout: "" });
    expect(stderr).toContain(
      `error: Cannot listen on UDP port ${taken.port}, every interface: the port is in use\n` +
        "hint: stop the program that uses it, or change server_port\n",
    );
    expect(await readdir(setup.path)).toEqual(["dynip.toml"]); // nothing was changed
  });

  test("an address of another machine", async () => {
    await using setup = await newSetup({ server: 'server_ip = "192.0.2.254"' });
    const { exitCode, stderr } = await dynip(["serve", setup.config]);
    expect(exitCode).toBe(8);
    expect(stderr).toContain(", 192.0.2.254: this machine does not have that address\n");
  });
});

describe("a log that it cannot keep is exit code 2", () => {
  test("and a damaged one stays as it is", async () => {
    await using setup = await newSetup();
    const damaged = '{\n"nas": {"ipv4":{"address":"203.0.113.7","since":"2026-1';
    await writeFile(setup.logPath, damaged);
    expect(await dynip(["serve", setup.config])).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: expect.stringContaining(
        `error: Cannot open client log "${setup.logPath}": line 2: it is not JSON`,
      ),
    });
    expect(await readFile(setup.logPath, "utf8")).toBe(damaged);
    expect((await readdir(setup.path)).sort()).toEqual(["dynip.json", "dynip.toml"]);
  });

  test("in a folder that is not there", async () => {
    await using setup = await newSetup({ server: 'client_log_path = "none/dynip.json"' });
    const { exitCode, stderr } = await dynip(["serve", setup.config]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("no such file or folder\nhint: make the folder first");
  });

  onUnix("in a folder that cannot be written to", async () => {
    await using setup = await newSetup();
    // Root ignores modes, but cannot create a file in /sys.
    const isRoot = process.platform === "linux" && process.getuid!() === 0;
    const place = isRoot ? "/sys" : setup.file("readonly");
    if (!isRoot) {
      await mkdir(place);
      await chmod(place, 0o555);
    }
    await writeFile(setup.config, `[server]\nclient_log_path = "${place}/dynip.json"\n`);
    const { exitCode, stderr } = await dynip(["serve", setup.config]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/(permission denied|not permitted|read-only)\nhint: .*folder/);
  });

  onUnix("when another server keeps it, on whatever port; not when that was killed", async () => {
    await using setup = await newSetup();
    {
      await using server = await serve([setup.config]);
      const other = setup.file("other.toml");
      await writeFile(other, `[server]\nserver_port = ${await freePort()}\n`);
      const { exitCode, stderr } = await dynip(["serve", other]);
      expect(exitCode).toBe(2);
      expect(stderr).toContain(
        `another dynip server keeps it, process ${server.pid}\nhint: stop that server`,
      );
      await server.stop("SIGKILL");
    }
    await using server = await serve([setup.config]);
    expect((await server.stop()).exitCode).toBe(0);
    expect(await readdir(setup.path)).not.toContain("dynip.json.lock");
  });
});

onUnix("it goes on when the reader of its messages goes away", async () => {
  await using setup = await newSignedSetup({ server: "allow_plain = true" });
  await using server = await serve([setup.config]);
  await using peer = await openPeer(server.port);
  await server.hangUp();
  for (let i = 0; i < 20; i++) {
    await peer.send(`host-${i}`);
    await peer.handled();
  }
  expect((await server.stop()).exitCode).toBe(0);
  expect(Object.keys(await setup.readLog())).toHaveLength(20);
});
