import { describe, expect, test } from "bun:test";

import { OldConfError, parseOldConf } from "../../src/config/old-conf.ts";

test("a file as dynip-init 0.1e made it, with values of its own", () => {
  const text = `
########################
# Server Configuration #
########################

[DynIP:Server]

# server_ip
# Default:
# server_ip = *
server_ip = 192.0.2.1
server_port = 28631
client_log_path = /var/lib/my dynip/dynip.json

[DynIP:Client]
server_hostname = vps.example.com
server_port = 28632
`;
  const settings = {
    server: {
      server_ip: "192.0.2.1",
      server_port: 28631,
      client_log_path: "/var/lib/my dynip/dynip.json",
    },
    client: { server_hostname: "vps.example.com", server_port: 28632 },
  };
  expect(parseOldConf(text)).toEqual(settings);
  expect(parseOldConf(text.replaceAll("\n", "\r\n"))).toEqual(settings);
});

test("ConfigParser's variants: colons, capitals, comments, empty values, one section", () => {
  expect(
    parseOldConf("; comment\n[DynIP:Client]\nServer_Hostname: localhost ; home\nSERVER_PORT=1\n"),
  ).toEqual({ client: { server_hostname: "localhost", server_port: 1 } });
  expect(parseOldConf("[DynIP:Client]\nserver_hostname =\n").client).toEqual({
    server_hostname: "",
  });
});

test("an empty server_ip is every interface, as Python binds it", () => {
  expect(parseOldConf("[DynIP:Server]\nserver_ip =\n").server).toEqual({ server_ip: "*" });
  expect(parseOldConf("[DynIP:Server]\nserver_ip = ; every\n").server).toEqual({ server_ip: "*" });
});

test("a section without settings is there all the same", () => {
  expect(parseOldConf("[DynIP:Server]\n")).toEqual({ server: {} });
  expect(parseOldConf("[DynIP:Client]\n")).toEqual({ client: {} });
});

test("settings of a section that comes twice are put together", () => {
  const text = "[DynIP:Server]\nserver_port = 1\n[DynIP:Client]\n[DynIP:Server]\nserver_ip = *\n";
  expect(parseOldConf(text).server).toEqual({ server_port: 1, server_ip: "*" });
});

describe("an error names the line that DynIP 0.1e does not know", () => {
  test.each([
    ["[server]\n", "line 1: unknown section [server]"],
    ["[constructor]\n", "line 1: unknown section [constructor]"],
    ["server_port = 1\n", "line 1: not a setting of DynIP 0.1e"],
    ["[DynIP:Server]\n\nserver_prot = 1\n", "line 3: not a setting of DynIP 0.1e"],
    ["[DynIP:Server]\nserver_hostname = a\n", "line 2: not a setting of DynIP 0.1e"],
    ["[DynIP:Server]\nserver_ip\n", "line 2: not a setting of DynIP 0.1e"],
    ['{"json": true}', "line 1: not a setting of DynIP 0.1e"],
  ])("%j", (text, message) => {
    expect(() => parseOldConf(text)).toThrow(new OldConfError(message));
  });
});
