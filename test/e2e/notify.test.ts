/** `[notify]` from end to end: the compiled server runs real commands and posts to a real receiver. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import {
  appendFile,
  chmod,
  link as hardLink,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";

import { eventually, TEST_MS, within } from "../waiting.ts";
import { dynip, HAS_SIGNALS, newSetup, newSignedSetup, serve, type Server } from "./dynip.ts";
import { openPeer, SECRET } from "./wire.ts";

setDefaultTimeout(TEST_MS);

/** Hosts that move need the addresses of 127.0.0.0/8, and a look at processes needs /proc. */
const onLinux = describe.skipIf(process.platform !== "linux");

interface Body {
  title: string;
  message: string;
  text: string;
  content: string;
  events: Record<string, string>[];
}

/** A setup with a secret whose server is told these lines of `[notify]`. */
const newNotified = (notify: string, server = "") =>
  newSignedSetup({ server, client: `client_name = "nas"\n[notify]\n${notify}` });

/** Has a host report from an address of loopback; resolves when that is acknowledged. */
async function report(server: Server, name: string, address = "127.0.0.1"): Promise<void> {
  await using peer = await openPeer(server.port, address);
  const { type } = await peer.ask({ name });
  if (type === "C") await peer.exchange(name);
}

/** A receiver of POSTs, which answers as it is told. */
function receiver(
  answer: (count: number) => Response | Promise<Response> = () => new Response("ok"),
) {
  const requests: { body: Body; headers: Headers; at: number }[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 60,
    async fetch(request) {
      const body = (await request.json()) as Body;
      requests.push({ body, headers: request.headers, at: performance.now() });
      return await answer(requests.length);
    },
  });
  return {
    requests,
    url: `http://127.0.0.1:${server.port}/hook`,
    /** Waits for the next so many requests in all. */
    async got(count: number): Promise<void> {
      await eventually(`${count} requests`, () => requests.length >= count);
    },
    messages: () => requests.map(({ body }) => body.message),
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  };
}

/** Writes a shell script and returns its path as TOML writes it. */
async function script(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return JSON.stringify(path);
}

/** A script that appends a line of what it was told to `told`, and the lines in it. */
const TELL =
  'echo "$DYNIP_EVENT|$DYNIP_NAME|$DYNIP_NAMES|$DYNIP_MESSAGE" >> "$(dirname "$0")/told"';

async function told(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, "told"), "utf8").catch(() => "");
  return text.split("\n").filter(Boolean);
}

/** The processes of this machine whose command line has this text. */
async function processesWith(text: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (line.includes(text)) found.push(pid);
  }
  return found;
}

