/**
 * The compiled binary in odd surroundings: a hostile current folder, no HOME, a user without a name,
 * closed standard streams, a read-only file system, links.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, lstatSync, readdirSync } from "node:fs";
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";

import { type RunResult, startProcess } from "../processes.ts";
import { eventually, TEST_MS } from "../waiting.ts";
import { BINARY, dynip, HAS_SIGNALS, newSignedSetup, serve } from "./dynip.ts";
import { openPeer } from "./wire.ts";

setDefaultTimeout(TEST_MS);

const onUnix = test.skipIf(!HAS_SIGNALS);
const isLinux = process.platform === "linux";
const isLinuxRoot = isLinux && process.getuid!() === 0;

/** Starts any command in an environment that has only PATH. */
const start = (command: string[], cwd: string) =>
  startProcess(command, {
    cwd,
    env: { PATH: process.env["PATH"] },
    deadline: TEST_MS,
  });

const run = (command: string[], cwd: string): Promise<RunResult> => start(command, cwd).result();

/** The command with which a shell runs dynip after `prelude`, with `redirections`. */
const inShell = (prelude: string, redirections: string, ...args: string[]): string[] => [
  "sh",
  "-c",
  `${prelude}exec "$@" ${redirections}`,
  "sh",
  BINARY,
  ...args,
];

/** Pings until the server acknowledges; it may still be starting. */
async function expectServing(config: string): Promise<void> {
  const { exitCode, stderr } = await dynip(["ping", config]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
}

describe("a current folder that an attacker has prepared", () => {
  const OTHER = Buffer.alloc(32, 9).toString("base64url");
  const ENV = `DYNIP_SECRET=${OTHER}
DYNIP_KEY=${OTHER}
DYNIP_CONFIG=other.toml
BUN_OPTIONS="--preload ./preload.ts"
BUN_INSPECT_PRELOAD=./preload.ts
BUN_BE_BUN=1
NODE_OPTIONS="--require ./preload.ts"
FORCE_COLOR=1
`;

  /** A folder with every file that Bun reads by itself. */
  async function prepare(folder: string): Promise<string> {
    const marker = join(folder, "marker");
    const code = `require("node:fs").writeFileSync(${JSON.stringify(marker)}, process.argv.join());`;
    const preload = 'preload = ["./preload.ts"]\n';
    for (const [name, text] of [
      ["preload.ts", code],
      ["bunfig.toml", `${preload}[run]\n${preload}[test]\n${preload}`],
      [".env", ENV],
      [".env.local", ENV],
      [".env.production", ENV],
      ["package.json", '{"name":"dynip","main":"./preload.ts","type":"module"}'],
      ["tsconfig.json", '{"compilerOptions":{"paths":{"*":["./preload.ts"]}}}'],
    ] as const) {
      await writeFile(join(folder, name), text);
    }
    return marker;
  }

  test("with .env and bunfig.toml changes nothing for init, serve and ping", async () => {
    await using setup = await newSignedSetup();
    const cwd = setup.path;
    const marker = await prepare(cwd);
    // The files do affect a program that Bun itself runs.
    await run([process.execPath, join(import.meta.dir, "..", "..", "src", "cli.ts"), "-h"], cwd);
    expect(existsSync(marker)).toBe(true);
    await rm(marker);

    const init = await dynip(["init", "new.toml"], { cwd });
    expect(init).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await readFile(setup.file("new.toml"), "utf8")).not.toContain(OTHER);
    {
      await using server = await serve([], { cwd });
      expect(server.port).toBe(setup.port); // ./dynip.toml, and not DYNIP_CONFIG's
      expect(server.stderr()).not.toContain("\x1b");
      expect(await dynip(["ping"], { cwd })).toEqual({ exitCode: 0, stdout: "", stderr: "" });
      // The secret is the right one: server and client could both have read the other.
      await using peer = await openPeer(server.port);
      expect((await peer.exchange("pi")).type).toBe("A");
      if (HAS_SIGNALS) expect((await server.stop()).exitCode).toBe(0);
    }
    expect(existsSync(marker)).toBe(false);
  });
});

