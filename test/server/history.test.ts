/** The history with a disk and a clock that the test controls. */
import { describe, expect, test } from "bun:test";

import type { Change, Host } from "../../src/host.ts";
import { History, type Move, moveOf } from "../../src/server/history.ts";
import { recordedLog } from "../recorded-log.ts";
import { eventually } from "../waiting.ts";
import { HostMap } from "../world.ts";

const NOON = Date.parse("2026-11-20T12:00:00Z");
const HOME = "203.0.113.7";
const AWAY = "198.51.100.9";

const at = (address: string, since = NOON): Host => ({
  [address.includes(":") ? "ipv6" : "ipv4"]: { address, since, lastSeen: since },
  counter: 1,
});

function change(name: string, before: Host | undefined, now: Host, time = NOON): Change {
  const how = now.counter === undefined ? "plain" : "proven";
  return { name, family: now.ipv4 ? "ipv4" : "ipv6", before, now, time, how };
}

/** A history on a disk that keeps its text, and can refuse or be slow. */
async function newHistory(text = "", known: Readonly<Record<string, Host>> = {}) {
  const log = recordedLog();
  const clock = { now: 0 };
  const disk = { text, error: undefined as Error | undefined, appends: 0 };
  const pauses: { milliseconds: number; end: () => void }[] = [];
  let isHeld = false;
  let held = Promise.withResolvers<void>();
  const history = new History({
    path: "/srv/history.jsonl",
    file: {
      async append(lines) {
        disk.appends++;
        if (isHeld) await held.promise;
        if (disk.error) throw disk.error;
        disk.text += lines;
      },
      lastLines: async (maxBytes) => disk.text.slice(-maxBytes).split("\n"),
    },
    hosts: new HostMap(Object.entries(known)),
    log,
    reasonOf: (error) => (error as Error).message,
    monotonic: () => clock.now,
    sleep: (milliseconds, signal) =>
      new Promise<void>((resolve) => {
        pauses.push({ milliseconds, end: resolve });
        signal.addEventListener("abort", () => resolve());
      }),
  });
  await history.read();
  history.begin();
  return {
    history,
    log,
    clock,
    disk,
    pauses,
    lines: () => disk.text.split("\n").slice(0, -1),
    hold(): void {
      isHeld = true;
    },
    release(): void {
      isHeld = false;
      held.resolve();
      held = Promise.withResolvers();
    },
  };
}

describe("a move", () => {
  const home = at(HOME);
  test.each<[string, Change, Partial<Move> | undefined]>([
    ["a new host", change("nas", undefined, home), { address: HOME }],
    ["another address", change("nas", home, at(AWAY)), { address: AWAY, previous: HOME }],
    ["another family", change("nas", home, at("2001:db8::7")), { address: "2001:db8::7" }],
    ["the same address", change("nas", home, { ...home, counter: 2 }), undefined],
    ["the first signature", change("nas", { ipv4: home.ipv4! }, home), undefined],
  ])("is: %s", (_, one, expected) => {
    const { name, family, time, how } = one;
    expect(moveOf(one)).toEqual(expected && ({ name, family, time, how, ...expected } as Move));
  });
});

test("a line is appended for each move, before the promise resolves", async () => {
  const it = await newHistory();
  await it.history.append(change("nas", undefined, at(HOME)));
  await it.history.append(change("nas", at(HOME), at(HOME)));
  await it.history.append(change("nas", at(HOME), at(AWAY), NOON + 1));
  const { counter: _, ...plain } = at("2001:db8::1");
  await it.history.append(change('"x"', undefined, plain));
  expect(it.disk.text)
    .toBe(`{"time":"2026-11-20T12:00:00.000Z","name":"nas","family":"ipv4","address":"203.0.113.7","how":"proven"}
{"time":"2026-11-20T12:00:00.001Z","name":"nas","family":"ipv4","address":"198.51.100.9","previous":"203.0.113.7","how":"proven"}
{"time":"2026-11-20T12:00:00.000Z","name":"\\"x\\"","family":"ipv6","address":"2001:db8::1","how":"plain"}
`);
  await it.history.close();
});

