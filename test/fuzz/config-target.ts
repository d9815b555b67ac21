/** Mutated configurations through `parseConfig`. */
import { parse } from "smol-toml";

import { type Config, DEFAULTS, parseConfig } from "../../src/config/config.ts";
import { SECTIONS } from "../../src/config/keys.ts";
import { EXIT, UserError } from "../../src/system/errors.ts";
import { encodeKey } from "../../src/protocol/message.ts";
import { configText } from "../../src/config/template.ts";
import { must, type TargetKind } from "./target.ts";
import { TextTarget } from "./text-target.ts";

export const configKind: TargetKind = {
  name: "configuration",
  share: 0.1,
  batch: 100,
  make: (seed) =>
    new TextTarget({ name: configKind.name, seed, texts: TEXTS, tokens: TOKENS, check }),
};

const PATH = "dynip.toml";
const SECRET = encodeKey(Uint8Array.from({ length: 32 }, (_, index) => (index * 37 + 11) & 255));
const KEY = encodeKey(Uint8Array.from({ length: 32 }, (_, index) => (index * 91 + 5) & 255));

/** The number of characters in a row of a secret that no message may show. */
const TELLING = 12;

function check(text: string): void {
  let config: Config;
  try {
    config = parseConfig(text, PATH);
  } catch (error) {
    checkError(error, text);
    return;
  }
  for (const section of ["server", "client"] as const) {
    const isKnown = (key: string) => Object.hasOwn(SECTIONS[section], key);
    must(Object.keys(config[section]).every(isKnown), "an unknown key is refused");
  }
  if (!config.secret) return;
  const { server, client } = config;
  const written = configText({
    secret: encodeKey(config.secret),
    server: { ...server, generations: undefined },
    client: { ...client, key: client.key && encodeKey(client.key) },
  });
  const again = parseConfig(written, PATH);
  // init writes neither generations, nor [http], nor what [notify] may have.
  const same: Config = {
    ...config,
    server: { ...server, generations: new Map() },
    http: DEFAULTS.http,
    notify: DEFAULTS.notify,
  };
  must(Bun.deepEquals(again, same), "what was read is the same, written by init and read again");
}

function checkError(error: unknown, text: string): void {
  if (!(error instanceof UserError)) throw error;
  must(error.exitCode === EXIT.config, "a configuration is refused with exit code 3");
  const told = `${error.message}\n${error.hint}\n${error.cause}`;
  must(!tells(told) || isMisplaced(text), "no message quotes a secret");
}

/** Whether a text has {@link TELLING} characters in a row of a secret. */
function tells(text: string): boolean {
  return [SECRET, KEY].some((secret) => {
    for (let at = 0; at + TELLING <= secret.length; at++) {
      if (text.includes(secret.slice(at, at + TELLING))) return true;
    }
    return false;
  });
}

/** Whether a secret stands in place of a name or an address, where it cannot be told from one. */
function isMisplaced(text: string): boolean {
  try {
    const { secret: _, client, ...rest } = parse(text);
    if (typeof client === "object" && "key" in client) delete client["key"];
    return tells(JSON.stringify({ client, ...rest }));
  } catch {
    return false;
  }
}

const TEXTS = [
  configText({ secret: SECRET, server: {}, client: {} }),
  `secret = "${SECRET}"
[server]
server_ip = "2001:db8::1"
server_port = 0x6fd6
client_log_path = '/var/lib/dynip/dynip.json'
max_clients = 1_000
allow_plain = true
[server.generations]
laptop = 2
"attic-pi.local" = 3
`,
  `[client]
server_hostname = ["vps.example.com", "192.0.2.1", "2001:db8::7"]
server_port = 28630
client_name = "nas"
family = "both"
key = "${KEY}"
`,
  `secret = "${SECRET}"\nclient = { key = '${KEY}', server_hostname = "büro.example" }\n`,
  `[DynIP:Server]\nserver_ip = *\n`,
];

const TOKENS = [
  '"',
  '"""',
  "'''",
  "'",
  "#",
  "\n",
  "=",
  "[",
  "]",
  "[[",
  "{",
  "}",
  ".",
  ",",
  "\\u0000",
  "\\uD800",
  "secret = ",
  "key = ",
  "[server]\n",
  "[client]\n",
  "[DynIP:Client]\n",
  "__proto__ = 1\n",
  "constructor = ",
  "toString = ",
  "1979-05-27T07:32:00Z",
  "07:32:00",
  "nan",
  "-inf",
  "9223372036854775807",
  "99999999999999999999",
  "0x10",
  "1e400",
  "\ufeff",
  "\r",
];