onLinux("a URL", () => {
  test("gets what chats, Gotify and ntfy read, and the events, as NOTICES.md shows them", async () => {
    await using hook = receiver();
    await using setup = await newNotified(`url = "${hook.url}"`);
    await using server = await serve([setup.config]);
    await report(server, "nas");
    await hook.got(1);
    await report(server, "nas", "127.0.0.2");
    await hook.got(2);
    await report(server, "nas", "127.0.0.2");
    const [first, second] = hook.requests;
    expect(first!.headers.get("user-agent")).toMatch(/^dynip\/\d+\.\d+\.\d+/);
    expect(first!.headers.get("content-type")).toBe("application/json");
    expect(first!.body).toMatchObject({ title: "dynip: new host nas" });
    const message = "nas moved from 127.0.0.1 to 127.0.0.2";
    expect(second!.body).toEqual({
      title: "dynip: nas moved",
      message,
      text: message,
      content: message,
      events: [
        {
          event: "moved",
          name: "nas",
          family: "ipv4",
          address: "127.0.0.2",
          previous: "127.0.0.1",
          how: "proven",
          time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        },
      ],
    });
    await server.stop();
    expect(hook.requests).toHaveLength(2);
    expect((await readdir(setup.path)).sort()).toEqual(["dynip.json", "dynip.toml"]);
    const notices = await readFile(
      join(import.meta.dir, "..", "..", ".github", "NOTICES.md"),
      "utf8",
    );
    const shown = JSON.parse(/```json\n(\{\s+"title"[^]*?)```/.exec(notices)![1]!) as Body;
    expect(Object.keys(second!.body)).toEqual(Object.keys(shown));
    expect(Object.keys(second!.body.events[0]!)).toEqual(Object.keys(shown.events[0]!));
  });

  test("that hangs: the rest waits together, pings are acknowledged, and a stop is prompt", async () => {
    await using hook = receiver((count) =>
      count === 1 ? new Promise<Response>(() => {}) : new Response("ok"),
    );
    await using setup = await newNotified(`url = "${hook.url}"`);
    await using server = await serve([setup.config]);
    await report(server, "nas");
    await hook.got(1);
    for (let last = 2; last < 20; last++) await report(server, "nas", `127.0.0.${last}`);
    const start = performance.now();
    const { stderr, exitCode } = await server.stop();
    expect(exitCode).toBe(0);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(stderr).toContain(
      `warning: not told by POST to ${new URL(hook.url).host}: nas moved from 127.0.0.18 to 127.0.0.19\n`,
    );
    expect(hook.requests).toHaveLength(1);
  });

  test("that redirects is not followed", async () => {
    await using other = receiver();
    await using hook = receiver(() => Response.redirect(other.url, 307));
    await using setup = await newNotified(`url = "${hook.url}"`);
    await using server = await serve([setup.config]);
    await report(server, "nas");
    await server.said("307 Temporary Redirect, a redirect\n");
    expect(other.requests).toEqual([]);
  });

  test("that refuses the connection holds up nothing", async () => {
    await using setup = await newNotified('url = "http://127.0.0.1:9/secret-topic"');
    await using server = await serve([setup.config]);
    await report(server, "nas");
    await server.said("Cannot tell by POST to 127.0.0.1:9: it cannot be reached\n");
    await report(server, "nas", "127.0.0.2");
    const { exitCode, stderr } = await server.stop();
    expect(exitCode).toBe(0);
    expect(stderr).not.toContain("secret-topic");
  });

  test("that floods its answer is told once, and the flood is not read", async () => {
    let sent = 0;
    await using hook = receiver(
      () =>
        new Response(
          new ReadableStream({
            async pull(controller) {
              sent += 65_536;
              controller.enqueue(new Uint8Array(65_536).fill(120));
              await Bun.sleep(0);
            },
          }),
        ),
    );
    await using setup = await newNotified(`url = "${hook.url}"`);
    await using server = await serve([setup.config, "-v"]);
    await report(server, "nas");
    await server.said("told by POST");
    await report(server, "nas", "127.0.0.2");
    await hook.got(2);
    await server.stop();
    expect(sent).toBeLessThan(50_000_000);
  });
});

