/** `dynip init --print`: the binary prints what starts dynip, and what it prints works. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  realpath,
  stat,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";

import { SCHEDULERS } from "../../src/schedule/index.ts";
import { parseWithPython, PYTHON, WITHOUT_PYTHON } from "../python.ts";
import { temporaryFolder } from "../temporary.ts";
import { TEST_MS } from "../waiting.ts";
import { BINARY, dynip, HAS_SIGNALS, newSetup, newSignedSetup, serve } from "./dynip.ts";

setDefaultTimeout(TEST_MS);

const KIND_LIST = SCHEDULERS.map(({ kind }) => kind).join(", ");
const isWindows = process.platform === "win32";
const IS_ROOT = process.getuid?.() === 0;
const WITHOUT_ROOT = IS_ROOT ? "" : " (skipped: only root can give a file away)";
/** The id of a user that no system has. */
const NAMELESS = 2_000_000_001;

describe.each([...SCHEDULERS])("--print $kind", ({ kind, platforms }) => {
  test("names this binary and the configuration, and writes no file", async () => {
    await using setup = await newSetup();
    const { exitCode, stdout, stderr } = await dynip(["init", "--print", kind, setup.config]);
    expect(exitCode).toBe(0);
    // XML shows some characters of a path as numbers.
    const text = stdout.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
    expect(text).toContain(await realpath(BINARY));
    expect(text).toContain(setup.config);
    if (platforms.includes(process.platform)) expect(stderr).not.toContain("another system");
    else expect(stderr).toStartWith(`warning: ${kind} is for another system, and the paths are`);
    expect(await readdir(setup.path)).toEqual(["dynip.toml"]);
  });
});

test("a relative path becomes an absolute one", async () => {
  await using setup = await newSetup();
  const { stdout } = await dynip(["init", "--print", "cron", "dynip.toml"], { cwd: setup.path });
  expect(stdout).toContain(join(await realpath(setup.path), "dynip.toml"));
  expect(stdout).toEndWith("\n");
});

test("without a path it is the configuration that the other commands find", async () => {
  await using setup = await newSetup();
  const here = await dynip(["init", "--print", "cron"], { cwd: setup.path });
  expect(here.stdout).toContain(join(await realpath(setup.path), "dynip.toml"));
  const env = { DYNIP_CONFIG: setup.file("other.toml") };
  const other = await dynip(["init", "--print", "cron"], { cwd: setup.path, env });
  expect(other.stdout).toContain(setup.file("other.toml"));
});

test("a configuration that does not exist gets a warning, and is named", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("gone.toml");
  const { exitCode, stdout, stderr } = await dynip(["init", "--print", "cron", path]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain(path);
  expect(stderr).toContain(`warning: Cannot read config "${path}": there is no such file\n`);
  expect(await readdir(folder.path)).toEqual([]);
});

test
  .skipIf(process.platform !== "linux")
  .each([[["init", "--print", "cron", "/etc/dynip.toml"]], [["--help"]], [["--version"]]])(
  "a full disk behind stdout is an error of %p (Linux)",
  (args) => {
    const command = ["/bin/sh", "-c", '"$@" > /dev/full', "sh", BINARY, ...args];
    const { exitCode, stderr } = Bun.spawnSync(command, { timeout: 10_000 });
    expect(exitCode).toBe(3);
    expect(stderr.toString()).toContain(
      "error: Cannot write to stdout: no space left on the disk\n",
    );
  },
);

