import { describe, expect, test } from "bun:test";

import { parseConfig } from "../../src/config/config.ts";
import { parseOldConf } from "../../src/config/old-conf.ts";
import { encodeKey } from "../../src/protocol/message.ts";
import { holdsKey, withoutSecrets } from "../../src/system/redact.ts";
import { KEY, PASTED, pieceIn, wrongConfigs } from "../pasted-keys.ts";

/** The message of the error that a function throws; empty if it throws none. */
function messageOf(act: () => unknown): string {
  try {
    act();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

describe.each(Object.entries(PASTED))("%s is hidden", (_, pasted) => {
  test.each([
    `Cannot read config "${pasted}": there is no such file`,
    `Cannot read config "/home/ann/${pasted}/dynip.toml": it is a folder`,
    `Cannot read config "dynip.toml": server_ip in [server] is ${JSON.stringify(pasted)}, must be an IP address`,
    `Cannot ping: this machine's name is "${pasted}", which cannot be sent as a name`,
    `unknown section [${pasted}]`,
    `Option "--timeout" is "${pasted}", must be a time like 30s or 2m`,
    `Error: ENOENT: no such file or directory, open '${pasted}'\n    at run (file.ts:1:2)`,
    `check the path; on the server, dynip init "${pasted}" writes a new one`,
  ])("in %p", (message) => {
    const shown = withoutSecrets(message);
    expect(shown).toContain("(a secret)");
    expect(pieceIn(shown)).toBeUndefined();
    // The words around it stay.
    const [before, after] = [message.split(pasted)[0]!, message.split(pasted).at(-1)!];
    expect(shown).toStartWith(before.slice(0, before.search(/["'[]/) + 1 || 10));
    expect(shown).toEndWith(after.slice(-10));
  });

  test("in what is said of a wrong configuration", () => {
    for (const text of wrongConfigs(pasted)) {
      const message = messageOf(() => parseConfig(text, "dynip.toml"));
      expect(pieceIn(withoutSecrets(message))).toBeUndefined();
    }
    const old = `[DynIP:Server]\n[${pasted}]`;
    expect(pieceIn(withoutSecrets(messageOf(() => parseOldConf(old))))).toBeUndefined();
  });
});

test("a path is hidden from one slash to the next, and a name alone", () => {
  expect(withoutSecrets(`keeping "/var/lib/my ${KEY}.json", 0 hosts`)).toBe(
    'keeping "/var/lib/(a secret)", 0 hosts',
  );
  const name = PASTED["a key with a quotation mark inside"]!;
  expect(withoutSecrets(`new host ${name} at x`)).toBe("new host (a secret) at x");
  expect(withoutSecrets(`new host ${KEY} at 203.0.113.7`)).toBe(
    "new host (a secret) at 203.0.113.7",
  );
});

test("an apostrophe is no quotation mark", () => {
  expect(withoutSecrets(`this machine's name is "${KEY}", and 'nas' is better`)).toBe(
    `this machine's name is "(a secret)", and 'nas' is better`,
  );
});

test.each([
  'Cannot read config "/home/ann/My Documents/2026/DynIP Configuration (old).toml": permission denied',
  'Cannot read config "C:\\\\Users\\\\Ann\\\\AppData\\\\Local\\\\Temp\\\\dynip.toml": permission denied',
  'Cannot read config "C:\\Users\\Ann\\AppData\\Roaming\\DynIP\\dynip.toml": permission denied',
  'Cannot read config "/var/folders/_w/k2jx0v0d1m1dz3xw2r3mhxqc0000gn/T/dynip test-aB3xYz/dynip.toml": x',
  'Cannot read config "/nix/store/0c0b1x9z3n4w5m6q7r8s9v0a1b2c3d4f-dynip-0.3.0/dynip.toml": x',
  'Cannot read config "/run/credentials/dynip-serve.service/dynip.toml": x',
  'unknown key "server_hostname_of_the_machine" in [server]',
  "new host 550e8400-e29b-41d4-a716-446655440000 at 203.0.113.7",
  "new host 6B29FC40-CA47-1067-B31D-00DD010662DA at 203.0.113.7",
  "new host 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 at 203.0.113.7",
  "new host ip-10-0-12-207.eu-central-1.compute.internal at 203.0.113.7",
  "new host Lenovo-IdeaPad-3-Ann at 203.0.113.7",
  "new host Kris-PC-Living-Room-2 at 203.0.113.7",
  "new host DESKTOP-AB12CD3.fritz.box at 2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff",
  "debug: at readableStreamDefaultControllerCallPullIfNeeded (/$bunfs/root/chunk-0kq5nxxb.js:1:2345)",
  "sent a ping with cookie 0123456789abcdef0123456789abcdef",
  "2026-11-22T13:01:02.123Z keeping x",
])("%p is shown as it is", (message) => {
  expect(withoutSecrets(message)).toBe(message);
});

/** The same keys in every run: of random ones a few in 10 million are not recognised. */
const KEYS = Array.from({ length: 5000 }, (_, index) =>
  encodeKey(new Bun.CryptoHasher("sha256").update(`${index}`).digest()),
);

test("every key is hidden and recognised, one character short or long as well", () => {
  for (const key of KEYS) {
    for (const pasted of [key, key.slice(1), key.slice(0, -1), `${key}x`]) {
      expect(withoutSecrets(`read "${pasted}": it is a folder`)).toBe(
        'read "(a secret)": it is a folder',
      );
      expect(holdsKey(pasted)).toBe(true);
    }
  }
});

test("of halves of keys at most 1 in 100 is shown", () => {
  const shown = KEYS.filter((key) => withoutSecrets(key.slice(0, 21)) !== "(a secret)");
  expect(shown.length).toBeLessThan(KEYS.length / 100);
});

test.each(["nas", "iPhone-SE-3-von-Ann-K-2", KEY.slice(0, 30), KEY.toLowerCase(), ""])(
  "%p holds no key: it may be sent",
  (name) => {
    expect(holdsKey(name)).toBe(false);
  },
);