onLinux("a command", () => {
  test("gets its arguments as they are, the environment and JSON, and no secret", async () => {
    await using setup = await newNotified("");
    const path = await script(
      setup.path,
      "on dynip",
      `printf '%s\\n' "$@" > "$(dirname "$0")/args"; env > "$(dirname "$0")/env"; cat > "$(dirname "$0")/json"
       touch "$(dirname "$0")/done"`,
    );
    const text = await readFile(setup.config, "utf8");
    await writeFile(
      setup.config,
      `${text.replace(/^secret.*\n/, "")}command = [${path}, "$HOME; x", "b c"]\n`,
    );
    const env = {
      DYNIP_SECRET: SECRET,
      BUN_OWN: "1",
      OWN: "kept",
      DYNIP_NAMES: "old",
    };
    await using server = await serve([setup.config], { env });
    await report(server, "nas");
    await eventually("the command", () => existsSync(setup.file("done")));
    expect(await readFile(setup.file("args"), "utf8")).toBe("$HOME; x\nb c\n");
    const told = await readFile(setup.file("env"), "utf8");
    const variables = told.split("\n").filter((line) => /^(DYNIP|BUN|OWN)/.test(line));
    const time = /^DYNIP_TIME=(.*)$/m.exec(told)![1]!;
    expect(variables.sort()).toEqual([
      "DYNIP_ADDRESS=127.0.0.1",
      "DYNIP_EVENT=new",
      "DYNIP_FAMILY=ipv4",
      "DYNIP_HOW=proven",
      "DYNIP_MESSAGE=new host nas at 127.0.0.1",
      "DYNIP_NAME=nas",
      "DYNIP_NAMES=nas",
      "DYNIP_PREVIOUS=",
      `DYNIP_TIME=${time}`,
      "OWN=kept",
    ]);
    expect(told).not.toContain(SECRET);
    expect(await Bun.file(setup.file("json")).json()).toMatchObject({
      message: "new host nas at 127.0.0.1",
      events: [{ event: "new", name: "nas", address: "127.0.0.1", time }],
    });
  });

  test("that hangs: pings are acknowledged, the newest news is next, a stop is prompt and leaves no process", async () => {
    await using setup = await newNotified("");
    const path = await script(
      setup.path,
      "on-dynip",
      `${TELL}; if [ ! -e "$(dirname "$0")/go" ]; then sleep 987.6 & sleep 987.6; fi`,
    );
    await writeFile(setup.config, `${await readFile(setup.config, "utf8")}command = [${path}]\n`);
    await using server = await serve([setup.config]);
    await report(server, "nas");
    await eventually("the command", async () => (await told(setup.path)).length === 1);
    for (let last = 2; last < 9; last++) await report(server, "nas", `127.0.0.${last}`);
    await report(server, "pi", "127.0.0.9");
    await eventually(
      "its children",
      async () => (await processesWith("sleep\x00987.6")).length >= 2,
    );
    const { exitCode, stderr } = await within(5000, "the stop", server.stop());
    expect(exitCode).toBe(0);
    expect(stderr).toContain("nas moved from 127.0.0.7 to 127.0.0.8; new host pi at 127.0.0.9\n");
    expect(await told(setup.path)).toEqual(["new|nas|nas|new host nas at 127.0.0.1"]);
    await eventually(
      "no process",
      async () => (await processesWith("sleep\x00987.6")).length === 0,
    );
  });

  test("that leaves a child behind, which holds its output: the next notice comes, a stop leaves no process", async () => {
    await using setup = await newNotified("");
    const path = await script(setup.path, "on-dynip", `${TELL}; sleep 986.5 &\nexit 0`);
    await writeFile(setup.config, `${await readFile(setup.config, "utf8")}command = [${path}]\n`);
    await using server = await serve([setup.config]);
    await report(server, "nas");
    await report(server, "pi", "127.0.0.2");
    await eventually("both", async () => (await told(setup.path)).length === 2);
    await server.stop();
    await eventually(
      "no process",
      async () => (await processesWith("sleep\x00986.5")).length === 0,
    );
  });

  test("that floods its output with 100 MB: pings are acknowledged, and memory stays", async () => {
    await using setup = await newNotified("");
    const flood = "head -c 100000000 /dev/zero | tr '\\0' x";
    const path = await script(
      setup.path,
      "on-dynip",
      `${TELL}; ${flood}; ${flood} >&2; echo end >&2; exit 3`,
    );
    await writeFile(setup.config, `${await readFile(setup.config, "utf8")}command = [${path}]\n`);
    await using server = await serve([setup.config]);
    await report(server, "nas");
    await eventually("the command", async () => (await told(setup.path)).length === 1);
    const before = await memoryOf(server.pid);
    for (let last = 2; last < 200; last++) await report(server, "nas", `127.0.0.${last}`);
    expect((await memoryOf(server.pid)) - before).toBeLessThan(30_000);
    const { exitCode } = await server.stop();
    expect(exitCode).toBe(0);
  });

  test.each([
    ["is not there", "/no/such/program", "no such file or folder"],
    ["may not be run", "FOLDER/plain", "permission denied"],
    ["is no program", "FOLDER/junk", ""],
    ["is a folder", "FOLDER", "permission denied"],
  ])(
    "that %s: why it cannot be started is said once, and the server goes on",
    async (_, program, reason) => {
      await using setup = await newNotified("");
      await writeFile(setup.file("plain"), "#!/bin/sh\n", { mode: 0o644 });
      await writeFile(setup.file("junk"), "\x7fELF junk", { mode: 0o755 });
      const path = JSON.stringify(program.replace("FOLDER", setup.path));
      await writeFile(setup.config, `${await readFile(setup.config, "utf8")}command = [${path}]\n`);
      await using server = await serve([setup.config]);
      await report(server, "nas");
      await server.said("Cannot tell by command");
      await report(server, "nas", "127.0.0.2");
      await report(server, "nas", "127.0.0.3");
      const { exitCode, stderr } = await server.stop();
      expect(exitCode).toBe(0);
      expect(stderr.match(/Cannot tell by command/g)).toHaveLength(1);
      expect(stderr).toContain(`it cannot be started: ${reason}`);
    },
  );

  test("that fails: its last line is in the log, on one line, and no secret", async () => {
    await using setup = await newNotified("");
    const path = await script(
      setup.path,
      "on-dynip",
      `echo first >&2; printf 'bad \\033[31m ${SECRET}\\n\\n' >&2; exit 3`,
    );
    await writeFile(setup.config, `${await readFile(setup.config, "utf8")}command = [${path}]\n`);
    await using server = await serve([setup.config]);
    await report(server, "nas");
    await server.said("exit code 3: bad \\u{1b}[31m ");
    const { stderr } = await server.stop();
    expect(stderr).not.toContain(SECRET);
    expect(stderr).not.toContain("first");
  });
});

