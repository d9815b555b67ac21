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
    expect(stdout).toContain(`& '${binary}' init --install ping '${config}'\n`);
    expect(stdout).toContain("schtasks /query /tn dynip /v /fo list ");
    return;
  }
  expect(stdout).toContain(`${binary} serve '${config}'`);
  const command = /^ {5}(.* ping .*)$/m.exec(stdout)![1]!;
  // No server listens, and the ping would wait for 39.5 s.
  const run = Bun.spawnSync(["/bin/sh", "-c", `${command} --timeout 0.1`], { cwd: "/" });
  expect(run.exitCode).toBe(6);
  // Only root needs no sudo.
  const sudo = process.getuid?.() === 0 ? "     " : "     sudo ";
  expect(stdout).toContain(`\n${sudo}${binary} init --install ping '${config}'\n`);
  const hasService = process.platform === "darwin" || existsSync("/run/systemd/system");
  const install = `\n${sudo}${binary} init --install serve '${config}'\n`;
  if (hasService) expect(stdout).toContain(install);
  else expect(stdout).not.toContain("--install serve");
});

test("it writes over a file only with --force", async () => {
  await using folder = await temporaryFolder();
  const path = folder.file("dynip.toml");
  await writeFile(path, "precious");
  expect(await dynip(["init", path])).toEqual({
    exitCode: 3,
    stdout: "",
    stderr: `error: Cannot write config "${path}": it exists already\nhint: --force overwrites it\n`,
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
      client: { server_hostname: "vps.example.com", server_port: 28632, family: "any" },
    });
    expect(await readFile(folder.file("old.conf"), "utf8")).toBe(OLD);
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
