import { expect, test } from "bun:test";

import { DEFAULTS, parseConfig } from "../../src/config/config.ts";
import { type Keys, SECTIONS, TOP_LEVEL } from "../../src/config/keys.ts";
import { encodeKey } from "../../src/protocol/message.ts";
import { clientConfigText, configText } from "../../src/config/template.ts";

const SECRET = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const text = configText({ secret: SECRET, server: {}, client: { server_hostname: "localhost" } });

test("the configuration that init writes reads back as its values and the defaults", () => {
  const { secret, server, notify, client } = parseConfig(text, "x");
  expect(encodeKey(secret!)).toBe(SECRET);
  expect(server).toEqual(DEFAULTS.server);
  expect(notify).toEqual(DEFAULTS.notify);
  expect(client).toEqual({ ...DEFAULTS.client, server_hostname: ["localhost"] });
});

test("values that need quotes read back, too", () => {
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

/** Every key, with its section. */
const keys = Object.entries<Keys>({ "": TOP_LEVEL, ...SECTIONS }).flatMap(([section, keys]) =>
  Object.entries(keys).map(([name, key]) => ({ section, name, key })),
);

test("it shows every key, each under a comment", () => {
  const lines = text.split("\n");
  for (const { section, name } of keys) {
    if (name === "key") continue; // it is in the file of one client only
    const isShown = (line: string) =>
      line.replace(/^# /, "").startsWith(`${name} = `) || line === `[${section}.${name}]`;
    const at = lines.findIndex(isShown);
    expect([name, lines[at - 1]?.slice(0, 2)]).toEqual([name, "# "]);
  }
});

test("its examples are valid values", () => {
  let withExamples = text;
  for (const { name, key } of keys) {
    if (key.example === undefined) continue;
    const line = key.default instanceof Map ? key.example : `${name} = ${key.example}`;
    expect(text).toContain(`\n# ${line}\n`);
    withExamples = withExamples.replace(`\n# ${line}\n`, `\n${line}\n`);
  }
  const { server, notify, client } = parseConfig(withExamples, "x");
  expect(notify.command).toEqual(["/usr/local/bin/on-dynip"]);
  expect(notify.silent_after.get("laptop")).toBe(3 * 86_400_000);
  expect(server.generations).toEqual(new Map([["laptop", 2]]));
  expect(client.client_name).toBe("nas");
});

test("[http] is off in it, and on with its defaults where the # before [http] is removed", () => {
  expect(parseConfig(text, "x").http).toBeUndefined();
  const on = parseConfig(text.replace("\n# [http]\n", "\n[http]\n"), "x").http;
  expect(on).toEqual({ ip: "127.0.0.1", port: 28630 });
  const changed = text.replace("\n# [http]\n", "\n[http]\n").replace("# port = 28630", "port = 80");
  expect(parseConfig(changed, "x").http).toEqual({ ip: "127.0.0.1", port: 80 });
});

test("the configuration of one client has what a router needs, in comments", () => {
  const url = "https://vps.example.com/nic/update";
  const router = { url, password: "yKxUGmKiRO7TB_SgDEgA8Q" };
  const values = { client_name: "nas", key: SECRET, server_hostname: "vps.example.com" };
  const text = clientConfigText(values, router);
  expect(text).toEndWith(
    `\n#   URL       ${url}\n#   user      nas\n#   password  yKxUGmKiRO7TB_SgDEgA8Q\n`,
  );
  expect(parseConfig(text, "x")).toEqual(parseConfig(clientConfigText(values), "x"));
  expect(text.split("\n").filter((line) => line.length > 100)).toEqual([]);
});

test("no line of it is wider than 100 characters", () => {
  expect(text.split("\n").filter((line) => line.length > 100)).toEqual([]);
});

test("each server_port says that the other one must be the same", () => {
  const comments = text
    .replaceAll("\n# ", " ")
    .split("\n\n")
    .filter((part) => part.includes("\nserver_port = "));
  expect(comments).toHaveLength(2);
  expect(comments[0]).toContain("server_port in [client] must be the same");
  expect(comments[1]).toContain("the same as server_port of [server] in the server's file");
});

test("it says that the secret needs a copy, and that a revoked key needs a restart", () => {
  const prose = text.replaceAll("\n# ", " ");
  expect(prose).toContain("Keep a copy of this file in a safe place");
  expect(prose).toContain("restart the server");
});

test("the configuration of one client has its key, but no secret and no [server]", () => {
  const values = { server_hostname: "vps.example.com", server_port: 28630, family: "any" };
  const text = clientConfigText({ client_name: "nas", key: SECRET, ...values });
  const { secret, server, client } = parseConfig(text, "x");
  expect(secret).toBeUndefined();
  expect(server).toEqual(DEFAULTS.server);
  expect(encodeKey(client.key!)).toBe(SECRET);
  expect(client).toMatchObject({ client_name: "nas", server_hostname: ["vps.example.com"] });
  expect(text).not.toContain("\n[server]");
});

test("the configuration of a client of DynIP 0.1e has neither a secret nor a key nor a name", () => {
  const text = clientConfigText({ server_hostname: "vps.example.com", server_port: 28632 });
  const { secret, client } = parseConfig(text, "x");
  expect(secret).toBeUndefined();
  expect(client).toEqual({
    ...DEFAULTS.client,
    server_hostname: ["vps.example.com"],
    server_port: 28632,
  });
  expect(text).not.toContain("secret =");
  expect(text).not.toContain("\n[server]");
});
