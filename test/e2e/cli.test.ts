/** The command line: help, version, and every mistake that it can see. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";

import { version } from "../../package.json";
import { EXIT, EXIT_MEANINGS } from "../../src/system/errors.ts";
import { temporaryFolder } from "../temporary.ts";
import { TEST_MS } from "../waiting.ts";
import { BINARY, dynip } from "./dynip.ts";

setDefaultTimeout(TEST_MS);

const COMMANDS = [[], ["init"], ["serve"], ["ping"]];

describe("on the root and on every subcommand", () => {
  test.each(COMMANDS.flatMap((command) => [[[...command, "-h"]], [[...command, "--help"]]]))(
    "%p shows how it is used, on stdout, without colours in a pipe",
    async (args) => {
      const { exitCode, stdout, stderr } = await dynip(args);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(stdout).toContain(`USAGE ${["dynip", ...args.slice(0, -1)].join(" ")} [OPTIONS]`);
      expect(stdout).toContain("-h, --help");
      expect(stdout).toContain("--version");
      expect(stdout).toContain("EXIT CODES");
      expect(stdout).not.toContain("\x1b");
      expect(stdout).not.toMatch(/ $/m);
    },
  );

  test.each(COMMANDS.map((command) => [[...command, "--version"]]))("%p", async (args) => {
    const { exitCode, stdout, stderr } = await dynip(args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const build = /^\((?:[0-9a-f]{7}(?:-dirty)?|unknown commit), [a-z0-9-]+\)\n$/;
    expect(stdout).toStartWith(`dynip ${version} (`);
    expect(stdout.slice(`dynip ${version} `.length)).toMatch(build);
  });
});

test("the help of the root lists every exit code", async () => {
  const { stdout } = await dynip(["--help"]);
  for (const name of Object.keys(EXIT) as (keyof typeof EXIT)[]) {
    expect(stdout).toContain(`${String(EXIT[name]).padStart(3)}  ${EXIT_MEANINGS[name]}\n`);
  }
});

test("the exit codes are DynIP 0.1e's, and five of our own", () => {
  expect(EXIT).toEqual({
    ok: 0,
    usage: 1,
    clientLog: 2,
    config: 3,
    serverHostname: 4,
    notSent: 5,
    noAcknowledgement: 6,
    unknown: 7,
    bind: 8,
    stale: 9,
    install: 10,
  });
});

test("help and version win over what else is asked for, and do nothing of it", async () => {
  await using folder = await temporaryFolder();
  const { exitCode } = await dynip(["init", "x.toml", "--help"], { cwd: folder.path });
  expect(exitCode).toBe(0);
  expect(await Bun.file(folder.file("x.toml")).exists()).toBe(false);
});

test("no command at all is wrong usage, and shows the usage", async () => {
  const { exitCode, stdout, stderr } = await dynip([]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  expect(stderr).toContain("USAGE dynip [OPTIONS] init|serve|ping");
});

describe("wrong usage is exit code 1 with its reason and a hint, and nothing else happens", () => {
  const seeHelp = (command: string) => `hint: ${command} --help shows how it is used\n`;
  test.each([
    [["pong"], 'error: Unknown command "pong"\nhint: the commands are init, serve, ping\n'],
    [
      ["constructor"],
      'error: Unknown command "constructor"\nhint: the commands are init, serve, ping\n',
    ],
    [
      ["__proto__"],
      'error: Unknown command "__proto__"\nhint: the commands are init, serve, ping\n',
    ],
    [["--"], "error: No command\nhint: the commands are init, serve, ping\n"],
    [["--bogus"], `error: Unknown option "--bogus"\n${seeHelp("dynip")}`],
    [["-v"], `error: Unknown option "-v"\n${seeHelp("dynip")}`],
    [["serve", "--bogus"], `error: Unknown option "--bogus"\n${seeHelp("dynip serve")}`],
    [["serve", "--bogus", "1"], `error: Unknown option "--bogus"\n${seeHelp("dynip serve")}`],
    [["ping", "--bogus=1"], `error: Unknown option "--bogus"\n${seeHelp("dynip ping")}`],
    [["ping", "--no-verbose"], `error: Unknown option "--no-verbose"\n${seeHelp("dynip ping")}`],
    [["ping", "--toString"], `error: Unknown option "--toString"\n${seeHelp("dynip ping")}`],
    [["ping", "--__proto__=1"], `error: Unknown option "--__proto__"\n${seeHelp("dynip ping")}`],
    [["serve", "--no-debug"], `error: Unknown option "--no-debug"\n${seeHelp("dynip serve")}`],
    [["ping", "--help", "--bogus"], `error: Unknown option "--bogus"\n${seeHelp("dynip ping")}`],
    [
      ["ping", "--timeout", "--debug"],
      `error: Option "--timeout" needs a value\n${seeHelp("dynip ping")}`,
    ],
    [["ping", "-x"], `error: Unknown option "-x"\n${seeHelp("dynip ping")}`],
    [["ping", "-vx"], `error: Unknown option "-x"\n${seeHelp("dynip ping")}`],
    [["ping", "--debug=yes"], `error: Option "--debug" takes no value\n${seeHelp("dynip ping")}`],
    [["ping", "a", "b"], `error: Unexpected argument "b"\n${seeHelp("dynip ping")}`],
    [["ping", "a", "--", "-b"], `error: Unexpected argument "-b"\n${seeHelp("dynip ping")}`],
    [["init", "--from"], `error: Option "--from" needs a value\n${seeHelp("dynip init")}`],
    [
      ["init", "--from", "--force"],
      `error: Option "--from" needs a value\n${seeHelp("dynip init")}`,
    ],
    [["init", "--from="], `error: Option "--from" needs a value\n${seeHelp("dynip init")}`],
    [
      ["serve", "\x1b[31m", "b\r\n"],
      `error: Unexpected argument "b\\u{d}\\u{a}"\n${seeHelp("dynip serve")}`,
    ],
  ])("%j", async (args, stderr) => {
    await using folder = await temporaryFolder();
    expect(await dynip(args, { cwd: folder.path })).toEqual({ exitCode: 1, stdout: "", stderr });
    expect([...new Bun.Glob("**").scanSync(folder.path)]).toEqual([]);
  });
});

describe("a configuration that cannot be read is exit code 3, for serve and for ping", () => {
  test.each(["serve", "ping"])("%s", async (command) => {
    await using folder = await temporaryFolder();
    const cwd = folder.path;
    const cases: [name: string, text: string, message: string][] = [
      ["key.toml", "[server]\nserver_prot = 1\n", 'unknown key "server_prot" in [server]'],
      ["type.toml", '[server]\nserver_port = "1"\n', 'server_port in [server] is "1", must be'],
      [
        "range.toml",
        "[client]\nserver_port = 70000\n",
        "server_port in [client] is 70000, must be",
      ],
      ["syntax.toml", "[server]\nserver_port = \n", "line 2, column "],
      ["old.conf", "[DynIP:Server]\nserver_ip = *\n", "it is a DynIP 0.1e configuration (INI)"],
    ];
    for (const [name, text, message] of cases) {
      await writeFile(folder.file(name), text);
      const { exitCode, stdout, stderr } = await dynip([command, name], { cwd });
      expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
      expect(stderr).toStartWith(`error: Cannot read config "${name}": ${message}`);
      expect(stderr).not.toContain("    at "); // no stack
    }
    await mkdir(folder.file("folder.toml"));
    expect((await dynip([command, "folder.toml"], { cwd })).exitCode).toBe(3);
    expect(await dynip([command, "gone.toml"], { cwd })).toEqual({
      exitCode: 3,
      stdout: "",
      stderr:
        'error: Cannot read config "gone.toml": there is no such file\n' +
        'hint: check the path; on the server, dynip init "gone.toml" writes a new one\n',
    });
  });
});

test("--debug shows where an error came from, and only --debug does", async () => {
  await using folder = await temporaryFolder();
  const args = ["init", folder.file("none/x.toml")];
  expect((await dynip(args)).stderr).not.toContain("debug:");
  expect((await dynip([...args, "--debug"])).stderr).toContain("debug: Error: ENOENT");
});

test.skipIf(process.platform === "win32")("output that nobody reads is no error", async () => {
  await using folder = await temporaryFolder();
  for (const args of ["--help", "serve --help", "--version", "init x.toml"]) {
    const command = `("$0" ${args}; echo "status $?" >&2) | true`;
    const shell = Bun.spawn(["/bin/sh", "-c", command, BINARY], {
      cwd: folder.path,
      stderr: "pipe",
      timeout: 10_000,
    });
    expect(await shell.stderr.text()).toBe("status 0\n");
  }
});