describe.skipIf(process.platform !== "win32")("a command on Windows", () => {
  test("gets its arguments as they are, the environment and JSON, and no secret", async () => {
    await using setup = await newNotified("");
    await writeFile(
      setup.file("on dynip.ts"),
      `const told = { args: Bun.argv.slice(2), env: process.env, json: await Bun.stdin.json() };
       await Bun.write(import.meta.dir + "/told.new", JSON.stringify(told));
       require("node:fs").renameSync(import.meta.dir + "/told.new", import.meta.dir + "/told");`,
    );
    const args = ["%PATH% & x", 'b "c\\', ""];
    const command = JSON.stringify([process.execPath, setup.file("on dynip.ts"), ...args]);
    await appendFile(setup.config, `command = ${command}\n`);
    const env = { DYNIP_SECRET: SECRET, BUN_OWN: "1", OWN: "kept" };
    await using server = await serve([setup.config], { env });
    await report(server, "nas");
    await eventually("the command", () => existsSync(setup.file("told")));
    const { args: given, env: seen, json } = await Bun.file(setup.file("told")).json();
    expect(given).toEqual(args);
    const { DYNIP_TIME: time, ...variables } = Object.fromEntries(
      Object.entries(seen).filter(([name]) => /^(DYNIP|BUN|OWN)/i.test(name)),
    );
    expect(variables).toEqual({
      DYNIP_ADDRESS: "127.0.0.1",
      DYNIP_EVENT: "new",
      DYNIP_FAMILY: "ipv4",
      DYNIP_HOW: "proven",
      DYNIP_MESSAGE: "new host nas at 127.0.0.1",
      DYNIP_NAME: "nas",
      DYNIP_NAMES: "nas",
      DYNIP_PREVIOUS: "",
      OWN: "kept",
    });
    expect(json).toMatchObject({
      message: "new host nas at 127.0.0.1",
      events: [{ event: "new", name: "nas", address: "127.0.0.1", time }],
    });
  });

  test("may be a batch file", async () => {
    await using setup = await newNotified("");
    const path = setup.file("on dynip.cmd");
    await writeFile(path, "@echo %DYNIP_EVENT%: %DYNIP_MESSAGE%\r\n@exit /b 3\r\n");
    await appendFile(setup.config, `command = [${JSON.stringify(path)}]\n`);
    const { exitCode, stderr } = await dynip(["serve", "--test-notify", setup.config]);
    expect(stderr).toBe(
      `command "${path}": exit code 3: test: this is a test of dynip's notices\n` +
        `error: Cannot send the test notice by command "${path}": see above\n`,
    );
    expect(exitCode).toBe(5);
  });

  test("that is not there is said once, and the server goes on", async () => {
    await using setup = await newNotified(String.raw`command = ["C:\\no such\\program.exe"]`);
    await using server = await serve([setup.config]);
    await report(server, "nas");
    await server.said(
      'Cannot tell by command "C:\\no such\\program.exe": it cannot be started: no such file or folder\n',
    );
    await report(server, "pi");
    expect((await dynip(["ping", setup.config])).exitCode).toBe(0);
    expect(server.stderr().match(/Cannot tell by command/g)).toHaveLength(1);
  });
});

