/**
 * `install.sh` installs a release that the test serves on loopback, and leaves nothing behind when it fails.
 * What this machine lacks is skipped; `bun run check:install` insists on all of it.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFile, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { TARGETS } from "../../.github/release/targets.ts";
import { version } from "../../package.json";
import { shellWord } from "../../src/schedule/quoting.ts";
import { BINARY, newSetup } from "../e2e/dynip.ts";
import { whyNoNamespace } from "../faults/namespace.ts";
import { runProcess, startProcess } from "../processes.ts";
import { temporaryFolder } from "../temporary.ts";
import { TEST_MS, WAIT_MS } from "../waiting.ts";
import { AS_USER, giveToUser, type Lab, newLab, type Run, SAID, TARGET } from "./install-lab.ts";

setDefaultTimeout(TEST_MS);

const SCRIPTS = join(import.meta.dir, "..", "..", ".github", "release");
const MUST_RUN = process.env["DYNIP_CHECK_INSTALL"] === "1";
const NEEDED = "sh dash busybox curl wget shasum openssl shellcheck setsid".split(" ");

/** A reason in a test's name for why it is skipped. */
const skipped = (why: string | undefined) => (why === undefined ? "" : ` (skipped: ${why})`);
const lacking = (...tools: string[]) => {
  const missing = tools.filter((tool) => Bun.which(tool) === null);
  return missing.length === 0 ? undefined : `there is no ${missing.join(", ")}`;
};

const noNamespace = whyNoNamespace();

test.skipIf(!MUST_RUN)("all programs that these tests need are here, and root's rights", () => {
  expect(lacking(...NEEDED)).toBeUndefined();
  expect(noNamespace).toBeUndefined();
});

/** Where an ordinary user may write to /usr/local/bin, the script would install there. */
const noUser = await whyNoUser();
const describeUser = describe.skipIf(noUser !== undefined);

async function whyNoUser(): Promise<string | undefined> {
  if (process.platform === "win32") return "install.sh is not for Windows";
  if (process.getuid!() === 0) return lacking("setpriv");
  const { exitCode } = await runProcess(["test", "-w", "/usr/local/bin"]);
  return exitCode === 0 ? "this user may write to /usr/local/bin" : undefined;
}

/** Runs the script to its end. */
async function install(lab: Lab, run: Run = {}) {
  await using process = await lab.start(run);
  return await process.result();
}

const shell = (lab: Lab, ...command: string[]) => [
  Bun.which(command[0]!)!,
  ...command.slice(1),
  join(lab.path, "install.sh"),
];

