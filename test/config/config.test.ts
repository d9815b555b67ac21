import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, realpath, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { clientLogPath, loadConfig } from "../../src/config/find.ts";
import { DEFAULTS, parseConfig } from "../../src/config/config.ts";
import { temporaryFolder } from "../temporary.ts";

const parse = (text: string) => parseConfig(text, "x.toml");

/** The error for a text: `message / hint`. */
function problem(text: string): string {
  try {
    parse(text);
  } catch (error) {
    const { exitCode, message, hint } = error as {
      exitCode: number;
      message: string;
      hint?: string;
    };
    expect(exitCode).toBe(3);
    expect(message).toStartWith('Cannot read config "x.toml": ');
    const rest = message.slice('Cannot read config "x.toml": '.length);
    return hint === undefined ? rest : `${rest} / ${hint}`;
  }
  throw new Error(`taken for a configuration: ${text}`);
}

test("an empty file has DynIP 0.1e's defaults", () => {
  expect(parse("")).toEqual({
    secret: undefined,
    server: {
      server_ip: "*",
      server_port: 28630,
      client_log_path: "dynip.json",
      hosts_path: undefined,
      hosts_domain: undefined,
      history_path: undefined,
      max_clients: 10_000,
      allow_plain: false,
      readers: [],
      generations: new Map(),
    },
    http: undefined,
    notify: { command: undefined, url: undefined, silent_after: new Map([["*", 900_000]]) },
    client: {
      server_hostname: [],
      server_port: 28630,
      client_name: undefined,
      family: "any",
      key: undefined,
    },
  });
});

test.each<[string, { ip: string; port: number }]>([
  ["", { ip: "127.0.0.1", port: 28630 }],
  ['ip = "::"\nport = 8080', { ip: "::", port: 8080 }],
])("[http] turns HTTP on by being there, with %j", (lines, http) => {
  expect(parse(`[http]\n${lines}`).http).toEqual(http);
});

const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const KEY_BYTES = Uint8Array.from({ length: 32 }, (_, index) => index);

test("what is told of, and after how long a host is silent", () => {
  const { notify } = parse(`
    [notify]
    command = ["/usr/local/bin/on-dynip", "", "$HOME"]
    url = "https://ntfy.sh/my-home?tpl=1&m={{.message}}"
    [notify.silent_after]
    laptop = "3d"
    Kris-PC = "12h"
    guest = "never"
  `);
  expect(notify).toEqual({
    command: ["/usr/local/bin/on-dynip", "", "$HOME"],
    url: "https://ntfy.sh/my-home?tpl=1&m={{.message}}",
    silent_after: new Map([
      ["*", 15 * 60_000],
      ["laptop", 3 * 86_400_000],
      ["Kris-PC", 12 * 3_600_000],
      ["guest", Infinity],
    ]),
  });
});

test("a value of the file holds for its section only", () => {
  const { secret, server, client } = parse(`
    secret = "${KEY}"
    [server]
    server_ip = "192.0.2.1"
    server_port = 1
    client_log_path = "/var/lib/dynip/dynip.json"
    hosts_path = "/etc/dynip-hosts.d/hosts"
    hosts_domain = "Dyn.example.com"
    history_path = "history.jsonl"
    max_clients = 1
    allow_plain = true
    readers = ["phone", "attic-pi.local"]
    [server.generations]
    laptop = 2
    "attic-pi.local" = 3
    [client]
    server_hostname = ["vps.example.com", "192.0.2.9"]
    server_port = 65535
    client_name = "büro"
    family = "both"
    key = "${KEY}"
  `);
  expect(Uint8Array.from(secret!)).toEqual(KEY_BYTES);
  expect(server).toEqual({
    server_ip: "192.0.2.1",
    server_port: 1,
    client_log_path: "/var/lib/dynip/dynip.json",
    hosts_path: "/etc/dynip-hosts.d/hosts",
    hosts_domain: "dyn.example.com",
    history_path: "history.jsonl",
    max_clients: 1,
    allow_plain: true,
    readers: ["phone", "attic-pi.local"],
    generations: new Map([
      ["laptop", 2],
      ["attic-pi.local", 3],
    ]),
  });
  expect(client).toMatchObject({
    server_hostname: ["vps.example.com", "192.0.2.9"],
    server_port: 65535,
    client_name: "büro",
    family: "both",
  });
  expect(Uint8Array.from(client.key!)).toEqual(KEY_BYTES);
});

