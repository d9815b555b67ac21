/**
 * State that is damaged, for the compiled server. What it refuses: exit code 2, a message with the
 * file and, where there is one, the line; every byte stays, and nothing is added. What it takes: a
 * journal whose end is torn, and what a server leaves that was killed.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { encodeClientLog } from "../../src/store/format.ts";
import { TEST_MS } from "../waiting.ts";
import { dynip, HAS_SIGNALS, newSetup, serve } from "../e2e/dynip.ts";
import { JOURNAL, JOURNALS, lineOf as line, LOG, OLD_JOURNAL, recordOf, sealed } from "./check.ts";

setDefaultTimeout(TEST_MS);

type Setup = Awaited<ReturnType<typeof newSetup>>;

const onUnix = test.skipIf(process.platform === "win32");
const onSignals = describe.skipIf(!HAS_SIGNALS);

const logOf = (counters: Record<string, number>) =>
  [
    ...encodeClientLog(
      new Map(Object.entries(counters).map(([name, counter]) => [name, recordOf(name, counter)])),
    ),
  ].join("");

const GOOD = logOf({ nas: 2, pi: 1 });

/** Every file of the folder, but folders and what is no file at all. */
async function contentsOf(folder: string): Promise<Record<string, string>> {
  const contents: Record<string, string> = {};
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    const stats = await stat(path);
    const isSmall = stats.isFile() && stats.size < 1_000_000;
    const mark = `${stats.isFile()} ${stats.size}`;
    contents[name] = isSmall ? (await readFile(path)).toString("latin1") : mark;
  }
  return contents;
}

async function expectRefusal(setup: Setup, ...says: (string | RegExp)[]): Promise<void> {
  const before = await contentsOf(setup.path);
  const { exitCode, stdout, stderr } = await dynip(["serve", setup.config]);
  expect(stderr).toContain(`error: Cannot open client log "${setup.logPath}": `);
  for (const text of says) expect(stderr).toMatch(text);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  expect(await contentsOf(setup.path)).toEqual(before);
}

async function refuses(files: Record<string, string | Uint8Array>, ...says: (string | RegExp)[]) {
  await using setup = await newSetup();
  for (const [name, bytes] of Object.entries(files)) await writeFile(setup.file(name), bytes);
  await expectRefusal(setup, ...says);
}

/** The counters in the log after a start and a clean stop, which leaves nothing else but `left`. */
async function starts(
  setup: Setup,
  files: Record<string, string | Uint8Array>,
  left: readonly string[] = [],
) {
  for (const [name, bytes] of Object.entries(files)) await writeFile(setup.file(name), bytes);
  await using server = await serve([setup.config]);
  expect((await server.stop()).exitCode).toBe(0);
  expect((await readdir(setup.path)).sort()).toEqual(["dynip.json", ...left, "dynip.toml"].sort());
  const log = (await setup.readLog()) as unknown as Record<string, { counter: string }>;
  return Object.fromEntries(
    Object.entries(log).map(([name, { counter }]) => [name, Number.parseInt(counter, 16)]),
  );
}

