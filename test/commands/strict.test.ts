/** The check before citty: what it refuses, and that citty reads what passes as it is meant. */
import { describe, expect, test } from "bun:test";
import { parseArgs } from "node:util";

import { defineCommand, parseArgs as parseWithCitty, runCommand } from "citty";
import fc from "fast-check";

import { checkCommandLine } from "../../src/commands/strict.ts";

const ARGS = {
  config: { type: "positional", required: false },
  timeout: { type: "string" },
  verbose: { type: "boolean", alias: "v" },
  debug: { type: "boolean" },
} as const;

/** A root whose one subcommand remembers what it was run with. */
function program() {
  const runs: unknown[] = [];
  const ping = defineCommand({
    meta: { name: "ping", description: "" },
    args: ARGS,
    run: ({ args: { config, timeout, verbose, debug } }) =>
      void runs.push({ config, timeout, verbose, debug }),
  });
  const root = defineCommand({
    meta: { name: "dynip", description: "" },
    subCommands: { ping: () => Promise.resolve(ping) },
  });
  return { root, runs };
}

const LIST = "the commands are ping";
const SEE_ROOT = "dynip --help shows how it is used";
const SEE_PING = "dynip ping --help shows how it is used";

describe("it refuses", () => {
  test.each([
    // Subcommands
    [["pong"], 'Unknown command "pong"', LIST],
    [[""], 'Unknown command ""', LIST],
    [["Ping"], 'Unknown command "Ping"', LIST],
    [["ping "], 'Unknown command "ping "', LIST],
    [["constructor"], 'Unknown command "constructor"', LIST],
    [["__proto__"], 'Unknown command "__proto__"', LIST],
    [["toString"], 'Unknown command "toString"', LIST],
    [["hasOwnProperty", "ping"], 'Unknown command "hasOwnProperty"', LIST],
    // The root's options stand alone
    [["--"], "No command", LIST],
    [["--", "ping"], 'Unexpected argument "ping"', SEE_ROOT],
    [["-"], 'Unexpected argument "-"', SEE_ROOT],
    [["--debug", "ping"], 'Unknown option "--debug"', SEE_ROOT],
    [["--help", "ping"], 'Unexpected argument "ping"', SEE_ROOT],
    [["--version=1"], 'Option "--version" takes no value', SEE_ROOT],
    [["--no-version"], 'Unknown option "--no-version"', SEE_ROOT],
    // Unknown options
    [["ping", "--bogus"], 'Unknown option "--bogus"', SEE_PING],
    [["ping", "--bogus", "1"], 'Unknown option "--bogus"', SEE_PING],
    [["ping", "--bogus=1"], 'Unknown option "--bogus"', SEE_PING],
    [["ping", "--help", "--bogus"], 'Unknown option "--bogus"', SEE_PING],
    [["ping", "--verb"], 'Unknown option "--verb"', SEE_PING],
    [["ping", "--Verbose"], 'Unknown option "--Verbose"', SEE_PING],
    [["ping", "--v"], 'Unknown option "--v"', SEE_PING],
    [["ping", "--config", "x"], 'Unknown option "--config"', SEE_PING],
    [["ping", "-x"], 'Unknown option "-x"', SEE_PING],
    [["ping", "-vx"], 'Unknown option "-x"', SEE_PING],
    [["ping", "-debug"], 'Unknown option "-d"', SEE_PING],
    [["ping", "--no-debug"], 'Unknown option "--no-debug"', SEE_PING],
    [["ping", "--no-bogus"], 'Unknown option "--no-bogus"', SEE_PING],
    [["ping", "--no-"], 'Unknown option "--no-"', SEE_PING],
    [["ping", "--constructor"], 'Unknown option "--constructor"', SEE_PING],
    [["ping", "--__proto__"], 'Unknown option "--__proto__"', SEE_PING],
    [["ping", "--__proto__=1"], 'Unknown option "--__proto__"', SEE_PING],
    [["ping", "--toString", "x"], 'Unknown option "--toString"', SEE_PING],
    // Values for flags
    [["ping", "--debug=x"], 'Option "--debug" takes no value', SEE_PING],
    [["ping", "--debug=false"], 'Option "--debug" takes no value', SEE_PING],
    [["ping", "--debug="], 'Option "--debug" takes no value', SEE_PING],
    [["ping", "--help=x"], 'Option "--help" takes no value', SEE_PING],
    // Missing values
    [["ping", "--timeout"], 'Option "--timeout" needs a value', SEE_PING],
    [["ping", "--timeout="], 'Option "--timeout" needs a value', SEE_PING],
    [["ping", "--timeout", ""], 'Option "--timeout" needs a value', SEE_PING],
    [["ping", "--timeout", "--debug"], 'Option "--timeout" needs a value', SEE_PING],
    [["ping", "--timeout", "-v"], 'Option "--timeout" needs a value', SEE_PING],
    [["ping", "--timeout", "--", "1"], 'Option "--timeout" needs a value', SEE_PING],
    // Extra arguments
    [["ping", "a", "b"], 'Unexpected argument "b"', SEE_PING],
    [["ping", "ping", "ping"], 'Unexpected argument "ping"', SEE_PING],
    [["ping", "a", "--", "-b"], 'Unexpected argument "-b"', SEE_PING],
    [["ping", "a", "--debug", "b"], 'Unexpected argument "b"', SEE_PING],
  ])("%j", async (rawArgs, message, hint) => {
    const error = await checkCommandLine(program().root, rawArgs).then(
      () => undefined,
      (error) => error,
    );
    expect(error).toMatchObject({ name: "UserError", exitCode: 1, message, hint });
  });
});

