import { expect, test } from "bun:test";

import { DEFAULTS, parseConfig } from "../../src/config/config.ts";
import { encodeKey } from "../../src/protocol/message.ts";
import { clientConfigText, configText } from "../../src/config/template.ts";

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