describe("a log is refused that", () => {
  test("was cut off, wherever", async () => {
    for (let length = 1; length < GOOD.trimEnd().length; length += 9) {
      const lines = GOOD.slice(0, length).split("\n").length;
      await refuses({ [LOG]: GOOD.slice(0, length) }, lines === 1 ? /line 1|JSON/ : /line \d/);
    }
  });

  test.each([
    ["has no bytes", "", /it is empty/],
    ["is white space", " \n", /it is empty/],
    ["begins with a byte order mark", `\ufeff${GOOD}`, /byte order mark/],
    ["is an array", "[]", /not a JSON object/],
    ["is null", "null", /not a JSON object/],
    ["is a number", "1", /not a JSON object/],
    ["is a string", '"nas"', /not a JSON object/],
    ["is not JSON", "dynip", /not JSON/],
    ["has something behind its end", `${GOOD}{}`, /line 5: there is something behind the end/],
    [
      "has a name twice",
      GOOD.replace('"pi"', '"nas"'),
      /line 3: host "nas" is there a second time/,
    ],
    ["lacks a comma", GOOD.replace("},\n", "}\n"), /line 2: the comma at the end is missing/],
    ["is all zero bytes", "\0".repeat(300), /not JSON/],
  ])("%s", async (_what, text, says) => await refuses({ [LOG]: text }, says));

  const record = GOOD.split("\n")[1]!.slice('"nas": '.length, -1);
  const sighting = JSON.stringify(JSON.parse(record).ipv4);
  const replacements: [field: string, from: string, key: string][] = [
    ["the record", record, ""],
    ["ipv4", sighting, '"ipv4":'],
    ...["address", "since", "last_seen"].map((key): [string, string, string] => [
      key,
      JSON.stringify(JSON.parse(sighting)[key]),
      `"${key}":`,
    ]),
    ["counter", '"0000000000000002"', '"counter":'],
  ];
  test.each(replacements)("has a wrong type in %s", async (field, from, key) => {
    for (const wrong of ["null", "true", "1", '"x"', "[]", "{}", '"\\u0000"']) {
      const damaged = GOOD.replace(key + from, key + wrong);
      expect(damaged).not.toBe(GOOD);
      await refuses({ [LOG]: damaged }, 'line 2: host "nas": ');
    }
    expect(field).not.toBe("");
  });

  test("is not UTF-8", async () => {
    const bytes = Buffer.from(GOOD.replace("nas", "n\u00e9s"), "latin1");
    await refuses({ [LOG]: bytes }, "it is not UTF-8 text");
  });

  test("is a folder", async () => {
    await using setup = await newSetup();
    await mkdir(setup.logPath);
    await expectRefusal(setup, "it is a folder");
  });

  onUnix("is a device", async () => {
    await using setup = await newSetup({ server: 'client_log_path = "/dev/null"' });
    const { exitCode, stderr } = await dynip(["serve", setup.config]);
    expect(stderr).toContain('error: Cannot open client log "/dev/null": it is not a regular file');
    expect(exitCode).toBe(2);
  });

  onUnix("is a FIFO, which nobody writes to", async () => {
    await using setup = await newSetup();
    makeFifo(setup.logPath);
    await expectRefusal(setup, "it is not a regular file");
  });
});

/** A server that wrongly opens its log ends all the same, with 8. */
const UNBINDABLE = 'server_ip = "192.0.2.254"';

describe("a journal is refused that", () => {
  const first = sealed(line("nas", 3), 8);
  const whole = sealed(line("pi", 2) + line("nas", 4), 8);

  test.each(JOURNALS)("is damaged before a whole batch, at any byte: %s", async (name) => {
    for (let at = 0; at < first.length; at += 23) {
      const bytes = Buffer.from(first + whole + whole);
      bytes[at]! ^= 1;
      const says = [`${name}", line 1: a damaged batch, with a whole one behind it in line 3`];
      await refuses({ [LOG]: GOOD, [name]: bytes }, ...says, "delete lines 1 to 2");
    }
  });

  test.each(JOURNALS)("has a page of zeros before a whole batch: %s", async (name) => {
    const many = sealed(line("nas", 3).repeat(60), 8);
    const bytes = Buffer.from(many + whole);
    bytes.fill(0, 4096, 8192);
    await refuses({ [LOG]: GOOD, [name]: bytes }, `${name}", line 1: a damaged batch`);
  });

  test("is damaged whole, and the newer one builds on it", async () => {
    const files = { [JOURNALS[1]]: "\0".repeat(9000), [JOURNALS[0]]: sealed(line("pi", 2), 9, 8) };
    await refuses({ [LOG]: GOOD, ...files }, `${JOURNALS[1]}", line 1: a damaged batch, and `);
  });

  test.each(JOURNALS)("is a folder: %s", async (name) => {
    await using setup = await newSetup();
    await writeFile(setup.logPath, GOOD);
    await mkdir(setup.file(name));
    await expectRefusal(setup, "it is a folder");
  });

  test("is a good one of a log that is damaged: both stay", async () => {
    const journals = { [JOURNALS[0]]: whole, [JOURNALS[1]]: sealed(line("nas", 3), 7) };
    await refuses({ [LOG]: GOOD.slice(0, -9), ...journals }, "line 3");
  });
});