describeUser(`for an ordinary user${skipped(noUser)}`, () => {
  describe.each(["sh", "dash", "bash", "busybox sh"])("%s", (name) => {
    const command = name.split(" ");
    const why = lacking(command[0]!);
    test.skipIf(why !== undefined)(
      `installs into ~/.local/bin, and leaves nothing else${skipped(why)}`,
      async () => {
        await using lab = await newLab();
        const { exitCode, stdout, stderr } = await install(lab, { shell: shell(lab, ...command) });
        const program = join(lab.home, ".local/bin/dynip");
        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
        expect(stdout).toBe(`Downloading dynip ${version} for ${TARGET}
Installed ${SAID} as ${program}
${lab.home}/.local/bin is not in your PATH. To find dynip there, add this line to ~/.profile and log in again:
  export PATH="${lab.home}/.local/bin:$PATH"
Next, on the server that your machines report to:
  ${program} init   # writes dynip.toml, and says what to do there and on each machine
`);
        expect(await lab.inHome()).toEqual([".local", ".local/bin", ".local/bin/dynip"]);
        expect((await stat(program)).mode & 0o7777).toBe(0o755);
        expect((await runProcess([program])).stdout).toBe(`${SAID}\n`);
      },
    );
  });

  test("curl -fsSL …/install.sh | sh installs the real executable", async () => {
    await using lab = await newLab({ program: await readFile(BINARY) });
    const pipe = `curl -fsSL ${lab.base}/install.sh | ${Bun.which("sh")}`;
    const { exitCode, stderr } = await install(lab, { shell: [Bun.which("sh")!, "-c", pipe] });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const installed = await runProcess([join(lab.home, ".local/bin/dynip"), "--version"]);
    expect(installed).toEqual(await runProcess([BINARY, "--version"]));
    expect(lab.requests).toEqual(["install.sh", `dynip-${TARGET}.tar.gz`]);
  });

  describe.each([
    ["wget", ["curl"]],
    ["shasum", ["sha256sum", "openssl"]],
    ["openssl", ["sha256sum", "shasum"]],
  ])("%s", (tool, without) => {
    const why = lacking(tool);
    test.skipIf(why !== undefined)(
      `is used where the others are missing${skipped(why)}`,
      async () => {
        await using lab = await newLab();
        expect(await install(lab, { without })).toMatchObject({ exitCode: 0, stderr: "" });
        lab.files[`dynip-${TARGET}.tar.gz`] = Buffer.from("other bytes");
        const { exitCode, stderr } = await install(lab, { without });
        expect(exitCode).toBe(1);
        expect(stderr).toContain(
          new Bun.CryptoHasher("sha256").update("other bytes").digest("hex"),
        );
      },
    );
  });

  const noBusybox = process.platform === "linux" ? lacking("busybox") : "this is not Linux";
  test.skipIf(noBusybox !== undefined)(
    `busybox alone is enough, and musl's archive is taken where ldd names musl${skipped(noBusybox)}`,
    async () => {
      await using lab = await newLab({ targets: TARGETS });
      const ldd = 'echo "musl libc (x86_64)" >&2; exit 1';
      const sh = shell(lab, "busybox", "sh");
      const run = { shell: sh, hasBusybox: true, fakes: { ldd } };
      expect(await install(lab, run)).toMatchObject({ exitCode: 0, stderr: "" });
      expect(lab.requests).toEqual([`dynip-${TARGET.replace("-musl", "")}-musl.tar.gz`]);
    },
  );

  test.each([
    ["Linux", "x86_64", "linux-x64"],
    ["Linux", "aarch64", "linux-arm64"],
    ["Darwin", "x86_64", "darwin-x64"],
    ["Darwin", "arm64", "darwin-arm64"],
  ])("on %s %s it takes %s", async (system, processor, target) => {
    await using lab = await newLab({ targets: TARGETS });
    const uname = `case $1 in -s) echo ${system} ;; -m) echo ${processor} ;; esac`;
    const getconf = 'case $1 in LONG_BIT) echo 64 ;; *) echo "glibc 2.36" ;; esac';
    const { exitCode } = await install(lab, { fakes: { uname, getconf } });
    expect(exitCode).toBe(0);
    expect(lab.requests).toEqual([`dynip-${target}.tar.gz`]);
  });

  test("an older one is replaced while it runs, and goes on", async () => {
    await using lab = await newLab();
    await mkdir(join(lab.home, ".local/bin"), { recursive: true });
    const program = join(lab.home, ".local/bin/dynip");
    await copyFile(BINARY, program);
    for (const path of [".local", ".local/bin", ".local/bin/dynip"]) {
      await giveToUser(join(lab.home, path));
    }
    const { stdout: version } = await runProcess([program, "--version"]);
    await using setup = await newSetup();
    await using server = startProcess([program, "serve", setup.config]);
    await server.said("listening", WAIT_MS);

    const { exitCode, stdout } = await install(lab);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`Installed ${SAID} as ${program}\nIt replaces ${version}`);
    expect(stdout).toEndWith(`  sudo ${program} init --install serve   # or: ping\n`);
    expect((await runProcess([program])).stdout).toBe(`${SAID}\n`);
    expect(server.isRunning()).toBe(true);
    expect(await server.stop()).toMatchObject({ exitCode: 0 });
    expect(await lab.inHome()).toEqual([".local", ".local/bin", ".local/bin/dynip"]);
  });

  test("another dynip that is first in PATH is named", async () => {
    await using lab = await newLab();
    const bin = join(lab.home, ".local/bin");
    const shellLine = `PATH="$PATH:${bin}"; . ${shellWord(join(lab.path, "install.sh"))}`;
    const run = { shell: [Bun.which("sh")!, "-c", shellLine], fakes: { dynip: "echo other" } };
    const { exitCode, stdout } = await install(lab, run);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/\nYour PATH finds another dynip first: \S.*\/tools-\w+\/dynip\n/);
    const second = { ...run, fakes: {} };
    expect((await install(lab, second)).stdout).not.toContain("PATH");
  });
});