test("an error never shows a malformed secret", () => {
  const secret = "hunter2hunter2hunter2hunter2";
  const must = "must be 32 bytes in base64url (43 characters), as dynip init makes them";
  expect(problem(`secret = "${secret}"`)).toBe(`secret is malformed, ${must}`);
  expect(problem("secret = 5")).toBe(`secret is malformed, ${must}`);
  expect(problem(`[client]\nkey = "${secret}"`)).toBe(`key in [client] is malformed, ${must}`);
  for (const mistake of [`secret = "${secret}`, `secret = ${secret}`, `secret = "${secret}" "x"`]) {
    expect(problem(mistake)).not.toContain("hunter2");
  }
});

test("one configuration does not change the next", () => {
  parse("[server]\nserver_port = 1");
  expect(parse("").server.server_port).toBe(28630);
  expect(DEFAULTS.server.server_port).toBe(28630);
});

test("an empty server_hostname counts as missing", () => {
  expect(parse('[client]\nserver_hostname = ""').client.server_hostname).toEqual([]);
  expect(parse('[client]\nserver_hostname = [""]').client.server_hostname).toEqual([]);
});

describe("an error names the mistake", () => {
  const port = "must be a whole number from 1 to 65535";
  const name =
    "must be 1 to 128 of the characters a-z, 0-9 and, not at the ends, dot, underscore and hyphen; for " +
    "plain pings 1 to 256 bytes of letters, digits, punctuation and symbols, without spaces, not " +
    "beginning with dynip/";
  test.each([
    ["[server]\nserver_port = 70000", `server_port in [server] is 70000, ${port}`],
    ["[server]\nserver_port = 0", `server_port in [server] is 0, ${port}`],
    ["[server]\nserver_port = -1", `server_port in [server] is -1, ${port}`],
    ["[server]\nserver_port = 28630.5", `server_port in [server] is 28630.5, ${port}`],
    ["[server]\nserver_port = nan", `server_port in [server] is NaN, ${port}`],
    ['[server]\nserver_port = "28630"', `server_port in [server] is "28630", ${port}`],
    ["[server]\nserver_port = [1]", `server_port in [server] is [1], ${port}`],
    ["[server.server_port]", `server_port in [server] is a section, ${port}`],
    ["[server]\nserver_port = 2026-11-22", `server_port in [server] is 2026-11-22, ${port}`],
    ["[client]\nserver_port = 70000", `server_port in [client] is 70000, ${port}`],
    [
      '[server]\nserver_ip = "vps.example.com"',
      'server_ip in [server] is "vps.example.com", must be an IP address, or "*" for every interface',
    ],
    [
      '[server]\nclient_log_path = ""',
      'client_log_path in [server] is "", must be the path of a file',
    ],
    [
      "[server]\nmax_clients = 0",
      "max_clients in [server] is 0, must be a whole number, 1 or more",
    ],
    ...["1", '"*"', '"1"', '"a b"', '"vps:28630"', '"http://vps/"', '"[::1]"'].map((host) => [
      `[client]\nserver_hostname = ${host}`,
      `server_hostname in [client] is ${host}, must be a host name or an IP address, without a port, or a list of such`,
    ]),
    [
      '[server]\nclient_log_path = "a/"',
      'client_log_path in [server] is "a/", must be the path of a file',
    ],
    ['[http]\nip = "*"', 'ip in [http] is "*", must be an IP address'],
    ["[http]\nport = 0", "port in [http] is 0, must be a whole number from 1 to 65535"],
    ["[http]\npath = 1", 'unknown key "path" in [http] / the keys of [http] are ip, port'],
    ["http = true", '"http" must be a section, [http]'],
    [
      '[client]\nclient_name = "my nas"',
      `client_name in [client] is "my nas", ${name} / call it "my-nas"`,
    ],
    [
      '[client]\nclient_name = "Kris\'s MacBook"',
      `client_name in [client] is "Kris's MacBook", ${name} / call it "kris-macbook"`,
    ],
    ['[client]\nclient_name = ""', `client_name in [client] is "", ${name}`],
    [
      '[client]\nclient_name = "dynip/1"',
      `client_name in [client] is "dynip/1", ${name} / call it "dynip-1"`,
    ],
    [
      '[server]\nhosts_path = "hosts"',
      'hosts_path in [server] needs hosts_domain / hosts_path = "hosts" and hosts_domain = "dyn.example.com" write nas.dyn.example.com',
    ],
    [
      '[server]\nhosts_domain = "example.com"',
      'hosts_domain in [server] needs hosts_path / hosts_path = "hosts" and hosts_domain = "dyn.example.com" write nas.dyn.example.com',
    ],
    [
      '[server]\nhosts_domain = "dyn.example.com."',
      'hosts_domain in [server] is "dyn.example.com.", must be a domain, such as dyn.example.com, without a dot at its end',
    ],
    ["[server]\nhistory_path = 1", "history_path in [server] is 1, must be the path of a file"],
    [
      '[client]\nfamily = "ipv5"',
      'family in [client] is "ipv5", must be "any", "ipv4", "ipv6" or "both"',
    ],
    [
      "[server]\nserver_prot = 1",
      'unknown key "server_prot" in [server] / the keys of [server] are server_ip, server_port, client_log_path, hosts_path, hosts_domain, history_path, allow_plain, max_clients, readers, generations',
    ],
    [
      "[client]\ntoString = 1",
      'unknown key "toString" in [client] / the keys of [client] are server_hostname, server_port, client_name, key, family',
    ],
    [
      "server_port = 1",
      'unknown key "server_port" / every key but secret belongs under [server], [http], [notify] or [client]',
    ],
    [
      "[sever]\nserver_port = 1",
      "unknown section [sever] / the sections are [server], [http], [notify] and [client]",
    ],
    [
      "[constructor]",
      "unknown section [constructor] / the sections are [server], [http], [notify] and [client]",
    ],
    [
      '[client]\nserver_hostname = ["vps", 1]',
      "server_hostname in [client] is 1, must be a host name or an IP address, without a port, or a list of such",
    ],
    ["[server]\nallow_plain = 1", "allow_plain in [server] is 1, must be true or false"],
    [
      '[server]\nreaders = "phone"',
      'readers in [server] is "phone", must be a list such as ["laptop"], of names of 1 to 128 of the characters a-z, 0-9 and, not at the ends, dot, underscore and hyphen',
    ],
    [
      '[server]\nreaders = ["phone", "Laptop"]',
      'readers in [server] is "Laptop", must be a list such as ["laptop"], of names of 1 to 128 of the characters a-z, 0-9 and, not at the ends, dot, underscore and hyphen',
    ],
    [
      "[server]\nreaders = [1]",
      'readers in [server] is 1, must be a list such as ["laptop"], of names of 1 to 128 of the characters a-z, 0-9 and, not at the ends, dot, underscore and hyphen',
    ],
    [
      "[server]\ngenerations = 1",
      "generations in [server] is 1, must be a section, [server.generations], with lines such as laptop = 2",
    ],
    [
      "[server.generations]\nlaptop = 0",
      'generations in [server] is 0 for "laptop", must be whole numbers, 1 or more',
    ],
    [
      "[server.generations]\nLaptop = 2",
      'generations in [server] is for "Laptop", must be names of 1 to 128 of the characters a-z, 0-9 and, not at the ends, dot, underscore and hyphen',
    ],
    [
      '[notify]\ncommand = "/usr/local/bin/on-dynip"',
      'command in [notify] is "/usr/local/bin/on-dynip", must be a list of a program and its arguments, such as ["/usr/local/bin/on-dynip"]',
    ],
    [
      '[notify]\ncommand = ["", "x"]',
      'command in [notify] is ["","x"], must be a list of a program and its arguments, such as ["/usr/local/bin/on-dynip"]',
    ],
    [
      '[notify]\nurl = "file:///etc/secret-topic"',
      'url in [notify] is malformed, must be a URL that begins with "https://" or "http://"',
    ],
    [
      '[notify]\nurl = "ntfy.sh/secret-topic"',
      'url in [notify] is malformed, must be a URL that begins with "https://" or "http://"',
    ],
    [
      '[notify]\nsilent_after = "15m"',
      'silent_after in [notify] is "15m", must be a section, [notify.silent_after], with lines such as "*" = "15m"',
    ],
    [
      "[notify.silent_after]\nnas = 15",
      'silent_after in [notify] is 15 for "nas", must be a time from "1s" to "10000d", such as "15m", "12h" or "3d", or "never"',
    ],
    [
      '[notify.silent_after]\nnas = "0s"',
      'silent_after in [notify] is "0s" for "nas", must be a time from "1s" to "10000d", such as "15m", "12h" or "3d", or "never"',
    ],
    [
      '[notify.silent_after]\n"my nas" = "1h"',
      'silent_after in [notify] is for "my nas", must be names of hosts, or "*"',
    ],
    ["server = 1", '"server" must be a section, [server]'],
    ["[[server]]", '"server" must be a section, [server]'],
  ] as [string, string][])("%j", (text, message) => {
    expect(problem(text)).toBe(message);
  });

  test.each([
    "vps.example.com",
    "localhost",
    "my_nas.local",
    "büro.local",
    "192.0.2.1",
    "fe80::1%eth0",
  ])("but %p is a server_hostname", (host) => {
    const { client } = parse(`[client]\nserver_hostname = "${host}"`);
    expect(client.server_hostname).toEqual([host]);
  });

  test("a TOML error has a line and a column, and shows nothing of the file", () => {
    const message = problem('[server]\nserver_port = 1\nclient_log_path = "a\nb"');
    expect(message).toMatch(/^line 3, column \d+: \S/);
    expect(message).not.toContain("client_log_path");
    expect(problem("[server]\nserver_port = 1\nserver_port = 2")).toMatch(
      /^line 3, column \d+: \S/,
    );
  });

  test.each(["yes", "no", "on", "off", "True", "FALSE", "no # comment"])(
    "%s without quotes gets a hint that TOML has true and false",
    (value) => {
      expect(problem(`[server]\nallow_plain = ${value}`)).toMatch(
        /^line 2, column \d+: \S.* \/ for yes and no, TOML has true and false, in lower case and without quotes$/,
      );
    },
  );

  test.each([
    ["a section", "[server]\nserver_port = 1\n[server]\nserver_ip = '*'"],
    ["a key", "[server]\nserver_port = 1\nserver_port = 2"],
  ])("%s that is there twice gets a hint to edit the first", (_what, text) => {
    expect(problem(text)).toMatch(
      /^line 3, column \d+: \S.* \/ a section or a key may be there once: edit the one above$/,
    );
  });

  test("other text without quotes gets a hint that it needs them", () => {
    for (const value of ["localhost", "nose", "truely", "C:\\log.json"]) {
      expect(problem(`[server]\nserver_ip = ${value}`)).toEndWith(
        ` / text needs quotes, "…", or '…' where it has backslashes`,
      );
    }
  });

  test("a DynIP 0.1e configuration gets a hint how to convert it", () => {
    expect(problem("# comment\n\n[DynIP:Server]\nserver_ip = *\n")).toBe(
      "it is a DynIP 0.1e configuration (INI), and dynip reads TOML / " +
        'dynip init --from "x.toml" dynip.toml writes its settings as TOML',
    );
    expect(problem("[DynIP:Client]")).toContain("DynIP 0.1e");
  });
});