describe("a journal of dynip 0.2.0 is refused that", () => {
  const lines = line("nas", 3) + line("pi", 2) + line("attic", 1);

  test.each([JOURNAL, OLD_JOURNAL])("has a bad line, not its last: %s", async (name) => {
    for (const [number, bad] of [
      [1, lines.replace('"nas"', "nas")],
      [2, lines.replace('"pi": {', '"pi": [{')],
      [3, lines.replace('"attic": {"ipv4"', '"attic": {"ipv5"')],
      [1, `\ufeff${lines}`],
      [1, `\0\0\0${lines}`],
    ] as const) {
      await refuses({ [LOG]: GOOD, [name]: bad }, `${name}", line ${number}: `);
    }
  });

  // Braces around nothing are an object, too.
  test.each([JOURNAL, OLD_JOURNAL])("has an empty line, not its last: %s", async (name) => {
    await using setup = await newSetup({ server: UNBINDABLE });
    await writeFile(setup.logPath, GOOD);
    await writeFile(setup.file(name), lines.replace(line("pi", 2), "\n"));
    await expectRefusal(setup, `${name}", line 2: `);
  });

  test.each([JOURNAL, OLD_JOURNAL])("is not UTF-8: %s", async (name) => {
    const bytes = Buffer.from(lines.replace("pi", "p\u00ed"), "latin1");
    await refuses({ [LOG]: GOOD, [name]: bytes }, `${name}" is not UTF-8 text`);
  });

  test.each([JOURNAL, OLD_JOURNAL])("is a folder: %s", async (name) => {
    await using setup = await newSetup();
    await writeFile(setup.logPath, GOOD);
    await mkdir(setup.file(name));
    await expectRefusal(setup, "it is a folder");
  });

  test("is a good one of a log that is damaged: both stay", async () => {
    await refuses({ [LOG]: GOOD.slice(0, -9), [JOURNAL]: lines, [OLD_JOURNAL]: lines }, "line 3");
  });
});

