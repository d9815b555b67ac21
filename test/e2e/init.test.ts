/** `dynip init`: the file that it writes, the next steps, and the settings of DynIP 0.1e. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import {
  lstat,
  mkdir,
  readdir,
  readFile,
  realpath,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";

import { temporaryFolder } from "../temporary.ts";
import { TEST_MS } from "../waiting.ts";
import { BINARY, dynip } from "./dynip.ts";

setDefaultTimeout(TEST_MS);

test("without a path it writes dynip.toml here, readable by its owner only", async () => {
  await using folder = await temporaryFolder();
  const { exitCode, stdout, stderr } = await dynip(["init"], { cwd: folder.path });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(await readdir(folder.path)).toEqual(["dynip.toml"]);
  if (process.platform !== "win32") {
    expect((await stat(folder.file("dynip.toml"))).mode & 0o777).toBe(0o600);
  }
  const path = join(await realpath(folder.path), "dynip.toml");
  const readers = process.platform === "win32" ? "" : ", which only you can read";
  expect(stdout).toStartWith(`Wrote ${path}${readers}.\n`);
});

test("what it says to do next can be done: absolute paths of this binary and of the file", async () => {
  await using folder = await temporaryFolder();
  const { stdout } = await dynip(["init", "my config.toml"], { cwd: folder.path });
  const config = join(await realpath(folder.path), "my config.toml");
  const binary = await realpath(BINARY);
  if (process.platform === "win32") {
    expect(stdout).toContain(`& '${binary}' serve '${config}'\n`);
    expect(stdout).toContain(`& '${binary}' init --name NAME --from '${config}' --server HOST\n`);
    return;
  }
  expect(stdout).toContain(`${binary} serve '${config}'`);
  const command = /^ {5}(.* init --name .*)$/m.exec(stdout)![1]!;
  const filledIn = command.replace("NAME", "nas").replace("HOST", "192.0.2.1");
  const run = Bun.spawnSync(["/bin/sh", "-c", filledIn], { cwd: folder.path });
  expect(run.exitCode).toBe(0);
  expect((await readdir(folder.path)).sort()).toEqual(["my config.toml", "nas.toml"]);
  // Only root needs no sudo.
  const sudo = process.getuid?.() === 0 ? "     " : "     sudo ";
  const hasService = process.platform === "darwin" || existsSync("/run/systemd/system");
  const install = `\n${sudo}${binary} init --install serve '${config}'\n`;
  if (hasService) expect(stdout).toContain(install);
  else expect(stdout).not.toContain("--install serve");
});

test("it says to keep a copy of the secret", async () => {
  await using folder = await temporaryFolder();
  const { stdout } = await dynip(["init"], { cwd: folder.path });
  const path = join(await realpath(folder.path), "dynip.toml");
  expect(stdout).toContain(`\nKeep a copy of ${path} in a safe place: without its secret, `);
});

describe("--name writes the file of one client", () => {
  /** A folder with a new server's dynip.toml. */
  async function newServer(changes: readonly (readonly [string, string])[] = []) {
    const folder = await temporaryFolder();
    const init = (args: string[], env = {}) => dynip(["init", ...args], { cwd: folder.path, env });
    expect((await init([])).exitCode).toBe(0);
    let text = await readFile(folder.file("dynip.toml"), "utf8");
    for (const change of changes) text = text.replace(...change);
    await writeFile(folder.file("dynip.toml"), text);
    const client = async (name: string) =>
      (Bun.TOML.parse(await readFile(folder.file(name), "utf8")) as { client: object }).client;
    return { ...folder, init, client };
  }
  const PUBLIC = ['server_hostname = "localhost"', 'server_hostname = "vps.example.com"'] as const;

  test("NAME.toml here, from the configuration that is found, for the server that it names", async () => {
    await using server = await newServer([PUBLIC]);
    const { exitCode, stdout, stderr } = await server.init(["--name", "nas"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toStartWith(`Wrote ${join(await realpath(server.path), "nas.toml")}`);
    expect(await server.client("nas.toml")).toEqual({
      client_name: "nas",
      key: expect.stringMatching(/^[\w-]{43}$/),
      server_hostname: "vps.example.com",
      server_port: 28630,
      family: "any",
    });
  });

  test("from the configuration that DYNIP_CONFIG names", async () => {
    await using server = await newServer([PUBLIC]);
    await using other = await temporaryFolder();
    const { exitCode } = await dynip(["init", "--name", "nas"], {
      cwd: other.path,
      env: { DYNIP_CONFIG: server.file("dynip.toml") },
    });
    expect(exitCode).toBe(0);
    expect(await readdir(other.path)).toEqual(["nas.toml"]);
  });

  test("in lower case, as ping sends it", async () => {
    await using server = await newServer([PUBLIC]);
    expect((await server.init(["--name", "DESKTOP-AB12CD"])).exitCode).toBe(0);
    expect(await server.client("desktop-ab12cd.toml")).toMatchObject({
      client_name: "desktop-ab12cd",
    });
  });

  test("and to the path that is given", async () => {
    await using server = await newServer([PUBLIC]);
    expect((await server.init(["pi.toml", "--name", "nas"])).exitCode).toBe(0);
    expect((await readdir(server.path)).sort()).toEqual(["dynip.toml", "pi.toml"]);
  });

  test("but a name that cannot be signed gets one that can", async () => {
    await using server = await newServer([PUBLIC]);
    const { exitCode, stderr } = await server.init(["--name", "Kris's MacBook"]);
    expect(exitCode).toBe(1);
    expect(stderr).toStartWith(
      'error: Wrong usage: --name is "Kris\'s MacBook", must be 1 to 128 ',
    );
    expect(stderr).toEndWith('\nhint: call it "kris-macbook"\n');
  });

  test.each(["localhost", "127.0.0.1", "::1", ""])(
    "--server must be given where the server calls itself %j",
    async (hostname) => {
      await using server = await newServer([[PUBLIC[0], `server_hostname = "${hostname}"`]]);
      const { exitCode, stderr } = await server.init(["--name", "nas"]);
      expect(exitCode).toBe(1);
      expect(stderr).toStartWith("error: Wrong usage: --server is missing\n");
      expect((await server.init(["--name", "nas", "--server", "vps.example.com"])).exitCode).toBe(
        0,
      );
      expect(await server.client("nas.toml")).toMatchObject({ server_hostname: "vps.example.com" });
    },
  );

  test("but not over the server's own", async () => {
    await using server = await newServer([PUBLIC]);
    const before = await readFile(server.file("dynip.toml"), "utf8");
    for (const args of [
      ["--name", "dynip"],
      ["dynip.toml", "--name", "nas"],
    ]) {
      const { exitCode, stderr } = await server.init([...args, "--force"]);
      expect(exitCode).toBe(3);
      expect(stderr).toContain("dynip.toml\": it is the server's configuration\n");
    }
    expect(await readFile(server.file("dynip.toml"), "utf8")).toBe(before);
  });

  test.each(["https://vps.example.com", "vps.example.com:28630", "my server"])(
    "--server is no host: %s",
    async (host) => {
      await using server = await newServer([PUBLIC]);
      expect(await server.init(["--name", "nas", "--server", host])).toEqual({
        exitCode: 1,
        stdout: "",
        stderr: `error: Wrong usage: --server is "${host}", must be a host name or an IP address, without a port\n`,
      });
      expect(await readdir(server.path)).toEqual(["dynip.toml"]);
    },
  );

  test("without a configuration it says that the server has it", async () => {
    await using folder = await temporaryFolder();
    const { exitCode, stderr } = await dynip(["init", "--name", "nas"], { cwd: folder.path });
    expect(exitCode).toBe(3);
    expect(stderr).toContain(
      "hint: on the server, dynip init writes one, and dynip init --name NAME one ",
    );
    expect(await readdir(folder.path)).toEqual([]);
  });

  test("what to do next is for every system, with a line that fetches the file", async () => {
    await using server = await newServer([PUBLIC]);
    const env = { USER: "ann", SUDO_USER: undefined };
    const { stdout } = await server.init(["--name", "nas"], env);
    const isWindows = process.platform === "win32"; // which has no sshd to fetch it from
    expect(stdout).toContain(
      isWindows ? "\nNext, copy the file to nas as dynip.toml, and there, " : "\nNext, on nas, ",
    );
    expect(stdout).toContain("\nIn a terminal of Linux or macOS:\n");
    expect(stdout).toContain("\nIn Windows PowerShell, ");
    if (isWindows) return;
    const path = join(await realpath(server.path), "nas.toml");
    expect(stdout).toContain(`     scp 'ann@vps.example.com:${path}' dynip.toml\n`);
    expect(stdout).not.toContain("chown");
  });

  test.skipIf(process.getuid?.() !== 0)(
    "through sudo it says how the user may read it, which only root can try",
    async () => {
      await using server = await newServer([PUBLIC]);
      const env = { USER: "root", SUDO_USER: "ann" };
      const { stdout } = await server.init(["--name", "nas"], env);
      expect(stdout).toContain("     sudo chown ann '");
      expect(stdout).toContain("     scp 'ann@vps.example.com:");
    },
  );

  test("where a key was revoked it says that the server needs a restart", async () => {
    await using server = await newServer([PUBLIC, ["# laptop = 2", "laptop = 2"]]);
    expect((await server.init(["--name", "laptop"])).stdout).toContain(
      "once it is restarted with laptop = 2 in [server.generations].\n",
    );
    expect((await server.init(["--name", "nas"])).stdout).not.toContain("restarted");
  });
});