describe("wrong usage", () => {
  test("an unknown kind: the error lists the kinds", async () => {
    for (const kind of ["systemd", "constructor"]) {
      expect(await dynip(["init", "--print", kind])).toEqual({
        exitCode: 1,
        stdout: "",
        stderr: `error: Wrong usage: --print is "${kind}", must be one of ` + `${KIND_LIST}\n`,
      });
    }
  });

  test("the help lists them, too", async () => {
    const { stdout } = await dynip(["init", "--help"]);
    expect(stdout).toContain(KIND_LIST);
  });

  test.each([
    [["--force"]],
    [["--from", "dynip.toml"]],
    [["--name", "nas"]],
    [["--server", "vps.example.com"]],
  ])("together with %j", async (options) => {
    await using setup = await newSetup();
    const args = ["init", "--print", "cron", ...options];
    const { exitCode, stdout, stderr } = await dynip(args, { cwd: setup.path });
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toStartWith("error: Wrong usage: --print goes with no other option\n");
  });

  test("no configuration anywhere", async () => {
    await using folder = await temporaryFolder();
    const { exitCode, stdout, stderr } = await dynip(["init", "--print", "cron"], {
      cwd: folder.path,
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
    expect(stderr).toStartWith("error: Cannot find a configuration: no path given");
  });

  test.skipIf(isWindows)("a path with a control character", async () => {
    const { exitCode, stderr } = await dynip(["init", "--print", "cron", "/tmp/a\nb.toml"]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('"/tmp/a\\u{a}b.toml" has a control character\n');
  });
});

describe.skipIf(isWindows)("launchd runs dynip as the owner of the configuration", () => {
  const print = (config: string) => dynip(["init", "--print", "launchd-serve", config]);
  const userIn = (plist: string) =>
    /<key>UserName<\/key>\s*<string>(.*)<\/string>/.exec(plist)?.[1];
  const idOf = (...args: string[]) =>
    Bun.spawnSync(["id", ...args])
      .stdout.toString()
      .trim();

  test("who may be the user that prints it", async () => {
    await using setup = await newSetup();
    const { stdout } = await print(setup.config);
    expect(userIn(stdout)).toBe(idOf("-u") === "0" ? undefined : idOf("-un"));
  });

  test("who is root, though another user prints it", async () => {
    expect((await stat("/etc/passwd")).uid).toBe(0);
    expect(userIn((await print("/etc/passwd")).stdout)).toBeUndefined();
  });

  describe.skipIf(!IS_ROOT)(`who is not root, though root prints it${WITHOUT_ROOT}`, () => {
    test("by name", async () => {
      await using setup = await newSetup();
      await chown(setup.config, Number(idOf("-u", "daemon")), 0);
      const { exitCode, stdout } = await print(setup.config);
      expect({ exitCode, user: userIn(stdout) }).toEqual({ exitCode: 0, user: "daemon" });
    });

    test("and an owner without a name is an error", async () => {
      await using setup = await newSetup();
      await chown(setup.config, NAMELESS, 0);
      expect(await print(setup.config)).toEqual({
        exitCode: 3,
        stdout: "",
        stderr:
          `error: Cannot print launchd-serve: dynip would run as user ${NAMELESS}, whose name is not found\n` +
          `hint: chown "${setup.config}" to the user that dynip is to run as\n`,
      });
    });
  });
});

test("the server's unit allows what the configuration asks for", async () => {
  await using setup = await newSignedSetup({
    server: 'hosts_path = "/etc/dynip-hosts.d/hosts"\nhosts_domain = "dyn.example.com"\n[http]',
  });
  const args = ["init", "--print", "systemd-serve", setup.config];
  const { stdout, stderr } = await dynip(args);
  expect(stdout.match(/^(?:LimitNOFILE|ReadWritePaths)=.*$/gm)).toEqual([
    "LimitNOFILE=65536",
    "ReadWritePaths=-/etc/dynip-hosts.d",
  ]);
  expect(stderr).toContain(
    'warning: hosts_path is "/etc/dynip-hosts.d/hosts": the service can write there if its user can\n',
  );
});

test("a client log that the service cannot write gets a warning", async () => {
  await using setup = await newSetup({ server: 'client_log_path = "/srv/dynip.json"' });
  const args = ["init", "--print", "systemd-serve", setup.config];
  expect((await dynip(args)).stderr).toContain(
    'warning: the service cannot write client_log_path, "/srv/dynip.json"\n' +
      'hint: a relative one, such as "dynip.json", is kept in /var/lib/dynip\n',
  );
});

describe.skipIf(!HAS_SIGNALS)("the server of the unit, started as systemd starts it", () => {
  test("reads its read-only credential, and keeps its log in the state directory", async () => {
    await using setup = await newSetup({ client: 'client_name = "nas"' });
    const credentials = setup.file("credentials");
    const state = setup.file("state");
    await mkdir(credentials);
    await mkdir(state);
    const { stdout: unit } = await dynip(["init", "--print", "systemd-serve", setup.config]);
    const source = /^LoadCredential=dynip\.toml:(.*)$/m.exec(unit)![1]!;
    await writeFile(join(credentials, "dynip.toml"), await readFile(source), { mode: 0o400 });
    await chmod(credentials, 0o500);
    const env = { CREDENTIALS_DIRECTORY: credentials, STATE_DIRECTORY: state };
    // systemd replaces the one variable of the command.
    const [config] = /\$\{CREDENTIALS_DIRECTORY\}\S*$/m.exec(unit)!;
    const path = config.replace("${CREDENTIALS_DIRECTORY}", credentials);
    {
      await using server = await serve([path], { cwd: "/", env });
      expect(server.stderr()).toContain(`keeping "${join(state, "dynip.json")}", 0 hosts\n`);
      expect(await dynip(["ping", path], { cwd: "/", env })).toMatchObject({ exitCode: 0 });
      await server.said("new host nas");
      expect((await server.stop()).exitCode).toBe(0);
    }
    expect(await readdir(credentials)).toEqual(["dynip.toml"]);
    expect(await readdir(state)).toEqual(["dynip.json"]);
    expect(await Bun.file(join(state, "dynip.json")).json()).toHaveProperty("nas");
    await chmod(credentials, 0o700);
  });
});

describe.skipIf(!PYTHON)(`what other programs read${WITHOUT_PYTHON}`, () => {
  test.each(["launchd-serve", "launchd-ping"])("%s is a property list", async (kind) => {
    await using setup = await newSetup();
    const { stdout } = await dynip(["init", "--print", kind, setup.config]);
    const code = "import plistlib; value = plistlib.loads(sys.stdin.buffer.read())";
    expect(await parseWithPython(code, stdout)).toMatchObject({
      ProgramArguments: [await realpath(BINARY), kind.replace("launchd-", ""), setup.config],
    });
  });

  test("windows-task is XML", async () => {
    await using setup = await newSetup();
    const { stdout } = await dynip(["init", "--print", "windows-task", setup.config]);
    const code =
      "from xml.etree import ElementTree\n" +
      'exec = next(e for e in ElementTree.fromstring(sys.stdin.read()).iter() if e.tag.endswith("}Exec"))\n' +
      "value = [child.text for child in exec]";
    expect(await parseWithPython(code, stdout)).toEqual([
      await realpath(BINARY),
      `ping "${setup.config}"`,
    ]);
  });
});