test("on a slow disk lines are gathered, and no promise overtakes a line before it", async () => {
  const it = await newHistory();
  it.hold();
  const resolved: string[] = [];
  const append = (what: string, one: Change) =>
    it.history.append(one)!.then(() => resolved.push(`${what} at ${it.lines().length}`));
  const all = [append("first", change("nas", undefined, at(HOME)))];
  await eventually("an append", () => it.disk.appends === 1);
  all.push(append("second", change("pi", undefined, at(HOME))));
  all.push(append("third", change("tv", undefined, at(HOME))));
  const plain: Host = { ipv4: at(HOME).ipv4! };
  all.push(append("signed", change("nas", plain, at(HOME))));
  expect(it.history.append(change("nas", at(HOME), at(HOME)))).toBeUndefined();
  await Bun.sleep(5);
  expect(resolved).toEqual([]);
  it.release();
  await Promise.all(all);
  expect(resolved).toEqual(["first at 1", "second at 3", "third at 3", "signed at 3"]);
  expect(it.disk.appends).toBe(2);
  await it.history.close();
});

test("a disk that refuses is said once; each move tries it, and so does a growing pause", async () => {
  const it = await newHistory();
  it.disk.error = new Error("no space is left");
  await it.history.append(change("nas", undefined, at(HOME)));
  await it.history.append(change("pi", undefined, at(HOME)));
  expect(it.disk.appends).toBe(2);
  it.pauses[0]!.end();
  await eventually("a second pause", () => it.pauses.length === 2);
  expect(it.pauses.map(({ milliseconds }) => milliseconds)).toEqual([500, 2000]);
  it.disk.error = undefined;
  it.pauses[1]!.end();
  await eventually("two lines", () => it.lines().length === 2);
  expect(it.lines().map((line) => JSON.parse(line).name)).toEqual(["nas", "pi"]);
  expect(it.log.lines).toEqual([
    'error: Cannot write history "/srv/history.jsonl": no space is left',
    "hint: it is tried again until it works, at least once a minute",
    'warn: history "/srv/history.jsonl" is written again',
  ]);
  await it.history.close();
});

test("what the disk refused is tried once more when the server stops", async () => {
  const it = await newHistory();
  it.disk.error = new Error("no space is left");
  await it.history.append(change("nas", undefined, at(HOME)));
  it.disk.error = undefined;
  await it.history.close();
  expect(it.lines()).toHaveLength(1);
});

test("a name has at most fifty lines a day, and all names together 250 kB", async () => {
  const it = await newHistory();
  const flap = async (name: string, times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      void it.history.append(change(name, at(HOME), at(`192.0.2.${i % 256}`)));
    }
    await it.history.append(change(name, at(HOME), at(HOME)));
  };
  await flap("nas", 60);
  expect(it.lines()).toHaveLength(50);
  expect(it.log.lines).toEqual(["warn: no more lines about nas in the history today: too many"]);
  for (let host = 0; host < 100; host++) await flap(`h${host}`, 50);
  expect(it.disk.text.length).toBeWithin(249_900, 250_200);
  expect(it.log.lines.at(-1)).toBe(
    "warn: no more lines in the history today about signed hosts: too many",
  );
  it.clock.now = 86_400_000;
  await flap("nas", 1);
  expect(JSON.parse(it.lines().at(-1)!).name).toBe("nas");
  await it.history.close();
});

describe("the last moves", () => {
  const LINE = (minute: number, name = "nas", address = HOME) =>
    `{"time":"2026-11-20T11:${String(minute).padStart(2, "0")}:00.000Z","name":"${name}","family":"ipv4","address":"${address}","how":"proven"}`;

  test("are read from the file and kept up to date: five of each host", async () => {
    const text = `${[1, 2, 3, 4, 5, 6].map((minute) => LINE(minute)).join("\n")}\n${LINE(7, "pi")}\n`;
    const it = await newHistory(text);
    const minutes = (name: string) =>
      it.history.lastMoves(name).map(({ time }) => new Date(time).getUTCMinutes());
    expect(minutes("nas")).toEqual([2, 3, 4, 5, 6]);
    expect(minutes("pi")).toEqual([7]);
    expect(minutes("tv")).toEqual([]);
    await it.history.append(change("nas", at(HOME), at(AWAY)));
    expect(minutes("nas")).toEqual([3, 4, 5, 6, 0]);
    expect(it.history.lastMoves("nas").at(-1)).toEqual({
      time: NOON,
      name: "nas",
      family: "ipv4",
      address: AWAY,
      previous: HOME,
      how: "proven",
    });
    await it.history.close();
  });

  test("are read past what is no line: a torn one, another program's", async () => {
    const torn = LINE(2).slice(0, 50);
    const others = ["null", "[]", "{}", LINE(3).replace("proven", "guessed"), "text", "\u0000"];
    const text = [LINE(1), torn, LINE(2), ...others, LINE(4), torn].join("\n");
    const it = await newHistory(text);
    expect(it.history.lastMoves("nas")).toHaveLength(3);
    await it.history.close();
  });

  test("are forgotten of the host that moved longest ago when there are ten thousand", async () => {
    const it = await newHistory();
    for (let host = 0; host <= 10_000; host++) {
      void it.history.append(change(`h${host}`, undefined, at(HOME)));
    }
    expect(it.history.lastMoves("h0")).toEqual([]);
    expect(it.history.lastMoves("h1")).toHaveLength(1);
    expect(it.history.lastMoves("h10000")).toHaveLength(1);
    await it.history.close();
  });
});