test("no HOME: init, serve and ping work", async () => {
  await using setup = await newSignedSetup();
  const homeless = {
    cwd: setup.path,
    env: { HOME: undefined, USERPROFILE: undefined, XDG_CONFIG_HOME: undefined, USER: undefined },
  };
  expect((await dynip(["init", "new.toml"], homeless)).exitCode).toBe(0);
  await using server = await serve([], homeless);
  expect(await dynip(["ping"], homeless)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  await server.said("new host nas at 127.0.0.1");
});

const UID = 54_321;
/** The command that runs dynip as a user that has no name in the system. */
const asUnknown = (...args: string[]): string[] => {
  return ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups", BINARY, ...args];
};
// Another user may not reach the binary if it was built in a home folder.
const canBeUnknown =
  isLinuxRoot &&
  Bun.which("setpriv") !== null &&
  (await run(asUnknown("--version"), "/")).exitCode === 0;

test.skipIf(!canBeUnknown)(
  "a user that the system does not know can run init, serve and ping (Linux, root)",
  async () => {
    await using setup = await newSignedSetup();
    for (const path of [setup.path, setup.config]) await chown(path, UID, UID);
    const init = await run(asUnknown("init", "new.toml"), setup.path);
    expect(init).toMatchObject({ exitCode: 0, stderr: "" });
    await using server = start(asUnknown("serve", setup.config), "/");
    await expectServing(setup.config);
    const ping = await run(asUnknown("ping", setup.config), "/"); // a folder that it cannot write to
    expect(ping).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect((await server.stop()).exitCode).toBe(0);
    expect(Object.keys(await setup.readLog())).toEqual(["nas"]);
    expect(lstatSync(setup.logPath).uid).toBe(UID);
  },
);

describe.skipIf(!HAS_SIGNALS)("with nothing to read from or to write to", () => {
  test.each([
    ["stdin closed", "<&-"],
    ["stdout closed", ">&-"],
    ["stderr closed", "2>&-"],
    ["all three closed", "<&- >&- 2>&-"],
    ...(isLinux
      ? [
          ["stdout full", ">/dev/full"],
          ["stderr full", "2>/dev/full"],
        ]
      : []),
  ])("%s: init, serve and ping do their work, and no message gets into a file", async (_, how) => {
    await using setup = await newSignedSetup();
    const config = await readFile(setup.config, "utf8");
    const init = await run(inShell("", how!, "init", "new.toml"), setup.path);
    expect(init.exitCode).toBe(0);
    expect(await readFile(setup.file("new.toml"), "utf8")).toContain("[server]");

    await using server = start(inShell("", how!, "serve", "--debug", setup.config), setup.path);
    await expectServing(setup.config);
    const ping = await run(inShell("", how!, "ping", "--debug", setup.config), setup.path);
    expect(ping.exitCode).toBe(0);
    // An error: its message is lost, its exit code is not.
    const failed = await run(inShell("", how!, "ping", "none.toml"), setup.path);
    expect(failed.exitCode).toBe(3);
    expect((await server.stop()).exitCode).toBe(0);

    expect(Object.keys(await setup.readLog())).toEqual(["nas"]);
    expect(await readFile(setup.config, "utf8")).toBe(config);
    expect((await readdir(setup.path)).sort()).toEqual(["dynip.json", "dynip.toml", "new.toml"]);
  });
});

/** Runs a command with every file system read-only; exits with 77 if that is impossible here. */
const onReadOnly = (...command: string[]): string[] => [
  "unshare",
  "--mount",
  "sh",
  "-c",
  `mount --make-rprivate / || exit 77
  for place in $(cut -d " " -f 5 /proc/self/mountinfo); do
    mount -o remount,bind,ro "$place" 2>/dev/null
  done
  touch . 2>/dev/null && exit 77
  touch /tmp 2>/dev/null && exit 77
  exec "$@"`,
  "sh",
  ...command,
];
const canMount =
  isLinuxRoot &&
  Bun.which("unshare") !== null &&
  (await run(onReadOnly("true"), "/tmp")).exitCode === 0;

describe("where nothing can be written", () => {
  test.skipIf(!canMount)("ping needs nothing written (Linux, root)", async () => {
    await using setup = await newSignedSetup();
    await using _server = await serve([setup.config]);
    const ping = await run(onReadOnly(BINARY, "ping", setup.config), setup.path);
    expect(ping).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  test.skipIf(!canMount)("serve says so, and init, too (Linux, root)", async () => {
    await using setup = await newSignedSetup();
    const served = await run(onReadOnly(BINARY, "serve", setup.config), setup.path);
    expect(served.exitCode).toBe(2);
    expect(served.stderr).toContain(
      `error: Cannot open client log "${setup.logPath}": the file system is read-only\nhint: `,
    );
    const init = await run(onReadOnly(BINARY, "init", "new.toml"), setup.path);
    expect(init).toMatchObject({ exitCode: 3, stdout: "" });
    expect(init.stderr).toContain("the file system is read-only");
    expect(await readdir(setup.path)).toEqual(["dynip.toml"]);
  });

  onUnix("ping runs in a folder that is read-only", async () => {
    await using setup = await newSignedSetup();
    await using _server = await serve([setup.config]);
    const cwd = setup.file("read-only");
    await mkdir(cwd);
    await writeFile(join(cwd, "dynip.toml"), await readFile(setup.config), { mode: 0o400 });
    await chmod(cwd, 0o555);
    expect(await dynip(["ping"], { cwd })).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect(await readdir(cwd)).toEqual(["dynip.toml"]); // root could write there
    await chmod(cwd, 0o755);
  });
});

/** Runs a command in a mount namespace, where the folder is a full disk with copies of the files. */
const onFullDisk = (folder: string, files: readonly string[], ...command: string[]): string[] => [
  "unshare",
  "--mount",
  "sh",
  "-c",
  `folder=$1 files=$2
  mount -t tmpfs -o size=64k dynip-test "$folder" || exit 77
  while [ "$files" -gt 0 ]; do cp "$3" "$folder" || exit 77; files=$((files - 1)); shift; done
  shift 2
  cat /dev/zero >"$folder/filler" 2>/dev/null
  "$@"
  status=$?
  ls "$folder" >&2
  exit $status`,
  "sh",
  folder,
  String(files.length),
  ...files,
  ...command,
];

test.skipIf(!canMount).each([["without a log"], ["with a log"]])(
  "on a full disk, %s, serve says that it is full, and leaves nothing (Linux, root)",
  async (what) => {
    await using setup = await newSignedSetup();
    const files = [setup.config];
    if (what === "with a log") {
      await writeFile(setup.logPath, "{}");
      files.push(setup.logPath);
    }
    await mkdir(setup.file("full"));
    const config = setup.file("full/dynip.toml");
    const command = onFullDisk(setup.file("full"), files, BINARY, "serve", config);
    const { exitCode, stderr } = await run(command, setup.path);
    expect(stderr).toBe(
      `error: Cannot open client log "${setup.file("full/dynip.json")}": no space left on the disk
hint: make room on the disk: the server could acknowledge nothing
${files.length > 1 ? "dynip.json\n" : ""}dynip.toml
filler
`,
    );
    expect(exitCode).toBe(2);
  },
);

describe("owner and permissions of the log", () => {
  /** The log's, after the server has written a new host into it. */
  async function afterNews(setup: Awaited<ReturnType<typeof newSignedSetup>>, name: string) {
    await using peer = await openPeer(setup.port);
    expect((await peer.exchange(name)).type).toBe("A");
    await eventually(`${name} in the log`, () => setup.isInLog(name));
    const { uid, gid, mode } = lstatSync(setup.logPath);
    return { uid, gid, mode: (mode & 0o777).toString(8) };
  }

  onUnix("stay when they are changed while the server runs", async () => {
    await using setup = await newSignedSetup();
    await using server = await serve([setup.config]);
    const { uid, gid } = await afterNews(setup, "pi");
    await chmod(setup.logPath, 0o644);
    expect(await afterNews(setup, "tv")).toEqual({ uid, gid, mode: "644" });
    await chmod(setup.logPath, 0o600);
    expect(await afterNews(setup, "nas")).toEqual({ uid, gid, mode: "600" });
    expect(server.stderr()).not.toContain("Cannot keep");
  });

  test.skipIf(!isLinuxRoot)("stay another user's and group's (Linux, root)", async () => {
    await using setup = await newSignedSetup();
    await using server = await serve([setup.config]);
    await afterNews(setup, "pi");
    await chown(setup.logPath, UID, UID + 1);
    await chmod(setup.logPath, 0o640);
    expect(await afterNews(setup, "tv")).toEqual({ uid: UID, gid: UID + 1, mode: "640" });
    expect(server.stderr()).not.toContain("Cannot keep");
  });

  test.skipIf(!canBeUnknown)(
    "that cannot be kept are told once, and the server goes on (Linux, root)",
    async () => {
      await using setup = await newSignedSetup();
      await writeFile(setup.logPath, "{}");
      await chmod(setup.logPath, 0o644);
      for (const path of [setup.path, setup.config]) await chown(path, UID, UID);
      await using server = start(asUnknown("serve", setup.config), "/");
      await expectServing(setup.config);
      for (const name of ["pi", "tv"]) {
        expect(await afterNews(setup, name)).toEqual({ uid: UID, gid: UID, mode: "604" });
      }
      expect((await server.stop()).stderr.match(/^.*Cannot keep.*\n.*$/gm)).toEqual([
        expect.stringMatching(
          /Z warning: Cannot keep the owner of client log ".*dynip.json": operation not permitted\n.*Z hint: /,
        ),
      ]);
    },
  );
});

describe.skipIf(!HAS_SIGNALS)("a symbolic link at client_log_path", () => {
  test("is followed, and stays a link", async () => {
    await using setup = await newSignedSetup();
    await mkdir(setup.file("data"));
    const real = setup.file("data/real.json");
    await writeFile(real, "{}\n", { mode: 0o640 });
    await chmod(real, 0o640);
    await symlink("data/real.json", setup.logPath);
    for (let start = 0; start < 2; start++) {
      await using server = await serve([setup.config]);
      await expectServing(setup.config);
      await server.stop();
    }
    expect(await readlink(setup.logPath)).toBe("data/real.json");
    expect(lstatSync(real).isFile()).toBe(true);
    expect(lstatSync(real).mode & 0o777).toBe(0o640);
    expect(Object.keys(await Bun.file(real).json())).toEqual(["nas"]);
    expect(await readdir(setup.file("data"))).toEqual(["real.json"]);
    expect((await readdir(setup.path)).sort()).toEqual(["data", "dynip.json", "dynip.toml"]);
  });

  test("to nothing is refused, and stays as it is", async () => {
    await using setup = await newSignedSetup();
    await symlink("gone.json", setup.logPath);
    const { exitCode, stderr } = await dynip(["serve", setup.config]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("it is a symbolic link to nothing\n");
    expect(await readlink(setup.logPath)).toBe("gone.json");
    expect((await readdir(setup.path)).sort()).toEqual(["dynip.json", "dynip.toml"]);
  });
});

onUnix("with umask 000 no file is ever readable by others", async () => {
  await using setup = await newSignedSetup({ server: "allow_plain = true" });
  const init = await run(inShell("umask 000; ", "", "init", "new.toml"), setup.path);
  expect(init.exitCode).toBe(0);
  expect(lstatSync(setup.file("new.toml")).mode & 0o777).toBe(0o600);

  await using server = start(inShell("umask 000; ", "", "serve", setup.config), setup.path);
  const modes = new Map<string, Set<string>>();
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      for (const name of readdirSync(setup.path)) {
        if (!name.startsWith("dynip.json")) continue;
        const mode = lstatSync(setup.file(name), { throwIfNoEntry: false })?.mode;
        if (mode === undefined) continue; // removed meanwhile
        if (!modes.has(name)) modes.set(name, new Set());
        modes.get(name)!.add((mode & 0o777).toString(8));
      }
      await Bun.sleep(0);
    }
  })();
  try {
    await expectServing(setup.config);
    await using peer = await openPeer(setup.port);
    // A long log, so that the temporary file exists long enough to be seen.
    for (let batch = 0; batch < 156; batch++) {
      const names = Array.from({ length: 64 }, (_, index) => `host-${batch}-${index}`);
      await Promise.all(names.map((name) => peer.send(name)));
      await peer.handled();
    }
    let pings = 0;
    await eventually("every file that the server makes", async () => {
      expect((await peer.exchange(`pi-${++pings}`)).type).toBe("A");
      return modes.size >= 5;
    });
  } finally {
    isOver = true;
    await watching;
  }
  expect(Object.fromEntries([...modes].map(([name, seen]) => [name, [...seen]]))).toEqual(
    Object.fromEntries(
      ["", ".journal.1", ".journal.2", ".lock", ".tmp"].map((end) => [`dynip.json${end}`, ["600"]]),
    ),
  );
  expect((await server.stop()).exitCode).toBe(0);
  expect(lstatSync(setup.logPath).mode & 0o777).toBe(0o600);
});