onSignals("it starts, and loses nothing, with", () => {
  test("a journal of dynip 0.2.0 that is torn at any byte of its last line", async () => {
    await using setup = await newSetup();
    const whole = line("nas", 3);
    const last = line("pi", 2);
    for (let length = 0; length <= last.length; length++) {
      const pi = length === last.length ? 2 : 1;
      const files = { [LOG]: GOOD, [JOURNAL]: whole + last.slice(0, length) };
      expect(await starts(setup, files)).toEqual({ nas: 3, pi });
    }
  }, 60_000);

  test("a journal whose last batch is not whole, at any byte: it is set aside, and said", async () => {
    const whole = sealed(line("nas", 3), 8);
    const last = sealed(line("pi", 2), 8);
    for (let length = 0; length <= last.length; length += 7) {
      await using setup = await newSetup();
      const files = { [LOG]: GOOD, [JOURNALS[0]]: `${whole}${last.slice(0, length)}\0\0\0` };
      const left = length === 0 ? [] : [`${JOURNALS[0]}.bad`];
      expect(await starts(setup, files, left)).toEqual({ nas: 3, pi: 1 });
    }
  }, 60_000);

  test("a journal that is damaged, when the lines that it named are deleted", async () => {
    await using setup = await newSetup();
    const damaged = sealed(line("nas", 3), 8).replace("nas", "nax") + sealed(line("pi", 2), 8);
    await writeFile(setup.file(JOURNALS[0]), damaged);
    await writeFile(setup.logPath, GOOD);
    const { stderr } = await dynip(["serve", setup.config]);
    const [, from, to] = /delete lines (\d+) to (\d+) /.exec(stderr)!.map(Number);
    const mended = damaged
      .split("\n")
      .toSpliced(from! - 1, to! - from! + 1)
      .join("\n");
    expect(await starts(setup, { [JOURNALS[0]]: mended })).toEqual({ nas: 2, pi: 2 });
  });

  test.each([
    ["a journal of no bytes", { [JOURNALS[0]]: "" }, {}],
    ["a journal of zeros", { [JOURNALS[1]]: "\0".repeat(65_536) }, {}],
    ["a journal that is older than the log", { [JOURNALS[0]]: sealed(line("nas", 1)) }, {}],
    [
      "both journals, the second one newer",
      {
        [JOURNALS[0]]: sealed(line("pi", 5) + line("nas", 3), 7),
        [JOURNALS[1]]: sealed(line("nas", 4), 8, 7),
      },
      { pi: 5, nas: 4 },
    ],
    [
      "both journals, of which the newer does not need the other",
      { [JOURNALS[1]]: sealed(line("pi", 5), 7), [JOURNALS[0]]: sealed(line("nas", 4), 8, 8) },
      { nas: 4 },
    ],
    [
      "half a temporary file",
      { [`${LOG}.tmp`]: "{\n", [JOURNALS[0]]: sealed(line("pi", 5)) },
      { pi: 5 },
    ],
    [
      "the journal of dynip 0.2.0 and, from a try of this one, ours",
      { [JOURNAL]: line("pi", 5) + line("nas", 3), [JOURNALS[0]]: sealed(line("nas", 4)) },
      { pi: 5, nas: 4 },
    ],
  ] as [string, Record<string, string>, Record<string, number>][])(
    "%s",
    async (_what, files, changed) => {
      await using setup = await newSetup();
      const after = await starts(setup, { [LOG]: GOOD, ...files });
      expect(after).toEqual({ nas: 2, pi: 1, ...changed });
    },
  );

  const OLDER = line("nas", 1);
  test.each([
    ["a 0.2.0 journal of no bytes", { [JOURNAL]: "" }, {}],
    ["both 0.2.0 journals of no bytes", { [JOURNAL]: "", [OLD_JOURNAL]: "" }, {}],
    ["a 0.2.0 journal that is older than the log", { [JOURNAL]: OLDER }, {}],
    ["an old 0.2.0 journal that is older than the log", { [OLD_JOURNAL]: OLDER }, {}],
    ["an old 0.2.0 journal left over, alone", { [OLD_JOURNAL]: line("pi", 5) }, { pi: 5 }],
    [
      "an old 0.2.0 journal left over, beside the next one",
      { [OLD_JOURNAL]: line("pi", 5) + line("nas", 3), [JOURNAL]: line("nas", 4) },
      { pi: 5, nas: 4 },
    ],
    [
      "a torn old 0.2.0 journal",
      { [OLD_JOURNAL]: line("pi", 5) + line("nas", 3).slice(0, 20), [JOURNAL]: line("nas", 4) },
      { pi: 5, nas: 4 },
    ],
    [
      "a 0.2.0 journal that ends in zero bytes",
      { [JOURNAL]: `${line("pi", 5)}\0\0\0\0` },
      { pi: 5 },
    ],
    ["a lock without content", { [`${LOG}.lock`]: "", [JOURNAL]: line("pi", 5) }, { pi: 5 }],
  ] as [string, Record<string, string>, Record<string, number>][])(
    "%s",
    async (_what, files, changed) => {
      await using setup = await newSetup();
      const after = await starts(setup, { [LOG]: GOOD, ...files });
      expect(after).toEqual({ nas: 2, pi: 1, ...changed });
    },
  );

  test("a journal and no log", async () => {
    await using setup = await newSetup();
    expect(await starts(setup, { [JOURNAL]: line("pi", 5) })).toEqual({ pi: 5 });
  });

  test("the lock of a server that was killed", async () => {
    await using setup = await newSetup();
    await writeFile(setup.logPath, GOOD);
    {
      await using killed = await serve([setup.config]);
      await killed.stop("SIGKILL");
    }
    expect(await readdir(setup.path)).toContain(`${LOG}.lock`);
    expect(await starts(setup, {})).toEqual({ nas: 2, pi: 1 });
  });
});

// Elsewhere than on Linux a file of 1 GB may take 1 GB of the disk.
describe.skipIf(process.platform !== "linux")(
  "what would take a server's memory, or hang it",
  () => {
    test("a log of 1 GB is refused without being read", async () => {
      await using setup = await newSetup();
      await makeSparse(setup.logPath, 2 ** 30);
      await expectRefusal(setup, "it has 1024 MB, more than a client log can have");
    });

    // Opening one would wait for a writer, for ever.
    test.each([...JOURNALS, JOURNAL, OLD_JOURNAL, `${LOG}.lock`])(
      "a FIFO is refused: %s",
      async (name) => {
        await using setup = await newSetup({ server: UNBINDABLE });
        await writeFile(setup.logPath, GOOD);
        makeFifo(setup.file(name));
        await expectRefusal(setup);
      },
    );
  },
);

function makeFifo(path: string): void {
  expect(Bun.spawnSync(["mkfifo", path]).success).toBe(true);
}

async function makeSparse(path: string, size: number): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.truncate(size);
  } finally {
    await file.close();
  }
}
