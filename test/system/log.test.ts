import { expect, test } from "bun:test";

import { createLog, type LogOptions, printable } from "../../src/system/log.ts";

function logTo(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = createLog({
    level: "debug",
    journald: false,
    write: (text) => lines.push(text),
    ...options,
  });
  return { lines, log };
}

test("a message is a line with its level, its hint the next", () => {
  const { lines, log } = logTo();
  log.error("Cannot x", "do y");
  log.warn("careful");
  log.log("hello");
  log.info("detail");
  log.debug("more");
  expect(lines).toEqual([
    "error: Cannot x\n",
    "hint: do y\n",
    "warning: careful\n",
    "hello\n",
    "detail\n",
    "debug: more\n",
  ]);
});

test.each([
  ["warn", ["error", "warn"]],
  ["log", ["error", "warn", "log"]],
  ["info", ["error", "warn", "log", "info"]],
  ["debug", ["error", "warn", "log", "info", "debug"]],
] as const)("at level %s it shows %p", (level, shown) => {
  const { lines, log } = logTo({ level });
  for (const method of ["error", "warn", "log", "info", "debug"] as const) log[method](method);
  expect(lines.map((line) => line.trim().split(" ").at(-1)!)).toEqual([...shown]);
});

test("the same message again and again is shown each time, at once", () => {
  const { lines, log } = logTo();
  for (let i = 0; i < 20; i++) log.log("again");
  expect(lines).toHaveLength(20);
});

test("a daemon's lines begin with the time, UTC", () => {
  const { lines, log } = logTo({ timestamps: true });
  log.warn("careful", "do y");
  for (const line of lines)
    expect(line).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (warning: careful|hint: do y)\n$/,
    );
});

test("the journal gets priorities, and keeps the time itself", () => {
  const { lines, log } = logTo({ timestamps: true, journald: true });
  log.error("a", "b");
  log.warn("c");
  log.log("d");
  log.info("e");
  log.debug("f");
  expect(lines).toEqual([
    "<3>error: a\n",
    "<3>hint: b\n",
    "<4>warning: c\n",
    "<6>d\n",
    "<6>e\n",
    "<7>debug: f\n",
  ]);
});

test("JOURNAL_STREAM counts only when it names this very stderr", () => {
  const before = process.env["JOURNAL_STREAM"];
  process.env["JOURNAL_STREAM"] = "1:1";
  try {
    const lines: string[] = [];
    createLog({ level: "log", write: (text) => lines.push(text) }).log("x");
    expect(lines).toEqual(["x\n"]);
  } finally {
    if (before === undefined) delete process.env["JOURNAL_STREAM"];
    else process.env["JOURNAL_STREAM"] = before;
  }
});

test("no secret that a message quotes is shown, in lines or not", () => {
  const { lines, log } = logTo();
  const key = "q3Z-mVt8XwLb4Rk_1uYcE9hJpD7sGfNa2oTiH5xWzQk";
  log.error(`Cannot read config "${key}"`, `dynip init "${key.slice(0, 20)}\n${key.slice(20)}"`);
  expect(lines).toEqual([
    'error: Cannot read config "(a secret)"\n',
    'hint: dynip init "(a secret)"\n',
  ]);
});

test("no control character that a message quotes reaches the terminal", () => {
  const { lines, log } = logTo();
  log.log("\x1b[31mred\r\n\tx\u202e\u2028\u009b\ud800y", "\x07bell");
  expect(lines).toEqual([
    "\\u{1b}[31mred\\u{d}\\u{a}\\u{9}x\\u{202e}\\u{2028}\\u{9b}\\u{d800}y\n",
    "hint: \\u{7}bell\n",
  ]);
});

test("printable leaves what people write alone", () => {
  const text = 'C:\\Users\\Ann "A" büro 家 🏠 ~!@#$%^&*()';
  expect(printable(text)).toBe(text);
});
