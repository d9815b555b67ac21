/** The history that the compiled server keeps, and the jq of NOTICES.md that reads it. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFile, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { runProcess } from "../processes.ts";
import { sendDatagrams } from "../temporary.ts";
import { eventually, TEST_MS } from "../waiting.ts";
import { dynip, HAS_SIGNALS, newSignedSetup, serve } from "./dynip.ts";
import { newWeb } from "./web.ts";
import { openPeer } from "./wire.ts";

setDefaultTimeout(TEST_MS);

const onUnix = test.skipIf(!HAS_SIGNALS);
// macOS has no 127.0.0.2 until it is configured.
const onLinux = test.skipIf(process.platform !== "linux");

interface Line {
  time: string;
  name: string;
  family: string;
  address: string;
  previous?: string;
  how: string;
}

/** A server that keeps a history in the folder of its configuration. */
async function newLab(server = "") {
  const setup = await newSignedSetup({ server: `history_path = "history.jsonl"\n${server}` });
  const path = setup.file("history.jsonl");
  const text = () => readFile(path, "utf8").catch(() => "");
  return {
    ...setup,
    folder: setup.path,
    path,
    text,
    lines: async (): Promise<Line[]> =>
      (await text())
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
    /** Waits until the history has this many lines. */
    has: (count: number) =>
      eventually(`${count} lines`, async () => (await text()).split("\n").length === count + 1),
    async ping(port: number, name: string, address: string): Promise<void> {
      await using peer = await openPeer(port, address);
      expect((await peer.exchange(name)).type).toBe("A");
    },
  };
}

onLinux("a line for each host that is new or has moved, and for nothing else", async () => {
  await using lab = await newLab("allow_plain = true");
  await using server = await serve([lab.config]);
  await lab.ping(server.port, "nas", "127.0.0.1");
  await lab.has(1);
  expect((await dynip(["ping", lab.config])).exitCode).toBe(0); // still there
  await lab.ping(server.port, "nas", "127.0.0.2");
  await sendDatagrams(["Kris-PC"], server.port);
  await lab.has(3);
  const lines = await lab.lines();
  expect(lines.map(({ time: _, ...line }) => line)).toEqual([
    { name: "nas", family: "ipv4", address: "127.0.0.1", how: "proven" },
    { name: "nas", family: "ipv4", address: "127.0.0.2", previous: "127.0.0.1", how: "proven" },
    { name: "Kris-PC", family: "ipv4", address: "127.0.0.1", how: "plain" },
  ]);
  await eventually("the log", async () => (await lab.readLog())["Kris-PC"] !== undefined);
  const { nas } = await lab.readLog();
  expect(lines[1]!.time).toBe(nas!.ipv4!.since);
  expect((await stat(lab.path)).mode & 0o777).toBe(0o600);
  await server.stop("SIGTERM");
  expect((await readdir(lab.folder)).sort()).toEqual(["dynip.json", "dynip.toml", "history.jsonl"]);
});

test("what a router claims is in it as claimed, and the page shows the last moves after a restart, too", async () => {
  await using web = await newWeb({ server: 'history_path = "history.jsonl"' });
  const lines = async () => (await readFile(web.file("history.jsonl"), "utf8")).split("\n");
  for (const [index, address] of ["203.0.113.7", "203.0.113.9", "203.0.113.9"].entries()) {
    const answer = await web.get(`/nic/update?myip=${address}`, "home");
    expect(await answer.text()).toBe(`${index < 2 ? "good" : "nochg"} ${address}`);
  }
  await eventually("two lines", async () => (await lines()).length === 3);
  expect(JSON.parse((await lines())[1]!)).toMatchObject({
    name: "home",
    address: "203.0.113.9",
    previous: "203.0.113.7",
    how: "claimed",
  });
  const MOVE = "from 203.0.113.7 to 203.0.113.9 <small>claimed</small>";
  const shows = async () => (await (await web.get("/", "phone")).text()).includes(MOVE);
  await eventually("the move on the page", shows); // which is made anew after a second
  await web.server.stop("SIGTERM");
  await using _again = await serve([web.config]);
  expect(await shows()).toBe(true);
});

onUnix("a line is on the disk before the notice goes out", async () => {
  await using lab = await newLab();
  const script = lab.file("on-dynip");
  await writeFile(
    script,
    `#!/bin/sh\ngrep -c "\\"name\\":\\"$DYNIP_NAME\\"" '${lab.path}' >> '${lab.file("told")}'\n`,
    { mode: 0o755 },
  );
  await appendFile(lab.config, `[notify]\ncommand = [${JSON.stringify(script)}]\n`);
  await using server = await serve([lab.config]);
  for (const name of ["nas", "pi", "tv"]) await lab.ping(server.port, name, "127.0.0.1");
  const told = () => readFile(lab.file("told"), "utf8").catch(() => "");
  await eventually("three notices", async () => (await told()).length === 6);
  expect(await told()).toBe("1\n1\n1\n");
});

