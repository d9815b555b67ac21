/** `dynip ping`: what it sends, what it says, and the exit codes it ends with. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod } from "node:fs/promises";
import { hostname } from "node:os";

import { isCommonName } from "../../src/config/common-names.ts";
import { runProcess } from "../processes.ts";
import { receiver, sendDatagrams } from "../temporary.ts";
import { eventually, TEST_MS } from "../waiting.ts";
import { BINARY, dynip, HAS_SIGNALS, newSetup, serve } from "./dynip.ts";
import { SECRET } from "./wire.ts";
import { whyNoNamespace } from "../faults/namespace.ts";
import { whyNoHosts, WITHOUT_HOSTS, writeHosts } from "./hosts-file.ts";

setDefaultTimeout(TEST_MS);

async function clientConfig(text: string) {
  const setup = await newSetup();
  await Bun.write(setup.config, `[client]\n${text}\n`);
  return setup;
}

test("one datagram with the hostname, nothing more, and silence under cron", async () => {
  await using server = await receiver();
  await using setup = await clientConfig(
    `server_hostname = "127.0.0.1"\nserver_port = ${server.port}`,
  );
  const stderr = isCommonName(hostname()) ? expect.stringContaining("warning: ") : "";
  expect(await dynip(["ping", setup.config])).toEqual({ exitCode: 0, stdout: "", stderr });
  expect((await server.next()).toString()).toBe(hostname());
  // It has ended: whatever else it sent is in front of this one.
  await sendDatagrams(["mark"], server.port);
  expect((await server.next()).toString()).toBe("mark");
});

test("client_name is sent instead", async () => {
  await using server = await receiver();
  await using setup = await clientConfig(
    `server_hostname = "127.0.0.1"\nserver_port = ${server.port}\nclient_name = "büro"`,
  );
  expect((await dynip(["ping", setup.config])).exitCode).toBe(0);
  expect(await server.next()).toEqual(Buffer.from("büro"));
});

test("with -v it says that it sent, and to where, and that nothing confirms it", async () => {
  await using server = await receiver();
  await using setup = await clientConfig(
    `server_hostname = "localhost"\nserver_port = ${server.port}\nclient_name = "nas"\nfamily = "ipv4"`,
  );
  const { exitCode, stdout, stderr } = await dynip(["ping", "-v", setup.config]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "" });
  expect(stderr).toContain(
    `sent "nas" to localhost (127.0.0.1), port ${server.port}; nothing confirms that it arrived\n`,
  );
  expect(stderr).not.toMatch(/received|recorded|accepted/);
});

// The script of util-linux makes the terminal. Other systems' script has other arguments.
const script = process.platform === "linux" ? Bun.which("script") : null;
const onTerminal = test.skipIf(script === null);
const WITHOUT_TERMINAL = script === null ? " (skipped: needs the script of util-linux)" : "";

onTerminal(`on a terminal it says one line${WITHOUT_TERMINAL}`, async () => {
  await using server = await receiver();
  await using setup = await clientConfig(
    `server_hostname = "127.0.0.1"\nserver_port = ${server.port}\nclient_name = "nas"`,
  );
  const command = `'${BINARY}' ping '${setup.config}'`;
  const { exitCode, stdout } = await runProcess([script!, "-qec", command, "/dev/null"]);
  expect(exitCode).toBe(0);
  expect(stdout).toBe(
    `sent "nas" to 127.0.0.1 (127.0.0.1), port ${server.port}; nothing confirms that it arrived\r\n`,
  );
});

onTerminal(`on a terminal it says after 2 s what it waits for${WITHOUT_TERMINAL}`, async () => {
  await using silent = await receiver();
  const client = `server_port = ${silent.port}\nclient_name = "nas"\nkey = "${SECRET}"`;
  await using setup = await clientConfig(`server_hostname = "127.0.0.1"\n${client}`);
  const command = `'${BINARY}' ping --timeout 2.5 '${setup.config}'`;
  const { exitCode, stdout } = await runProcess([script!, "-qec", command, "/dev/null"]);
  expect(exitCode).toBe(6);
  expect(stdout).toContain(
    `\r\nno answer yet from 127.0.0.1, port ${silent.port}; trying for 2 s\r\n`,
  );
  // Elsewhere it says nothing of it.
  const { stderr } = await dynip(["ping", "--timeout", "2.5", setup.config]);
  expect(stderr).not.toContain("no answer yet");
});

test("--debug shows what it sends, when and where to, and what the network says", async () => {
  await using server = await receiver();
  const client = `server_port = ${server.port}\nclient_name = "nas"\nkey = "${SECRET}"`;
  await using setup = await clientConfig(
    `server_hostname = "localhost"\nfamily = "ipv4"\n${client}`,
  );
  const { exitCode, stderr } = await dynip(["ping", "--debug", "--timeout", "0.7", setup.config]);
  expect(exitCode).toBe(6);
  const lines = stderr.split("\n").filter((line) => line.startsWith("debug: localhost, "));
  expect(lines.map((line) => line.replace(/\d\.\d{3} s/, "… s"))).toEqual([
    expect.stringMatching(/^debug: localhost, … s: resolved to .*127\.0\.0\.1/),
    "debug: localhost, … s: sent to 127.0.0.1",
    "debug: localhost, … s: sent to 127.0.0.1",
  ]);
});

const whyNoHostname =
  whyNoNamespace() ?? (Bun.which("hostname") === null ? "needs hostname(1)" : undefined);
test.skipIf(whyNoHostname !== undefined)(
  `a hostname that many machines have is warned of, client_name is not${
    whyNoHostname === undefined ? "" : ` (skipped: ${whyNoHostname})`
  }`,
  async () => {
    await using server = await receiver();
    const client = `server_hostname = "127.0.0.1"\nserver_port = ${server.port}`;
    await using setup = await clientConfig(client);
    const script = 'hostname raspberrypi && exec "$@"';
    const command = ["unshare", "--uts", "sh", "-c", script, "sh", BINARY, "ping", setup.config];
    expect(await runProcess(command)).toEqual({
      exitCode: 0,
      stdout: "",
      stderr:
        'warning: this machine\'s name is "raspberrypi", as that of many others\n' +
        `hint: set client_name in [client] of "${setup.config}"; ` +
        "two machines with one name look like one that moves\n",
    });
    expect((await server.next()).toString()).toBe("raspberrypi");
    await Bun.write(setup.config, `[client]\n${client}\nclient_name = "raspberrypi"\n`);
    expect(await runProcess(command)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  },
);

const onHosts = test.skipIf(whyNoHosts !== undefined);

onHosts(`family = "both" sends one plain ping in each family${WITHOUT_HOSTS}`, async () => {
  await using setup = await newSetup({ client: 'client_name = "nas"\nfamily = "both"' });
  await using server = await serve([setup.config]);
  await nameServer(setup.config, "both.test");
  const { exitCode } = await dynip(["ping", setup.config], { hosts: await writeHosts(setup) });
  expect(exitCode).toBe(0);
  await server.said("nas is at");
  await eventually("both in the log", async () => {
    const { nas } = await setup.readLog();
    return nas?.ipv4?.address === "127.0.0.1" && nas.ipv6?.address === "::1";
  });
});

describe(`a server with several addresses, and signed pings${WITHOUT_HOSTS}`, () => {
  onHosts('family = "both": no ping is challenged or dropped for the other\'s sake', async () => {
    await using setup = await newSignedSetup("both.test", { client: 'family = "both"' });
    const hosts = await writeHosts(setup);
    await using server = await serve([setup.config]);
    expect((await dynip(["ping", setup.config], { hosts })).exitCode).toBe(0);
    for (let i = 0; i < 20; i++) {
      const { exitCode, stderr } = await dynip(["ping", "-v", setup.config], { hosts });
      expect(exitCode).toBe(0);
      expect(stderr).toEndWith("nas at 127.0.0.1 (unchanged) and ::1 (unchanged)\n");
    }
    // Each family was challenged once, when it was new.
    expect((await server.stop()).stderr).toContain("2 challenged, 0 datagrams dropped");
  });

  onHosts.each([
    ["IPv4 dead: any falls back to IPv6", "four-dead.test", "any", "::1", "::1"],
    ["the first of two A records dead: any", "first-dead.test", "any", "127.0.0.3", "127.0.0.1"],
    ["the first of two A records dead: ipv4", "first-dead.test", "ipv4", "127.0.0.3", "127.0.0.1"],
  ])("%s", async (_what, name, family, server, address) => {
    await using setup = await newSignedSetup(name, {
      server: `server_ip = "${server}"`,
      client: `family = "${family}"`,
    });
    const hosts = await writeHosts(setup);
    await using _server = await serve([setup.config]);
    for (const words of ["verified: new or changed", "unchanged"]) {
      const { exitCode, stderr } = await dynip(["ping", "-v", setup.config], { hosts });
      expect(stderr).toEndWith(`${name} recorded nas at ${address} (${words})\n`);
      expect(exitCode).toBe(0);
    }
  });

  onHosts("an address that the system does not send to is passed over at once", async () => {
    await using setup = await newSignedSetup("refused.test", {});
    const hosts = await writeHosts(setup);
    await using next = await receiver("::1", setup.port);
    // The third send, which goes on to the next address by itself, would be at 1.5 s.
    const { exitCode } = await dynip(["ping", "--timeout", "1.4", setup.config], { hosts });
    expect(exitCode).toBe(6);
    expect((await next.next()).toString()).toStartWith("dynip/1 P ");
  });
});

/** A server and a client `nas` with one secret. */
async function newSignedSetup(name: string, { server = "", client = "" }) {
  const setup = await newSetup({ server, client: `client_name = "nas"\n${client}` });
  await nameServer(setup.config, name);
  const text = await Bun.file(setup.config).text();
  await Bun.write(setup.config, `secret = "${"A".repeat(43)}"\n${text}`);
  await chmod(setup.config, 0o600);
  return setup;
}

