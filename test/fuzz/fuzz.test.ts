/**
 * A few seconds of `bun run fuzz` with fixed seeds, and every input that it once found.
 *
 * The mutation table: each of these changes to src/ was made by hand, one at a time, and found by the
 * inputs below.
 *
 *     a MAC not checked, or four digits of it; a ping with more behind it, or in upper case
 *     a byte above 127 taken for ASCII; UTF-8 not checked, or decoded leniently; a BOM passed over
 *     a control character in a name; a short dynip/ taken for plain
 *     a cookie not checked; no cookie from an address not recorded; plain over signed
 *     a reply to port 0, to the server, to multicast; max_clients ignored; a long line of the log
 *     JSON's and TOML's errors not caught; a date not checked; a counter not written
 *     a journal's bad line skipped, its torn tail read; another exit code; a log that is not UTF-8
 *     TOML's whole message shown, or a secret that is malformed; an unknown section of a .conf
 *
 * Not found: a log's unknown keys ignored, its addresses not canonical, and its counters above
 * 2^53 - 1, all of which are read again as they were written; DEL not escaped for TOML; `in` for
 * Object.hasOwn where keys are checked.
 */
import { describe, expect, test } from "bun:test";

import { runTarget } from "./run.ts";
import { KINDS } from "./targets.ts";

const SEED = 1;

/** About half a second each. */
const INPUTS: Readonly<Record<string, number>> = {
  decode: 200_000,
  server: 200_000,
  reply: 200_000,
  "client log": 8000,
  journal: 250,
  configuration: 10_000,
  "0.1e's .conf": 20_000,
  "HTTP request": 8000,
};

for (const kind of KINDS) {
  test(`nothing is found: ${kind.name}`, async () => {
    const { inputs, findings } = await runTarget(kind, SEED, { inputs: INPUTS[kind.name]! });
    expect(findings.map(({ message, input }) => `${message}: ${input.toHex()}`)).toEqual([]);
    expect(inputs).toBeGreaterThanOrEqual(INPUTS[kind.name]!);
  });
}

const TIMES = '"since":"2026-11-22T13:01:02.123Z","last_seen":"2026-11-22T13:01:02.123Z"';

interface Regression {
  /** A target's name. */
  target: string;
  what: string;
  input: string;
  /** Where the machine is. */
  zone?: string;
}

/** Inputs that broke a promise once, or came close. */
const REGRESSIONS: readonly Regression[] = [
  {
    target: "client log",
    what: "a time that String() cannot turn into text: TypeError",
    input: `{\n"nas": {"ipv4":{"address":"192.0.2.1","since":{"toString":1,"valueOf":1}}}\n}\n`,
  },
  {
    target: "client log",
    what: "a time nested so deep that String() runs out of stack: RangeError",
    input: `{"nas":{"ipv4":{"address":"192.0.2.1","since":${"[".repeat(6000)}${"]".repeat(6000)}}}}`,
  },
  {
    target: "client log",
    what: "an address nested so deep that JSON.stringify() runs out of stack: RangeError",
    input: `{"nas":{"ipv4":{"address":${"[".repeat(100_000)}${"]".repeat(100_000)},${TIMES}}}}`,
  },
  {
    target: "client log",
    what: "a time of 0.1e's that is in the year -1, UTC: written, it cannot be read again",
    input: '{"nas": ["192.0.2.1", "0000-01-01 00:00:00"]}',
    zone: "Asia/Kolkata",
  },
  {
    target: "client log",
    what: "a time of 0.1e's that is in the year 10000, UTC: written, it cannot be read again",
    input: '{"nas": ["192.0.2.1", "9999-12-31 23:59:59"]}',
    zone: "America/New_York",
  },
  {
    target: "0.1e's .conf",
    what: "spaces without end, for which a regular expression takes quadratic time",
    input: `[DynIP:Server]\na${" ".repeat(30_000)}x`,
  },
  {
    target: "configuration",
    what: "empty lines without end, for which a regular expression takes quadratic time",
    input: "\n".repeat(60_000),
  },
  {
    target: "HTTP request",
    what: "dots without end, for which a regular expression took quadratic time",
    input: `/nic/update?hostname=nas${".a".repeat(30_000)}!\n\n`,
  },
  { target: "client log", what: "only a byte order mark", input: "\ufeff" },
  { target: "client log", what: "a name that JSON.parse could lose", input: '{"__proto__": []}' },
  { target: "decode", what: "65,507 bytes of a name", input: "a".repeat(65_507) },
  { target: "decode", what: "a character across byte 256", input: `${"a".repeat(255)}é` },
  { target: "server", what: "the prefix and nothing more", input: "dynip/" },
  { target: "reply", what: "nothing", input: "" },
  { target: "journal", what: "a journal and no log", input: "\x1e\x1e\x1e\x1e" },
  { target: "journal", what: "an empty line", input: "{}\x1e\x1e\x1e\x1e\n" },
  {
    target: "journal",
    what: "two hosts on a line",
    input: `{}\x1e\x1e\x1e"a": {"ipv4":{"address":"192.0.2.1",${TIMES}}},"b": {"ipv4":{"address":"192.0.2.2",${TIMES}}}\n`,
  },
  {
    target: "journal",
    what: "a line that is not whole",
    input: '{}\x1e\x1e\x1e\x1e"nas": {"ipv4"',
  },
];

describe("found once", () => {
  for (const { target: name, what, input, zone = "UTC" } of REGRESSIONS) {
    test(`${name}: ${what}`, async () => {
      const kind = KINDS.find((kind) => kind.name === name)!;
      const target = await kind.make(SEED);
      const here = process.env["TZ"];
      try {
        process.env["TZ"] = zone;
        await target.try(new TextEncoder().encode(input));
      } finally {
        if (here === undefined) delete process.env["TZ"];
        else process.env["TZ"] = here;
        await target.close();
      }
    });
  }
});