describe("what a crash kept from the file is appended at the next start", () => {
  const FIRST = `{"time":"2026-11-20T12:00:00.000Z","name":"nas","family":"ipv4","address":"${HOME}","how":"proven"}\n`;

  test("a move that the client log has, and a new host, in the order of their times", async () => {
    const it = await newHistory(FIRST, {
      pi: at("2001:db8::1", NOON + 60_000),
      nas: at(AWAY, NOON + 30_000),
    });
    await it.history.close();
    expect(it.disk.text)
      .toBe(`${FIRST}{"time":"2026-11-20T12:00:30.000Z","name":"nas","family":"ipv4","address":"${AWAY}","previous":"${HOME}","how":"proven"}
{"time":"2026-11-20T12:01:00.000Z","name":"pi","family":"ipv6","address":"2001:db8::1","how":"proven"}
`);
  });

  test("a host that went away and came back", async () => {
    const it = await newHistory(FIRST, { nas: at(HOME, NOON + 1000) });
    await it.history.close();
    expect(it.disk.text).toBe(
      `${FIRST}{"time":"2026-11-20T12:00:01.000Z","name":"nas","family":"ipv4","address":"${HOME}","how":"proven"}\n`,
    );
  });

  test("and nothing that is in it, or older than its last line, or where there is no line", async () => {
    for (const [text, host] of [
      [FIRST, at(HOME)],
      [FIRST, at(AWAY, NOON - 60_001)],
      ["", at(AWAY, NOON + 1)],
      ["no line\n", at(AWAY, NOON + 1)],
    ] as const) {
      const it = await newHistory(text, { nas: host });
      await it.history.close();
      expect(it.disk.text).toBe(text);
    }
  });

  test("a host that was new in the same millisecond as the last line", async () => {
    const it = await newHistory(FIRST, { nas: at(HOME), pi: at(HOME) });
    await it.history.close();
    expect(it.lines().map((line) => JSON.parse(line).name)).toEqual(["nas", "pi"]);
  });
});

test("a file that cannot be read is said, and the server goes on", async () => {
  const log = recordedLog();
  const history = new History({
    path: "/srv/history.jsonl",
    file: {
      append: async () => {},
      lastLines: () => Promise.reject(new Error("it is a symbolic link")),
    },
    hosts: new HostMap(),
    log,
    reasonOf: (error) => (error as Error).message,
    monotonic: () => 0,
    sleep: async () => {},
  });
  await history.read();
  history.begin();
  await history.close();
  expect(log.lines).toEqual([
    'error: Cannot read history "/srv/history.jsonl": it is a symbolic link',
  ]);
});

test("a line with an address that is none is passed over: the page would show it as it is", async () => {
  const good = { time: "2026-11-20T12:00:00.000Z", name: "nas", family: "ipv4", how: "proven" };
  const lines = [
    { ...good, address: "<img src=x>" },
    { ...good, address: HOME, previous: "<b>192.0.2.1</b>" },
    { ...good, address: "192.0.2.01" },
    { ...good, address: HOME, previous: AWAY },
  ].map((line) => JSON.stringify(line));
  const it = await newHistory(`${lines.join("\n")}\n`);
  const moves = it.history.lastMoves("nas").map(({ address, previous }) => [address, previous]);
  expect(moves).toEqual([[HOME, AWAY]]);
  await it.history.close();
});