describe("it accepts", () => {
  test.each([
    [["ping"], {}],
    [["ping", "a.toml"], { config: "a.toml" }],
    [["ping", "--timeout=5"], { timeout: "5" }],
    [["ping", "--timeout", "5", "a.toml"], { timeout: "5", config: "a.toml" }],
    [["ping", "a.toml", "--timeout=-5"], { timeout: "-5", config: "a.toml" }],
    [["ping", "--timeout=a=b"], { timeout: "a=b" }],
    [["ping", "--timeout=--no-debug"], { timeout: "--no-debug" }],
    [["ping", "--timeout", "1", "--timeout", "2"], { timeout: "2" }],
    [["ping", "-v", "--debug"], { verbose: true, debug: true }],
    [["ping", "-vv"], { verbose: true }],
    [["ping", "--", "--debug"], { config: "--debug" }],
    [["ping", "--debug", "--", "--no-debug"], { debug: true, config: "--no-debug" }],
    [["ping", "constructor"], { config: "constructor" }],
    [["ping", ""], { config: "" }],
  ])("%j, and citty runs it with %j", async (rawArgs, values) => {
    const { root, runs } = program();
    expect((await checkCommandLine(root, rawArgs)).request).toBeUndefined();
    await runCommand(root, { rawArgs });
    expect(runs).toEqual([values]);
  });
});

test.each([
  [["--help"], "help"],
  [["-h"], "help"],
  [["--version"], "version"],
  [["ping", "a.toml", "--help"], "help"],
  [["ping", "-vh"], "help"],
  [["ping", "--version", "--help"], "version"],
  [["ping", "--", "--help"], undefined],
  [["ping", "--timeout=--help"], undefined],
] as const)("%j asks for %p", async (rawArgs, request) => {
  const { root } = program();
  const line = await checkCommandLine(root, [...rawArgs]);
  expect(line.request).toBe(request);
  expect(line.command !== undefined).toBe(rawArgs[0] === "ping");
});

test("a strict parser accepts all that it accepts, and citty reads the same values", async () => {
  const word = fc.constantFrom(
    ..."a -v -vv -h -x -vx - -- --debug --debug=1 --no-debug --timeout --timeout=1 --bogus".split(
      " ",
    ),
    ...["", "--timeout=", "--timeout=-v", "--constructor", "__proto__", "--__proto__=1", "--no-"],
  );
  const options = {
    timeout: { type: "string" },
    verbose: { type: "boolean", short: "v" },
    debug: { type: "boolean" },
    help: { type: "boolean", short: "h" },
    version: { type: "boolean" },
  } as const;
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 5 }), async (args) => {
      try {
        await checkCommandLine(program().root, ["ping", ...args]);
      } catch {
        return;
      }
      accepted++;
      const strict = parseArgs({ args, options, allowPositionals: true });
      const { timeout, verbose, debug } = strict.values;
      const [config, ...more] = strict.positionals;
      const read = parseWithCitty<typeof ARGS>(args, ARGS);
      expect(more).toEqual([]);
      expect([read.config, read.timeout, read.verbose, read.debug]).toEqual([
        config,
        timeout,
        verbose,
        debug,
      ]);
    }),
    { numRuns: 3000 },
  );
  expect(accepted).toBeGreaterThan(100);
});