test("it writes over a file only with --force", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("dynip.toml");
  await writeFile(path, "precious");
  expect(await dynip(["init", path])).toEqual({
    exitCode: 3,
    stdout: "",
    stderr: `error: Cannot write config "${path}": it exists already\nhint: --force overwrites it, and its secret is lost: every machine then needs a new file\n`,
  });
  expect(await readFile(path, "utf8")).toBe("precious");
  expect((await dynip(["init", "--force", path])).exitCode).toBe(0);
  expect(await readFile(path, "utf8")).toContain("[server]");
  expect(await readdir(folder.path)).toEqual(["dynip.toml"]);
});

test("a folder that does not exist is exit code 3", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("none/dynip.toml");
  expect(await dynip(["init", path])).toEqual({
    exitCode: 3,
    stdout: "",
    stderr: `error: Cannot write config "${path}": no such file or folder\nhint: make the folder first\n`,
  });
});

describe("--from takes over the settings of a DynIP 0.1e configuration", () => {
  const OLD = `# DynIP
[DynIP:Server]
server_ip = 127.0.0.1
server_port = 28631
client_log_path = log/clients.json
[DynIP:Client]
server_hostname = vps.example.com
server_port = 28632
`;

  test("with its values", async () => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file("old.conf"), OLD);
    const args = ["init", "--from", "old.conf", "new.toml"];
    const { exitCode, stderr } = await dynip(args, { cwd: folder.path });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const text = await readFile(folder.file("new.toml"), "utf8");
    expect(Bun.TOML.parse(text)).toEqual({
      secret: expect.stringMatching(/^[\w-]{43}$/),
      server: {
        server_ip: "127.0.0.1",
        server_port: 28631,
        client_log_path: "log/clients.json",
        max_clients: 10_000,
        allow_plain: true, // for the old clients
        generations: {},
      },
      notify: { silent_after: {} },
      client: { server_hostname: "vps.example.com", server_port: 28632, family: "any" },
    });
    expect(await readFile(folder.file("old.conf"), "utf8")).toBe(OLD);
  });

  test("and says what to do where the machine is no server, since dynip-init 0.1e wrote both sections", async () => {
    await using folder = await temporaryFolder();
    const said = async (text: string) => {
      await writeFile(folder.file("old.conf"), text);
      const args = ["init", "--from", "old.conf", "new.toml", "--force"];
      return (await dynip(args, { cwd: folder.path })).stdout;
    };
    const advice =
      'If this machine is no server, delete [DynIP:Server] from "old.conf" and do this again, with\n' +
      "--force: it makes a client's configuration, without a secret.\n";
    expect(await said(OLD)).toContain(advice);
    expect(await said(OLD.replace("vps.example.com", "localhost"))).not.toContain("no server");
  });

  test("an empty server_ip is every interface", async () => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file("old.conf"), OLD.replace("server_ip = 127.0.0.1", "server_ip ="));
    const args = ["init", "--from", "old.conf", "new.toml"];
    const { exitCode, stderr } = await dynip(args, { cwd: folder.path });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(await readFile(folder.file("new.toml"), "utf8")).toContain('\nserver_ip = "*"\n');
  });

  test("of a client alone into a client's, without a secret, and says how to get its key", async () => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file("old.conf"), OLD.slice(OLD.indexOf("[DynIP:Client]")));
    const args = ["init", "--from", "old.conf", "new.toml"];
    const { exitCode, stdout, stderr } = await dynip(args, { cwd: folder.path });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(Bun.TOML.parse(await readFile(folder.file("new.toml"), "utf8"))).toEqual({
      client: { server_hostname: "vps.example.com", server_port: 28632, family: "any" },
    });
    expect(stdout).toMatch(/^ {5}dynip init --name \S+ --server vps\.example\.com$/m);
    expect(stdout).not.toContain("allow_plain = false");
    expect(stdout).toContain(" ping ");
    expect(stdout).not.toContain(" serve ");
  });

  test("as the hint for an old file says", async () => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file("old.conf"), OLD);
    const { stderr } = await dynip(["ping", "old.conf"], { cwd: folder.path });
    expect(stderr).toContain('hint: dynip init --from "old.conf" dynip.toml ');
    const args = ["init", "--from", "old.conf", "dynip.toml"];
    expect((await dynip(args, { cwd: folder.path })).exitCode).toBe(0);
  });

  test("and says where the log belongs, because a relative path starts at another folder now", async () => {
    await using folder = await temporaryFolder();
    await mkdir(folder.file("new"));
    await writeFile(folder.file("old.conf"), OLD);
    const args = ["init", "--from", "old.conf", "new/dynip.toml"];
    const { stdout } = await dynip(args, { cwd: folder.path });
    const log = join(await realpath(folder.path), "new", "log", "clients.json");
    expect(stdout).toContain(
      `The client log will be ${log};\nmove DynIP 0.1e's log there to keep its hosts.`,
    );
  });

  test("but not over the file it reads", async () => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file("old.conf"), OLD);
    const args = ["init", "--from", "old.conf", "./old.conf", "--force"];
    const { exitCode, stderr } = await dynip(args, { cwd: folder.path });
    expect(exitCode).toBe(3);
    expect(stderr).toContain('old.conf": it is the file that --from reads\n');
    expect(await readFile(folder.file("old.conf"), "utf8")).toBe(OLD);
  });

  test.each([
    ["[DynIP:Server]\nserver_prot = 1\n", "line 2: not a setting of DynIP 0.1e"],
    ["[DynIP:Server]\nserver_port = 70000\n", "server_port in [server] is 70000, must be"],
    ["[DynIP:Server]\nserver_port = abc\n", 'server_port in [server] is "abc", must be'],
  ])("but writes nothing from %j", async (text, problem) => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file("old.conf"), text);
    const args = ["init", "--from", "old.conf", "new.toml"];
    const { exitCode, stderr } = await dynip(args, { cwd: folder.path });
    expect(exitCode).toBe(3);
    expect(stderr).toContain(problem);
    expect(await readdir(folder.path)).toEqual(["old.conf"]);
  });

  test("nor from a missing file or a folder", async () => {
    await using folder = await temporaryFolder();
    await mkdir(folder.file("old"));
    for (const from of ["gone.conf", "old"]) {
      const result = await dynip(["init", "--from", from, "new.toml"], { cwd: folder.path });
      expect(result.exitCode).toBe(3);
      expect(result.stderr).toStartWith(`error: Cannot read DynIP 0.1e configuration "${from}": `);
    }
    expect(await readdir(folder.path)).toEqual(["old"]);
  });
});

