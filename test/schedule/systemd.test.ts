import { describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { systemdPing, systemdServe, UNIT_FOLDER } from "../../src/schedule/systemd.ts";
import type { Scheduler, State } from "../../src/schedule/scheduler.ts";
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
  const problemsOf = (kind: Scheduler, binary: string, clientLogPath?: string) =>
    kind.problems!({ binary, config: "/home/ann/dynip.toml" }, clientLogPath);
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
    const [problem] = problemsOf(systemdServe, BINARY, "/srv/dynip.json");
    expect(problem?.problem).toContain('"/srv/dynip.json"');
    expect(problemsOf(systemdPing, BINARY, "/srv/dynip.json")).toEqual([]);
    for (const path of ["dynip.json", "log/dynip.json", "/var/lib/dynip/dynip.json"]) {
      expect(problemsOf(systemdServe, BINARY, path)).toEqual([]);
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