describe("the configuration is found", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let cwd: string;
  beforeEach(async () => {
    folder = await temporaryFolder();
    cwd = process.cwd();
    process.chdir(folder.path);
  });
  afterEach(async () => {
    process.chdir(cwd);
    await folder[Symbol.asyncDispose]();
  });
  const port = (number: number) => `[server]\nserver_port = ${number}\n`;
  const load = async (given?: string, env: Record<string, string> = {}) => {
    const { path, config } = await loadConfig(given, { env, platform: "linux" });
    return [path, config.server.server_port];
  };

  test("where the command line says", async () => {
    await writeFile("dynip.toml", port(1));
    await writeFile("env.toml", port(2));
    await writeFile("given.toml", port(3));
    expect(await load("given.toml", { DYNIP_CONFIG: "env.toml" })).toEqual([
      resolve("given.toml"),
      3,
    ]);
  });

  test("otherwise where DYNIP_CONFIG says", async () => {
    await writeFile("dynip.toml", port(1));
    await writeFile("env.toml", port(2));
    expect(await load(undefined, { DYNIP_CONFIG: "env.toml" })).toEqual([resolve("env.toml"), 2]);
  });

  test("otherwise in the current folder", async () => {
    await writeFile("dynip.toml", port(1));
    expect(await load(undefined, { DYNIP_CONFIG: "" })).toEqual([resolve("dynip.toml"), 1]);
  });

  test("otherwise in the system's folder: on Windows, %ProgramData%\\dynip", async () => {
    await mkdir("data/dynip", { recursive: true });
    await writeFile("data/dynip/dynip.toml", port(4));
    const surroundings = { env: { ProgramData: "data" }, platform: "win32" as const };
    const { path, config } = await loadConfig(undefined, surroundings);
    expect([path, config.server.server_port]).toEqual([resolve("data/dynip/dynip.toml"), 4]);
  });

  test("or not at all: exit code 3, and a hint how to make one", async () => {
    await expect(load()).rejects.toMatchObject({
      exitCode: 3,
      message:
        "Cannot find a configuration: no path given, DYNIP_CONFIG is not set, and there is no " +
        '"dynip.toml" or "/etc/dynip/dynip.toml"',
      hint: "on the server, dynip init writes one, and dynip init --name NAME one for each client",
    });
  });

  test("a named file that does not exist is an error, even if others exist", async () => {
    await writeFile("dynip.toml", port(1));
    await expect(load("gone.toml")).rejects.toMatchObject({
      exitCode: 3,
      message: 'Cannot read config "gone.toml": there is no such file',
      hint: 'check the path; on the server, dynip init "gone.toml" writes a new one',
    });
    await expect(load(undefined, { DYNIP_CONFIG: "gone.toml" })).rejects.toMatchObject({
      exitCode: 3,
      message: 'Cannot read config "gone.toml": there is no such file, which DYNIP_CONFIG names',
    });
  });

  test("a folder, and bytes that are not UTF-8, are errors", async () => {
    await expect(load(".")).rejects.toMatchObject({
      exitCode: 3,
      message: 'Cannot read config ".": it is a folder',
    });
    for (const text of ["\ufeff[server]\n", "[server]\n"]) {
      await writeFile("utf16.toml", Buffer.from(text, "utf16le"));
      await expect(load("utf16.toml")).rejects.toMatchObject({
        exitCode: 3,
        message: 'Cannot read config "utf16.toml": it is not UTF-8 text',
      });
    }
  });

  test("a byte order mark, as Windows editors write one, does no harm", async () => {
    await writeFile("bom.toml", `\ufeff${port(5)}`);
    expect(await load("bom.toml")).toEqual([resolve("bom.toml"), 5]);
  });

  test("a relative client_log_path starts at the configuration's folder", async () => {
    await mkdir("etc");
    await writeFile("etc/dynip.toml", '[server]\nclient_log_path = "log/dynip.json"\n');
    const loaded = await loadConfig("etc/dynip.toml", { env: {}, platform: "linux" });
    expect(clientLogPath(loaded)).toBe(join(await realpath("etc"), "log", "dynip.json"));
    await writeFile(
      "etc/dynip.toml",
      `[server]\nclient_log_path = "${resolve("x.json").replaceAll("\\", "/")}"\n`,
    );
    expect(clientLogPath(await loadConfig("etc/dynip.toml"))).toBe(resolve("x.json"));
  });

  test("of a systemd credential, whose folder is read-only, it starts at the state directory", async () => {
    await mkdir("run/credentials", { recursive: true });
    await writeFile("run/credentials/dynip.toml", "");
    await writeFile("dynip.toml", "");
    const env = {
      CREDENTIALS_DIRECTORY: resolve("run/credentials"),
      STATE_DIRECTORY: resolve("lib"),
    };
    const credential = await loadConfig("run/credentials/dynip.toml");
    expect(clientLogPath(credential, { env })).toBe(resolve("lib/dynip.json"));
    expect(clientLogPath(credential, { env: {} })).toBe(resolve("run/credentials/dynip.json"));
    // The log of any other configuration stays in its folder, also in such a service.
    expect(clientLogPath(await loadConfig("dynip.toml"), { env })).toBe(resolve("dynip.json"));
  });
});