describe.skipIf(process.platform === "win32")("--force replaces files only", () => {
  test("a symbolic link is followed", async () => {
    await using folder = await temporaryFolder();
    await writeFile(folder.file("real.toml"), "old");
    await symlink("real.toml", folder.file("link.toml"));
    expect((await dynip(["init", "--force", folder.file("link.toml")])).exitCode).toBe(0);
    expect(await readFile(folder.file("real.toml"), "utf8")).toContain("[server]");
    expect((await lstat(folder.file("link.toml"))).isSymbolicLink()).toBe(true);
  });

  test("a named pipe stays one", async () => {
    await using folder = await temporaryFolder();
    expect(Bun.spawnSync(["mkfifo", folder.file("pipe")]).exitCode).toBe(0);
    const { exitCode, stderr } = await dynip(["init", "--force", folder.file("pipe")]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain("it is not a regular file");
    expect((await lstat(folder.file("pipe"))).isFIFO()).toBe(true);
  });
});

test.skipIf(process.platform === "win32")(
  "a path that no crontab could name is refused",
  async () => {
    await using folder = await temporaryFolder();
    const { exitCode, stdout, stderr } = await dynip(["init", folder.file("a\nb.toml")]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
    expect(stderr).toContain('a\\u{a}b.toml": its path has a control character\n');
    expect(await readdir(folder.path)).toEqual([]);
  },
);