async function nameServer(config: string, name: string): Promise<void> {
  const text = await Bun.file(config).text();
  await Bun.write(config, text.replace('hostname = "127.0.0.1"', `hostname = "${name}"`));
}

test.skipIf(!HAS_SIGNALS)("the configuration may come through a pipe", async () => {
  await using server = await receiver();
  const input = `[client]\nserver_hostname = "127.0.0.1"\nserver_port = ${server.port}\nclient_name = "nas"`;
  const command = ["sh", "-c", 'cat | "$0" ping /dev/stdin', BINARY];
  const { exitCode } = await runProcess(command, { input });
  expect(exitCode).toBe(0);
  expect((await server.next()).toString()).toBe("nas");
});

describe("what cannot be sent is said in one line, and is not exit code 0", () => {
  test("no server_hostname is exit code 4", async () => {
    // An empty file cannot be mapped into memory.
    for (const text of ["", "[client]", '[client]\nserver_hostname = ""']) {
      await using setup = await newSetup();
      await Bun.write(setup.config, text);
      expect(await dynip(["ping", setup.config])).toEqual({
        exitCode: 4,
        stdout: "",
        stderr:
          `error: Cannot ping: config "${setup.config}" has no server_hostname in [client]\n` +
          "hint: set it to the server's host name or IP address\n",
      });
    }
  });

  test("a name that cannot be resolved is exit code 5", async () => {
    // A label of DNS has 63 bytes at most (RFC 1035, section 2.3.4), so that no network is needed.
    const name = `${"x".repeat(64)}.invalid`;
    await using setup = await clientConfig(`server_hostname = "${name}"`);
    const { exitCode, stdout, stderr } = await dynip(["ping", "--timeout", "1", setup.config]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: "" });
    expect(stderr).toBe(
      `error: Cannot ping "${name}": its name cannot be resolved\n` +
        "hint: is server_hostname right, and the network up?\n",
    );
  });

  test("an address that the system does not send to is exit code 5", async () => {
    await using setup = await clientConfig('server_hostname = "255.255.255.255"'); // broadcast
    const { exitCode, stdout, stderr } = await dynip(["ping", setup.config]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: "" });
    // No hint: we do not know why the system refuses it.
    expect(stderr).toMatch(/^error: Cannot ping "255\.255\.255\.255": [^\n]+\n$/);
  });

  test("a family that the server has no address in is exit code 5", async () => {
    await using setup = await clientConfig('server_hostname = "127.0.0.1"\nfamily = "ipv6"');
    const { exitCode, stderr } = await dynip(["ping", setup.config]);
    expect(exitCode).toBe(5);
    expect(stderr).toStartWith('error: Cannot ping "127.0.0.1": IPv6: ');
  });
});
