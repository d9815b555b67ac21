import { describe, expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";

import { DEFAULTS, parseConfig } from "../src/config.ts";
import { encodeKey } from "../src/protocol.ts";
import {
  clientConfigText,
  clientNextSteps,
  configText,
  crontabLine,
  nextSteps,
} from "../src/setup.ts";
import { temporaryFolder } from "./temporary.ts";

const SECRET = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const DEFAULT_VALUES = {
  secret: SECRET,
  server: DEFAULTS.server,
  client: { ...DEFAULTS.client, server_hostname: "localhost" },
};

test("the configuration that init writes reads back as its values", () => {
  const { secret, server, client } = parseConfig(configText(DEFAULT_VALUES), "x");
  expect(encodeKey(secret!)).toBe(SECRET);
  expect(server).toEqual(DEFAULTS.server);
  expect(client).toEqual({ ...DEFAULTS.client, server_hostname: ["localhost"] });
});

test("values that need quoting come back, too", () => {
  const text = configText({
    secret: SECRET,
    server: {
      server_ip: "192.0.2.1",
      server_port: 1,
      client_log_path: 'C:\\Users\\Ann "A"\\log\u007f\n.json',
      max_clients: 7,
      allow_plain: true,
    },
    client: { server_hostname: ["vps", "2001:db8::1"], server_port: 2, family: "both" },
  });
  const { server, client } = parseConfig(text, "x");
  expect(server).toMatchObject({
    server_ip: "192.0.2.1",
    server_port: 1,
    client_log_path: 'C:\\Users\\Ann "A"\\log\u007f\n.json',
    max_clients: 7,
    allow_plain: true,
  });
  expect(client).toMatchObject({ server_hostname: ["vps", "2001:db8::1"], server_port: 2 });
});

test("it shows every key there is, each with a comment", () => {
  const lines = configText(DEFAULT_VALUES).split("\n");
  const keys = [...Object.keys(DEFAULTS.server), ...Object.keys(DEFAULTS.client), "secret"];
  // A client's own key is in the file that is made for it.
  for (const key of keys.filter((key) => key !== "key")) {
    const start = key === "generations" ? "[server.generations]" : `${key} = `;
    const at = lines.findIndex((line) => line.replace(/^# /, "").startsWith(start));
    expect([key, lines[at - 1]?.slice(0, 2)]).toEqual([key, "# "]);
  }
});

test("one client's configuration has its own key, and neither the secret nor a server", () => {
  const values = { server_hostname: "vps.example.com", server_port: 28630, family: "any" };
  const text = clientConfigText({ name: "nas", key: SECRET, ...values });
  const { secret, server, client } = parseConfig(text, "x");
  expect(secret).toBeUndefined();
  expect(server).toEqual(DEFAULTS.server);
  expect(encodeKey(client.key!)).toBe(SECRET);
  expect(client).toMatchObject({ client_name: "nas", server_hostname: ["vps.example.com"] });
  expect(text).not.toContain("[server]");
});

const UNIX = { binary: "/usr/local/bin/dynip", config: "/home/ann/dynip.toml" };
const WINDOWS = {
  binary: "C:\\Program Files\\dynip\\dynip.exe",
  config: "C:\\Users\\Ann Lee\\dynip.toml",
};
const TASK =
  'schtasks /Create /F /TN dynip /SC MINUTE /MO 5 /RU SYSTEM /TR "\\"C:\\Program Files\\dynip\\dynip.exe\\" ' +
  'ping \\"C:\\Users\\Ann Lee\\dynip.toml\\""';

describe("the next steps", () => {
  test.each(["linux", "darwin"] as const)("on %s", (platform) => {
    expect(nextSteps({ platform, ...UNIX, port: 28630 })).toBe(`Next:
1. On the server, let UDP port 28630 through its firewall and start:
     /usr/local/bin/dynip serve /home/ann/dynip.toml
2. On each machine to be found, set server_hostname in [client] to the server's name, and try:
     /usr/local/bin/dynip ping /home/ann/dynip.toml
3. There, schedule a ping every 5 minutes:
   run "crontab -e" and add the line
     */5 * * * * /usr/local/bin/dynip ping /home/ann/dynip.toml
A machine that you trust less gets a file of its own, without the secret:
     dynip init nas.toml --name nas --from /home/ann/dynip.toml --server HOST
`);
  });

  test("on Windows", () => {
    expect(nextSteps({ platform: "win32", ...WINDOWS, port: 1 })).toBe(`Next, in a command prompt:
1. On the server, let UDP port 1 through its firewall and start:
     "C:\\Program Files\\dynip\\dynip.exe" serve "C:\\Users\\Ann Lee\\dynip.toml"
2. On each machine to be found, set server_hostname in [client] to the server's name, and try:
     "C:\\Program Files\\dynip\\dynip.exe" ping "C:\\Users\\Ann Lee\\dynip.toml"
3. There, schedule a ping every 5 minutes:
   in one that was opened with "Run as administrator":
     ${TASK}
A machine that you trust less gets a file of its own, without the secret:
     dynip init nas.toml --name nas --from "C:\\Users\\Ann Lee\\dynip.toml" --server HOST
`);
  });

  test("of one client's file", () => {
    expect(clientNextSteps({ platform: "linux", ...UNIX, name: "nas" })).toBe(`Next:
1. Move it to nas, with the dynip binary, and remove it here.
2. There, with the paths as they are on that machine, try:
     /usr/local/bin/dynip ping /home/ann/dynip.toml
3. Schedule a ping every 5 minutes:
   run "crontab -e" and add the line
     */5 * * * * /usr/local/bin/dynip ping /home/ann/dynip.toml
`);
    expect(clientNextSteps({ platform: "win32", ...WINDOWS, name: "nas" })).toContain(TASK);
  });
});

const HARD_NAMES = [
  "plain.toml",
  "a space.toml",
  "Ann's.toml",
  "100%.toml",
  '$HOME "quoted".toml',
  "a;b&c.toml",
];

describe.skipIf(process.platform === "win32")("the crontab line, run as cron runs it", () => {
  test.each(HARD_NAMES)("with the configuration %p", async (name) => {
    await using folder = await temporaryFolder();
    const echo = folder.file("print arguments");
    await writeFile(echo, '#!/bin/sh\nfor argument; do printf "%s\\n" "$argument"; done\n');
    await chmod(echo, 0o755);
    const line = crontabLine(echo, folder.file(name));
    expect(line).toStartWith("*/5 * * * * ");
    // cron: up to the first unescaped %, then \% is %, then sh -c (crontab(5)).
    const command = line.slice("*/5 * * * * ".length);
    expect(command).not.toMatch(/(?<!\\)%/);
    const run = Bun.spawnSync(["/bin/sh", "-c", command.replaceAll("\\%", "%")]);
    expect(run.stdout.toString()).toBe(`ping\n${folder.file(name)}\n`);
  });
});