onLinux("the command of NOTICES.md", () => {
  test("sends mail", async () => {
    const notices = await readFile(
      join(import.meta.dir, "..", "..", ".github", "NOTICES.md"),
      "utf8",
    );
    const text = /```sh\n(#!\/bin\/sh\n# \/usr\/local\/bin\/on-dynip\n[^]*?)```/.exec(notices)![1]!;
    await using setup = await newNotified("");
    const path = await script(setup.path, "on-dynip", text);
    await script(setup.path, "sendmail", 'cat > "$(dirname "$0")/mail$1"');
    await writeFile(setup.config, `${await readFile(setup.config, "utf8")}command = [${path}]\n`);
    const env = { PATH: `${setup.path}:${process.env["PATH"]}` };
    const { exitCode } = await dynip(["serve", "--test-notify", setup.config], { env });
    expect(exitCode).toBe(0);
    expect(await readFile(setup.file("mail-t"), "utf8")).toMatch(
      /^To: ann@example\.com\nSubject: this is a test of dynip's notices\n\n2\d{3}-.*Z\n$/,
    );
  });
});

async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "VmRSS: 0 kB");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
}

// Together, since they wait.
describe.skipIf(process.platform !== "linux").concurrent("what takes its time:", () => {
  const SHORT = '[notify.silent_after]\n"*" = "2s"';

  test("a URL that fails is tried again, with the newest news, and said once", async () => {
    await using hook = receiver(
      (count) => new Response("broken\nsecond line", { status: count < 2 ? 500 : 200 }),
    );
    await using setup = await newNotified(`url = "${hook.url}"`);
    await using server = await serve([setup.config]);
    await report(server, "nas");
    const host = new URL(hook.url).host;
    await server.said(`Cannot tell by POST to ${host}: 500 Internal Server Error: broken\n`);
    await report(server, "nas", "127.0.0.2");
    await report(server, "nas", "127.0.0.3");
    await report(server, "pi", "127.0.0.4");
    await eventually("the second try", () => hook.requests.length >= 2, 15_000);
    expect(hook.requests[1]!.at - hook.requests[0]!.at).toBeGreaterThan(9000);
    expect(hook.requests[1]!.body.title).toBe("dynip: 2 notices");
    expect(hook.requests[1]!.body.message).toBe(
      "nas moved from 127.0.0.2 to 127.0.0.3\nnew host pi at 127.0.0.4",
    );
    expect(hook.requests[1]!.body.events).toHaveLength(2);
    await server.said(`POST to ${host} works again\n`);
  });

  test("silence and return are told, each once, across restarts and kill -9", async () => {
    await using hook = receiver();
    await using setup = await newNotified(`url = "${hook.url}"\n${SHORT}`);
    {
      await using server = await serve([setup.config]);
      await report(server, "nas");
      await hook.got(2);
      await eventually("the digest is settled", async () => !(await kept(setup.path)).telling);
      await server.stop();
    }
    expect(hook.requests[1]!.body.events).toMatchObject([
      { event: "silent", name: "nas", address: "127.0.0.1" },
    ]);
    expect(hook.messages()[1]).toMatch(
      /^nas is silent: no ping for \d seconds; every host is silent, so this server may be/,
    );
    for (let times = 0; times < 2; times++) {
      await using server = await serve([setup.config]);
      await Bun.sleep(3500); // longer than silent_after and its window
      await server.stop("SIGKILL");
    }
    expect(hook.requests).toHaveLength(2);
    await using server = await serve([setup.config]);
    await eventually("its return", async () => {
      await report(server, "nas");
      return hook.requests.length === 3;
    });
    expect(hook.messages()[2]).toMatch(/^nas is back at 127\.0\.0\.1 after \d+ seconds$/);
    await hook.got(4); // it is silent again
    expect(Object.keys((await kept(setup.path)).silent)).toEqual(["nas"]);
  });

  test("silence that was being told when the server was killed is told again, and says so", async () => {
    await using hook = receiver((count) =>
      count === 2 ? new Promise<Response>(() => {}) : new Response("ok"),
    );
    await using setup = await newNotified(`url = "${hook.url}"\n${SHORT}`);
    {
      await using server = await serve([setup.config]);
      await report(server, "nas");
      await hook.got(2);
      await server.stop("SIGKILL");
    }
    await using _server = await serve([setup.config]);
    await hook.got(3);
    expect(hook.messages()[2]).toEndWith("; this may have been told before");
    expect(hook.requests[2]!.body.events).toEqual(hook.requests[1]!.body.events);
    await eventually("it is settled", async () => !(await kept(setup.path)).telling);
  });

  test("a file of silent hosts that is damaged is said, and does not keep the server from starting", async () => {
    await using setup = await newNotified('url = "http://127.0.0.1:9/"');
    await writeFile(setup.file("dynip.json.silent"), '{"silent":[1]}');
    await using server = await serve([setup.config]);
    expect(server.stderr()).toContain("Cannot read which hosts are silent");
  });

  test.skipIf(!HAS_SIGNALS)(
    "a link in the place of that file is not followed: the log shows nothing of what it names",
    async () => {
      await using setup = await newNotified('url = "http://127.0.0.1:9/"');
      await writeFile(setup.file("other"), "sesame\n");
      for (const link of [symlink, hardLink]) {
        await link(setup.file("other"), setup.file("dynip.json.silent"));
        await using server = await serve([setup.config]);
        await server.stop();
        expect(server.stderr()).toMatch(/silent": it (?:is a symbolic link|has a second name)/);
        expect(server.stderr()).not.toContain("sesame");
        await rm(setup.file("dynip.json.silent"));
      }
      expect(await Bun.file(setup.file("other")).text()).toBe("sesame\n");
    },
  );
});

async function kept(
  folder: string,
): Promise<{ silent: Record<string, string>; telling?: unknown }> {
  return await Bun.file(join(folder, "dynip.json.silent")).json();
}

describe("dynip serve --test-notify", () => {
  test("sends a test and says what came back, also while the server runs", async () => {
    await using hook = receiver(() => new Response("thanks\nmore"));
    await using setup = await newNotified(`url = "${hook.url}"`);
    await using _server = await serve([setup.config]);
    const { exitCode, stdout, stderr } = await dynip(["serve", "--test-notify", setup.config]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "" });
    expect(stderr).toBe(`POST to ${new URL(hook.url).host}: 200 OK: thanks\n`);
    expect(hook.requests[0]!.body).toMatchObject({
      title: "dynip: test",
      events: [{ event: "test" }],
    });
  });

  test.skipIf(!HAS_SIGNALS)("tries both ways, and fails if one does", async () => {
    await using hook = receiver(() => new Response("no", { status: 403 }));
    await using setup = await newNotified(`url = "${hook.url}"`);
    const path = await script(setup.path, "on-dynip", `${TELL}; echo done`);
    await writeFile(setup.config, `${await readFile(setup.config, "utf8")}command = [${path}]\n`);
    const { exitCode, stderr } = await dynip(["serve", "--test-notify", setup.config]);
    const host = new URL(hook.url).host;
    expect(exitCode).toBe(5);
    expect(stderr).toBe(
      `command ${path}: exit code 0: done\nPOST to ${host}: 403 Forbidden: no\n` +
        `error: Cannot send the test notice by POST to ${host}: see above\n`,
    );
    expect(await told(setup.path)).toEqual(["test|||this is a test of dynip's notices"]);
  });

  test("without [notify] says what to write", async () => {
    await using setup = await newSetup();
    const { exitCode, stderr } = await dynip(["serve", "--test-notify", setup.config]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain(
      "there is no command and no url in [notify]\nhint: write one, such as",
    );
  });
});

test.each([
  ['url = "file:///etc/passwd"', "url in [notify] is malformed"],
  ["command = []", "command in [notify] is []"],
  ['silent_after = "15m"', 'silent_after in [notify] is "15m", must be a section'],
])("a wrong configuration is refused: %s", async (line, problem) => {
  await using setup = await newNotified(line);
  const { exitCode, stderr } = await dynip(["serve", setup.config]);
  expect(exitCode).toBe(3);
  expect(stderr).toContain(problem);
});