describeUser(`a failure is told, and leaves nothing behind${skipped(noUser)}`, () => {
  const uname = (system: string, processor: string) => ({
    uname: `case $1 in -s) echo ${system} ;; -m) echo ${processor} ;; esac`,
  });
  const archive = `dynip-${TARGET}.tar.gz`;
  const unchanged = () => {};
  const cases: [what: string, run: Run, said: string | RegExp, change: (lab: Lab) => unknown][] = [
    [
      "an unknown system",
      { fakes: uname("SunOS", "x86_64") },
      "for this system, SunOS\nhint: ",
      unchanged,
    ],
    [
      "an unknown processor",
      { fakes: uname("Linux", "riscv64") },
      "for this processor, riscv64\n",
      unchanged,
    ],
    [
      "a 32-bit system on a 64-bit kernel",
      { fakes: { ...uname("Linux", "aarch64"), getconf: "echo 32" } },
      "it is not released for 32-bit systems",
      unchanged,
    ],
    [
      "an unknown C library",
      { fakes: { ...uname("Linux", "x86_64"), getconf: "exit 1", ldd: "echo uClibc" } },
      "neither getconf nor ldd says whether this system has glibc or musl",
      unchanged,
    ],
    [
      "a target that the release lacks",
      { fakes: { ...uname("Darwin", TARGET.includes("arm64") ? "x86_64" : "arm64") } },
      "this release has nothing for darwin-",
      unchanged,
    ],
    ["no downloader", { without: ["curl", "wget"] }, "there is neither curl nor wget\n", unchanged],
    [
      "no tool for the sum",
      { without: ["sha256sum", "shasum", "openssl"] },
      "there is no sha256sum, shasum or openssl to check the download\n",
      unchanged,
    ],
    ["no tar", { without: ["tar"] }, "there is no tar\n", unchanged],
    ["no gzip", { without: ["gzip"] }, "there is no gzip\n", unchanged],
    ["no HOME", { env: { HOME: undefined } }, "HOME is not set\n", unchanged],
    [
      "a home that is not there",
      { env: { HOME: "/nowhere" } },
      "cannot be made: /nowhere/.local",
      unchanged,
    ],
    [
      "a release without the archive",
      {},
      /dynip-\S+ cannot be downloaded\n/,
      ({ files }) => delete files[archive],
    ],
    [
      "a release without the archive, with wget",
      { without: ["curl"] },
      /dynip-\S+ cannot be downloaded\n/,
      ({ files }) => delete files[archive],
    ],
    [
      "a server that breaks off",
      {},
      /cannot be downloaded\n|the SHA-256 sum of dynip-\S+ is/,
      ({ files }) => {
        files[archive] = () => new Response("x", { headers: { "Content-Length": "1000" } });
      },
    ],
    [
      "an archive that was changed",
      {},
      /the SHA-256 sum of dynip-\S+ is\n {2}[0-9a-f]{64}, must be\n {2}[0-9a-f]{64}\nhint: /,
      ({ files }) => {
        const bytes = files[archive] as Uint8Array;
        bytes[bytes.length >> 1]! ^= 1;
      },
    ],
    ["a tar that fails", { fakes: { tar: "exit 2" } }, "cannot be unpacked\n", unchanged],
    [
      "a rename that fails",
      { fakes: { mv: "exit 1" } },
      "/.local/bin/dynip cannot be written\n",
      unchanged,
    ],
  ];

  test.each(cases)("%s", async (_what, run, said, change) => {
    await using lab = await newLab();
    change(lab);
    const { exitCode, stderr } = await install(lab, run);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/(^|\n)error: Cannot install dynip: /);
    if (typeof said === "string") expect(stderr).toContain(said);
    else expect(stderr).toMatch(said);
    expect(await lab.inHome()).toEqual([]);
  });

  test("a program that does not start here", async () => {
    await using lab = await newLab({ program: "#!/bin/sh\necho no libstdc++ >&2\nexit 127\n" });
    const { exitCode, stderr } = await install(lab);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringMatching(
        /^error: Cannot install dynip: it does not start on this system:\nno libstdc\+\+\nhint: /,
      ),
    });
    expect(await lab.inHome()).toEqual([]);
  });

  test.each([
    ["another program", "#!/bin/sh\necho hello\n", "is another program, or a broken dynip\n"],
    ["a folder", undefined, "/.local/bin/dynip is a folder\n"],
  ])("%s in the program's place, which stays", async (_what, text, said) => {
    await using lab = await newLab();
    const program = join(lab.home, ".local/bin/dynip");
    await mkdir(text === undefined ? program : dirname(program), { recursive: true });
    if (text !== undefined) await writeFile(program, text, { mode: 0o755 });
    const { exitCode, stderr } = await install(lab);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${said}hint: remove it first\n`);
    expect(lab.requests).toEqual([]);
    if (text !== undefined) expect(await readFile(program, "utf8")).toBe(text);
  });

  const noGroup = lacking("setsid");
  test.skipIf(noGroup !== undefined).each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)(`%s during the download${skipped(noGroup)}`, async (signal, expected) => {
    await using lab = await newLab();
    const begun = Promise.withResolvers<void>();
    lab.files[archive] = () =>
      new Response(
        new ReadableStream({
          async pull(controller) {
            controller.enqueue(new Uint8Array(1024));
            begun.resolve();
            await new Promise(() => {}); // never ends
          },
        }),
      );
    const sh = [Bun.which("setsid")!, ...shell(lab, "sh")];
    await using run = await lab.start({ shell: sh });
    await begun.promise;
    expect(await lab.inHome()).not.toEqual([]);
    process.kill(-run.pid, signal); // the terminal sends it to the whole group
    expect((await run.result()).exitCode).toBe(expected);
    expect(await lab.inHome()).toEqual([]);
  });

  describe.each(["dash", "busybox sh", "bash"])("%s", (name) => {
    const command = name.split(" ");
    const why = lacking(command[0]!);
    test.skipIf(why !== undefined)(
      `a script that was cut off anywhere does nothing${skipped(why)}`,
      async () => {
        await using lab = await newLab();
        const whole = lab.script.trimEnd();
        const last = whole.lastIndexOf("\n") + 1;
        // Each line's end, and each byte of the last line until it is the name of the function.
        const cuts = [...whole.matchAll(/\n/g)].map(({ index }) => index);
        for (let cut = last; cut < last + "main".length; cut++) cuts.push(cut);
        const pipe = [...AS_USER, Bun.which(command[0]!)!, ...command.slice(1)];
        const env = { HOME: lab.home, PATH: "/usr/bin:/bin" };
        const run = (text: string) => runProcess(pipe, { input: text, env });
        for (const cut of cuts) await run(whole.slice(0, cut));
        expect(cuts.length).toBeGreaterThan(150);
        expect(lab.requests).toEqual([]);
        expect(await lab.inHome()).toEqual([]);
        expect(await run(whole)).toMatchObject({ exitCode: 0 });
        expect(lab.requests).toEqual([archive]);
      },
    );
  });
});

describe.skipIf(noNamespace !== undefined)(`for root${skipped(noNamespace)}`, () => {
  test("it is installed into /usr/local/bin, which is made if there is none", async () => {
    await using lab = await newLab();
    await using local = await temporaryFolder();
    const { exitCode, stdout, stderr } = await install(lab, { local: local.path });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain(`Installed ${SAID} as /usr/local/bin/dynip\n`);
    expect((await readdir(local.path, { recursive: true })).sort()).toEqual(["bin", "bin/dynip"]);
    const { mode, uid, gid } = await stat(local.file("bin/dynip"));
    expect([mode & 0o7777, uid, gid]).toEqual([0o755, 0, 0]);
  });

  test("a failure removes the folder that was made", async () => {
    await using lab = await newLab();
    await using local = await temporaryFolder();
    lab.files[`dynip-${TARGET}.tar.gz`] = Buffer.from("other bytes");
    expect((await install(lab, { local: local.path })).exitCode).toBe(1);
    expect(await readdir(local.path)).toEqual([]);
    expect(await lab.inHome()).toEqual([]);
  });

  const large = `${"#".repeat(79)}\n`.repeat(4000);

  test.each([
    ["a disk with too little space", {}, "has 256 KiB of space, and it needs "],
    ["a disk that gets full meanwhile", { fakes: { df: "exit 0" } }, " cannot be unpacked\n"],
  ])("%s is told, and nothing is left there", async (_what, run, said) => {
    await using lab = await newLab({ program: `#!/bin/sh\n${large}` });
    const { exitCode, stdout, stderr } = await install(lab, { ...run, disk: "256k" });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(said);
    expect(stdout.split("\n").filter((line) => line.startsWith(lab.home))).toEqual([]);
  });
});

const noShellcheck = lacking("shellcheck");
test
  .skipIf(noShellcheck !== undefined)
  .each(["install.sh", "debian/postinst", "debian/prerm", "debian/postrm"])(
  `shellcheck finds nothing in %s${skipped(noShellcheck)}`,
  async (script) => {
    const { exitCode, stdout } = await runProcess(["shellcheck", join(SCRIPTS, script)]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "" });
  },
);
