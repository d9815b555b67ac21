import { describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { systemdPing, systemdServe, UNIT_FOLDER } from "../../src/schedule/systemd.ts";
import type { Needs, Scheduler, State } from "../../src/schedule/scheduler.ts";
import { HARD_NAMES } from "./hard-names.ts";
import { freePort, receiver, temporaryFolder } from "../temporary.ts";

const ANALYZE = process.platform === "linux" ? Bun.which("systemd-analyze") : null;
const WITHOUT_ANALYZE = ANALYZE ? "" : " (skipped: there is no systemd-analyze)";
const version = ANALYZE ? Bun.spawnSync([ANALYZE, "--version"]).stdout.toString() : "";
/** Since 250 it can judge a unit that is not installed. */
const IS_OFFLINE = Number(/^systemd (\d+)/.exec(version)?.[1] ?? 0) >= 250;

/** Installs all three units as a user would, but in another folder, with a program in it. */
async function install(folder: string, name: string, config: string): Promise<string[]> {
  const binary = join(folder, name);
  await writeFile(binary, "#!/bin/sh\n", { mode: 0o755 });
  await writeFile(join(folder, "dynip.service"), systemdServe.print({ binary, config }));
  const script = systemdPing.print({ binary, config }).replaceAll(UNIT_FOLDER, `'${folder}'`);
  const run = Bun.spawnSync(["/bin/sh"], {
    stdin: new TextEncoder().encode(script),
    timeout: 5000,
  });
  expect({ exitCode: run.exitCode, stderr: run.stderr.toString() }).toEqual({
    exitCode: 0,
    stderr: "",
  });
  return ["dynip.service", "dynip-ping.service", "dynip-ping.timer"].map((unit) =>
    join(folder, unit),
  );
}

function analyze(...args: string[]): { exitCode: number; output: string } {
  const run = Bun.spawnSync([ANALYZE!, ...args, "--no-pager"], { timeout: 20_000 });
  return { exitCode: run.exitCode, output: run.stdout.toString() + run.stderr.toString() };
}

/** What it says about our units. It also loads other units, which have faults of their own. */
function complaints(units: string[]): string[] {
  const { output } = analyze("verify", "--man=no", ...units);
  return output.split("\n").filter((line) => line.includes("dynip"));
}

describe.skipIf(process.platform === "win32")("the script of systemd-ping", () => {
  test("writes the service and the timer, and no other file", async () => {
    await using folder = await temporaryFolder();
    await install(folder.path, "dynip", "/home/ann/dynip.toml");
    expect((await readdir(folder.path)).sort()).toEqual([
      "dynip",
      "dynip-ping.service",
      "dynip-ping.timer",
      "dynip.service",
    ]);
    const service = await readFile(folder.file("dynip-ping.service"), "utf8");
    expect(service).toContain("\nLoadCredential=dynip.toml:/home/ann/dynip.toml\n");
    expect(await readFile(folder.file("dynip-ping.timer"), "utf8")).toContain("[Timer]\n");
  });

  test("fails where a file cannot be written", async () => {
    await using folder = await temporaryFolder();
    await mkdir(folder.file("dynip-ping.service"));
    await expect(install(folder.path, "dynip", "/home/ann/dynip.toml")).rejects.toThrow();
  });
});

describe.skipIf(!ANALYZE)(`systemd-analyze${WITHOUT_ANALYZE}`, () => {
  test.each(HARD_NAMES)(
    "finds nothing wrong with the units of a program and a configuration %j",
    async (name) => {
      await using folder = await temporaryFolder();
      // systemd refuses a quote or a backslash in a program's path, and `problems` says so.
      const binary = `binary ${name.replace(/["'\\]/g, "")}`;
      const units = await install(folder.path, binary, folder.file(name));
      expect(complaints(units)).toEqual([]);
    },
    20_000,
  );

  test("finds a unit that is wrong: a test of these tests", async () => {
    await using folder = await temporaryFolder();
    const [unit] = await install(folder.path, "dynip", "/home/ann/dynip.toml");
    await writeFile(unit!, (await readFile(unit!, "utf8")).replace("PrivateTmp", "PrivateTemp"));
    expect(complaints([unit!])).toEqual([expect.stringContaining("PrivateTemp")]);
  });

  test.skipIf(!IS_OFFLINE)("finds little that the services could do (systemd 250)", async () => {
    await using folder = await temporaryFolder();
    const units = await install(folder.path, "dynip", "/home/ann/dynip.toml");
    for (const unit of units.slice(0, 2)) {
      const { exitCode, output } = analyze("security", "--offline=true", "--threshold=25", unit);
      expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
    }
  });
});

describe("a problem is named", () => {
  const problemsOf = (kind: Scheduler, binary: string, needs: Needs = { files: {} }) =>
    kind.problems!({ binary, config: "/home/ann/dynip.toml", needs });
  const BINARY = "/usr/local/bin/dynip";

  describe.each([systemdServe, systemdPing])("$kind", (kind) => {
    test("a program in a home, which is hidden from the services", () => {
      for (const binary of ["/home/ann/dynip", "/root/dynip", "/tmp/dynip"]) {
        const [problem] = problemsOf(kind, binary);
        expect(problem?.problem).toStartWith(`the service cannot start "${binary}"`);
      }
      expect(problemsOf(kind, BINARY)).toEqual([]);
    });

    test("a program whose path systemd refuses", () => {
      for (const binary of ["/opt/Ann's", '/opt/"dynip"', "/opt/a\\b"]) {
        const [problem] = problemsOf(kind, binary);
        expect(problem?.problem).toBe(
          `systemd cannot start "${binary}": its path has a quote or a backslash`,
        );
      }
    });
  });

  test("a client log where the server cannot write; the ping has none", () => {
    const elsewhere = { files: { client_log_path: "/srv/dynip.json" } };
    expect(problemsOf(systemdServe, BINARY, elsewhere)).toEqual([
      {
        problem: 'the service cannot write client_log_path, "/srv/dynip.json"',
        hint: 'a relative one, such as "dynip.json", is kept in /var/lib/dynip',
      },
    ]);
    expect(problemsOf(systemdPing, BINARY, elsewhere)).toEqual([]);
    for (const path of ["dynip.json", "log/dynip.json", "/var/lib/dynip/dynip.json"]) {
      expect(problemsOf(systemdServe, BINARY, { files: { client_log_path: path } })).toEqual([]);
    }
  });

  test("a hosts file or a history elsewhere, where its user may not be able to write", () => {
    const files = {
      client_log_path: "dynip.json",
      hosts_path: "/etc/dynip-hosts.d/hosts",
      history_path: undefined,
    };
    expect(problemsOf(systemdServe, BINARY, { files })).toEqual([
      {
        problem:
          'hosts_path is "/etc/dynip-hosts.d/hosts": the service can write there if its user can',
        hint: '"useradd --system dynip" and "chown dynip /etc/dynip-hosts.d" let it; or keep a relative one, and copy it',
        isWarning: true,
      },
    ]);
  });

  test("a history in a home, which is hidden from the service, or in /", () => {
    for (const path of ["/home/ann/history.jsonl", "/history.jsonl"]) {
      expect(problemsOf(systemdServe, BINARY, { files: { history_path: path } })).toEqual([
        {
          problem: `the service cannot write history_path, "${path}"`,
          hint: 'a relative one, such as "history.jsonl", is kept in /var/lib/dynip',
        },
      ]);
    }
  });

  test("a command in a home, which is hidden from the service", () => {
    expect(problemsOf(systemdServe, BINARY, { files: {}, command: "/home/ann/on-dynip" })).toEqual([
      {
        problem:
          'the service cannot run command in [notify], "/home/ann/on-dynip": homes and temporary folders are hidden from it',
        hint: "put it into /usr/local/bin",
      },
    ]);
    for (const command of ["/usr/local/bin/on-dynip", "logger"]) {
      expect(problemsOf(systemdServe, BINARY, { files: {}, command })).toEqual([]);
    }
  });
});

test("a server_port below 1024 gets the capability that it needs, and no other does", () => {
  const start = { binary: "/usr/local/bin/dynip", config: "/home/ann/dynip.toml" };
  const capabilities = (port?: number) =>
    systemdServe.print({ ...start, port }).match(/^(?:Ambient\w+|CapabilityB\w+)=.*$/gm);
  expect(capabilities(53)).toEqual([
    "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
    "AmbientCapabilities=CAP_NET_BIND_SERVICE",
  ]);
  expect(capabilities(1024)).toEqual(["CapabilityBoundingSet=", "AmbientCapabilities="]);
  expect(capabilities()).toEqual(["CapabilityBoundingSet=", "AmbientCapabilities="]);
});

describe("the service allows what the configuration asks for, and no more", () => {
  const start = { binary: "/usr/local/bin/dynip", config: "/home/ann/dynip.toml", port: 28630 };
  const text = (needs?: Needs) => systemdServe.print({ ...start, needs }).split("\n");
  /** The settings that it has in place of others of a unit of which nothing is asked. */
  const difference = (needs: Partial<Needs>) => {
    const usual = text();
    return text({ files: {}, ...needs }).filter(
      (line) => !usual.includes(line) && !line.startsWith("#"),
    );
  };

  test.each<[string, Partial<Needs>, string[]]>([
    ["nothing", {}, []],
    [
      "files in the state folder",
      { files: { client_log_path: "a", hosts_path: "b", history_path: "/var/lib/dynip/h" } },
      [],
    ],
    [
      "files elsewhere",
      { files: { hosts_path: "/a/b", history_path: "/a/c" } },
      ["ReadWritePaths=-/a"],
    ],
    [
      "files in two folders",
      { files: { hosts_path: '/a "1%\\/b', history_path: "/c/d" } },
      ['ReadWritePaths="-/a \\"1%%\\\\" -/c'],
    ],
    [
      "files where it cannot write",
      { files: { client_log_path: "/srv/a", hosts_path: "/root/a", history_path: "/a" } },
      [],
    ],
    ["[http]", { httpPort: 28630 }, ["LimitNOFILE=65536"]],
    [
      "[http] on a low port",
      { httpPort: 80 },
      [
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "LimitNOFILE=65536",
      ],
    ],
    [
      "a command",
      { command: "/usr/local/bin/on-dynip" },
      ["RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK"],
    ],
    ["a URL", { posts: true }, ["RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK"]],
  ])("%s", (_, needs, expected) => expect(difference(needs)).toEqual(expected));

  test.skipIf(!ANALYZE)("in the words of systemd", async () => {
    await using folder = await temporaryFolder();
    const binary = folder.file("dynip");
    await writeFile(binary, "#!/bin/sh\n", { mode: 0o755 });
    const unit = folder.file("dynip.service");
    const files = Object.fromEntries(HARD_NAMES.map((name) => [name, `/srv/${name}/file`]));
    const needs = { files, httpPort: 80, command: "x", posts: true };
    const config = folder.file("dynip.toml");
    await writeFile(unit, systemdServe.print({ ...start, binary, config, needs }));
    expect(complaints([unit])).toEqual([]);
  });
});

describe("what systemctl show says of the service", () => {
  const { state } = systemdServe.service({ binary: "/dynip", config: "/dynip.toml" }).check;
  const PROPERTIES = {
    ActiveState: "active",
    SubState: "running",
    MainPID: "12",
    ExecMainStatus: "0",
    Result: "success",
    AssertResult: "yes",
  };
  test.each<[string, Partial<typeof PROPERTIES>, State]>([
    ["running", {}, { kind: "running", pid: 12 }],
    ["starting", { ActiveState: "activating", SubState: "start" }, { kind: "busy" }],
    ["stopping", { ActiveState: "deactivating" }, { kind: "busy" }],
    [
      "failed",
      { ActiveState: "failed", MainPID: "0", ExecMainStatus: "3", Result: "exit-code" },
      { kind: "ended", exitCode: 3 },
    ],
    [
      "to be started again",
      { ActiveState: "activating", SubState: "auto-restart", ExecMainStatus: "8" },
      { kind: "ended", exitCode: 8 },
    ],
    ["a ping that is over", { ActiveState: "inactive" }, { kind: "ended", exitCode: 0 }],
    [
      "a configuration that is gone",
      { ActiveState: "inactive", AssertResult: "no" },
      { kind: "ended", exitCode: undefined },
    ],
    [
      "killed",
      { ActiveState: "failed", Result: "timeout" },
      { kind: "ended", exitCode: undefined },
    ],
  ])("%s", (_, changes, expected) => {
    const lines = Object.entries({ ...PROPERTIES, ...changes }).map((pair) => pair.join("="));
    expect(state!.read(`${lines.join("\n")}\n`)).toEqual(expected);
  });
});

describe.skipIf(process.platform !== "linux")("whether a process listens (Linux)", () => {
  const { listens } = systemdServe.service({ binary: "/dynip", config: "/dynip.toml" }).check;
  const isListening = (pid: number, port: number) => {
    const { commands, read } = listens!(pid, port);
    return read(commands.map((command) => Bun.spawnSync([...command]).stdout.toString()));
  };

  test("it does, on its port alone, and another process does not", async () => {
    await using socket = await receiver();
    expect(isListening(process.pid, socket.port)).toBe(true);
    expect(isListening(process.pid, await freePort())).toBe(false);
    const other = Bun.spawn(["sleep", "5"]);
    try {
      expect(isListening(other.pid, socket.port)).toBe(false);
    } finally {
      other.kill();
      await other.exited;
    }
  });
});