onUnix("it goes on after a crash, behind a line that was cut off", async () => {
  await using lab = await newLab();
  const FIRST =
    '{"time":"2026-01-01T00:00:00.000Z","name":"pi","family":"ipv4","address":"192.0.2.1","how":"proven"}\n';
  await writeFile(lab.path, `${FIRST}{"time":"2026-01-01T00:`);
  {
    await using server = await serve([lab.config]);
    await lab.ping(server.port, "nas", "127.0.0.1");
    await eventually("a line", async () => (await lab.text()).includes('"nas"'));
    await server.stop("SIGKILL");
  }
  const kept = await lab.text();
  expect(kept).toStartWith(`${FIRST}{"time":"2026-01-01T00:\n{"time":"2`);
  // The client log knows of a move that the history lacks.
  await writeFile(lab.path, FIRST);
  await using again = await serve([lab.config]);
  await lab.has(2);
  expect(await lab.text()).toBe(FIRST + kept.split("\n")[2] + "\n");
  await again.stop("SIGTERM");
});

onUnix("a link in its place is refused, and the server works on", async () => {
  await using lab = await newLab();
  await writeFile(lab.file("precious"), "precious");
  await symlink(lab.file("precious"), lab.path);
  await using server = await serve([lab.config]);
  await server.said(`error: Cannot read history "${lab.path}": it is a symbolic link`);
  expect((await dynip(["ping", lab.config])).exitCode).toBe(0);
  await server.said(`error: Cannot write history "${lab.path}": it is a symbolic link`);
  expect((await server.stop("SIGTERM")).exitCode).toBe(0);
  expect(await readFile(lab.file("precious"), "utf8")).toBe("precious");
});

describe("two files with one path are refused before anything is written", () => {
  test.each([
    ['history_path = "dynip.json"', "history_path in [server] is the path of client_log_path"],
    [
      'history_path = "./x/../dynip.toml"',
      "history_path in [server] is the path of the configuration",
    ],
    [
      'hosts_path = "h"\nhosts_domain = "a.b"\nhistory_path = "h"',
      "history_path in [server] is the path of hosts_path",
    ],
  ])("%s", async (server, problem) => {
    await using setup = await newSignedSetup({ server });
    const { exitCode, stderr } = await dynip(["serve", setup.config]);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 3 });
    expect(stderr).toContain(`${problem}, too\n`);
    expect(await readdir(setup.path)).not.toContain("dynip.json");
  });
});

const JQ = Bun.which("jq");

test.skipIf(!JQ)(
  `the jq of NOTICES.md says how long an address was held${JQ ? "" : " (skipped: there is no jq)"}`,
  async () => {
    const NOTICES = await Bun.file(
      join(import.meta.dir, "..", "..", ".github", "NOTICES.md"),
    ).text();
    const command = NOTICES.split("```sh\n").find((block) => block.startsWith("jq -"))!;
    await using lab = await newLab();
    const line = (time: string, name: string, address: string, family = "ipv4") =>
      `${JSON.stringify({ time, name, family, address, how: "proven" })}\n`;
    await writeFile(
      lab.path,
      line("2026-11-20T12:00:00.000Z", "nas", "203.0.113.7") +
        line("2026-11-20T12:00:00.000Z", "pi", "192.0.2.1") +
        line("2026-11-20T13:00:00.000Z", "nas", "2001:db8::7", "ipv6") +
        '{"time":"2026-11-20T1\n' +
        line("2026-11-21T00:30:00.999Z", "nas", "203.0.113.9") +
        line("2026-11-22T00:30:01.000Z", "nas", "203.0.113.7"),
    );
    const result = await runProcess(["sh", "-c", command.split("```")[0]!], { cwd: lab.folder });
    expect(result).toMatchObject({ exitCode: 0, stderr: "" });
    const [first, second, third, end] = result.stdout.split("\n");
    expect([first, second]).toEqual(["203.0.113.7 12.5 h", "203.0.113.9 24 h"]);
    expect(third).toMatch(/^203\.0\.113\.7 -?\d+(\.\d)? h$/);
    expect(end).toBe("");
  },
);

test("the name of a file of the client log's own is refused before anything is written", async () => {
  await using setup = await newSignedSetup({ server: 'history_path = "dynip.json.silent"' });
  const { exitCode, stderr } = await dynip(["serve", setup.config]);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 3 });
  expect(stderr).toContain("history_path in [server] begins with client_log_path and a dot");
  expect((await readdir(setup.path)).sort()).toEqual(["dynip.toml"]);
});
