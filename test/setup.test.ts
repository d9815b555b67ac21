import { describe, expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";

import { DEFAULTS, parseConfig } from "../src/config.ts";
import { configText, crontabLine, nextSteps, windowsTask } from "../src/setup.ts";
import { temporaryFolder } from "./temporary.ts";

const DEFAULT_VALUES = {
  server: DEFAULTS.server,
  client: { ...DEFAULTS.client, server_hostname: "localhost" },
};

test("the configuration that init writes reads back as its values", () => {
  expect(parseConfig(configText(DEFAULT_VALUES), "x")).toEqual(DEFAULT_VALUES);
  const values = {
    server: {
      server_ip: "192.0.2.1",
      server_port: 1,
      client_log_path: 'C:\\Users\\Ann "A"\\log\u007f\n.json',
      max_clients: 7,
    },
    client: { server_hostname: "2001:db8::1", server_port: 2, family: "both" as const },
  };
  const { server, client } = parseConfig(configText(values), "x");
  expect(server).toEqual(values.server);
  expect(client).toEqual({ ...values.client, client_name: undefined });
});

test("it shows every key there is, each with a comment", () => {
  const lines = configText(DEFAULT_VALUES).split("\n");
  for (const key of [...Object.keys(DEFAULTS.server), ...Object.keys(DEFAULTS.client)]) {
    const at = lines.findIndex((line) => line.replace(/^# /, "").startsWith(`${key} = `));
    expect(lines[at - 1]).toStartWith("# ");
  }
});

const UNIX = { binary: "/usr/local/bin/dynip", config: "/home/ann/dynip.toml", port: 28630 };
const WINDOWS = {
  binary: "C:\\Program Files\\dynip\\dynip.exe",
  config: "C:\\Users\\Ann Lee\\dynip.toml",
  port: 28630,
};

describe("the next steps", () => {
  test.each(["linux", "darwin"] as const)("on %s", (platform) => {
    expect(nextSteps({ platform, ...UNIX })).toBe(`Next:
1. On the server, let UDP port 28630 through its firewall and start:
     /usr/local/bin/dynip serve /home/ann/dynip.toml
2. On each machine to be found, set server_hostname in [client] to the server's name, and try:
     /usr/local/bin/dynip ping /home/ann/dynip.toml
3. There, schedule a ping every 5 minutes:
   run "crontab -e" and add the line
     */5 * * * * /usr/local/bin/dynip ping /home/ann/dynip.toml
`);
  });

  test("on Windows", () => {
    expect(nextSteps({ platform: "win32", ...WINDOWS })).toBe(`Next, in a command prompt:
1. On the server, let UDP port 28630 through its firewall and start:
     "C:\\Program Files\\dynip\\dynip.exe" serve "C:\\Users\\Ann Lee\\dynip.toml"
2. On each machine to be found, set server_hostname in [client] to the server's name, and try:
     "C:\\Program Files\\dynip\\dynip.exe" ping "C:\\Users\\Ann Lee\\dynip.toml"
3. There, schedule a ping every 5 minutes:
   in one that was opened with "Run as administrator":
     schtasks /Create /F /TN dynip /SC MINUTE /MO 5 /RU SYSTEM /TR "\\"C:\\Program Files\\dynip\\dynip.exe\\" ping \\"C:\\Users\\Ann Lee\\dynip.toml\\""
`);
  });
});

test("schtasks gets the whole command as one argument, its quotes escaped", () => {
  expect(windowsTask("C:\\a b\\dynip.exe", "C:\\c d.toml")).toEndWith(
    '/TR "\\"C:\\a b\\dynip.exe\\" ping \\"C:\\c d.toml\\""',
  );
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
