/**
 * Away from home: five machines behind one address go offline and come back with another one. The
 * notices, the hosts file, the history, the page and the answers to `--find` say exactly that. In network
 * namespaces, with the compiled binary at both ends.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, readFile, writeFile } from "node:fs/promises";

import { outputOf } from "../processes.ts";
import { temporaryFolder } from "../temporary.ts";
import { eventually, PATIENCE, TEST_MS } from "../waiting.ts";
import { dynip, serve } from "./dynip.ts";
import { newNetwork, whyNoNetwork } from "./network.ts";
import { basic } from "./web.ts";
import { keyOf, SECRET } from "./wire.ts";

setDefaultTimeout(TEST_MS);

const why = whyNoNetwork() ?? (Bun.which("curl") ? undefined : "needs curl");
const HOME = ["attic", "cam", "nas", "pi", "printer"];
const SERVER = "203.0.113.1";
const BEFORE = "203.0.113.7";
const AFTER = "203.0.113.52";
/** Seconds. */
const SILENT_AFTER = 6 * PATIENCE;

/** A server with everything on, and five machines with the address {@link BEFORE}. */
async function newWorld() {
  const network = newNetwork();
  const folder = await temporaryFolder();
  try {
    network.ip("server", `address add ${SERVER}/24 dev eth0`);
    network.ip("client", `address add ${BEFORE}/24 dev eth0`);
    const command = folder.file("on-dynip");
    await writeFile(
      command,
      `#!/bin/sh\necho "$DYNIP_EVENT: $DYNIP_MESSAGE" >> "${folder.path}/told"\n`,
    );
    await chmod(command, 0o755);
    const config = folder.file("dynip.toml");
    await writeFile(
      config,
      `secret = "${SECRET}"
[server]
readers = ["phone"]
hosts_path = "hosts"
hosts_domain = "dyn.example.com"
history_path = "history.jsonl"
[http]
[notify]
command = [${JSON.stringify(command)}]
[notify.silent_after]
"*" = "${SILENT_AFTER}s"
`,
      { mode: 0o600 },
    );
    for (const name of [...HOME, "phone"]) {
      const key = keyOf(name).toString("base64url");
      const client = `[client]\nserver_hostname = "${SERVER}"\nclient_name = "${name}"\nkey = "${key}"\n`;
      await writeFile(folder.file(`${name}.toml`), client, { mode: 0o600 });
    }
    const server = await serve([config], { within: network.on("server") });
    return {
      network,
      folder,
      server,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
        network[Symbol.dispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    network[Symbol.dispose]();
    throw error;
  }
}

type World = Awaited<ReturnType<typeof newWorld>>;

/** Every machine of the home pings once. */
async function pingAll({ network, folder }: World): Promise<void> {
  const within = network.on("client");
  for (const name of HOME) {
    const { exitCode } = await dynip(["ping", folder.file(`${name}.toml`)], { within });
    expect(exitCode).toBe(0);
  }
}

async function linesOf({ folder }: World, name: string): Promise<string[]> {
  const text = await readFile(folder.file(name), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

/** The history, without the times. */
async function movesIn(world: World): Promise<unknown[]> {
  return (await linesOf(world, "history.jsonl")).map((line) => {
    const { time, ...move } = JSON.parse(line) as Record<string, unknown>;
    expect(Date.parse(time as string)).toBeGreaterThan(0);
    return move;
  });
}

/** The page as the phone sees it. */
const pageOf = ({ network }: World): Promise<string> =>
  outputOf([
    ...network.on("server"),
    ..."curl --silent --fail --max-time 5 --header".split(" "),
    `Authorization: ${basic("phone")}`,
    "http://127.0.0.1:28630/",
  ]);

/** The address that `--find` prints for the phone, which is on the road; its exit code where it is none. */
async function find(
  { network, folder }: World,
  name: string,
  ...args: string[]
): Promise<string | number> {
  const options = { within: network.on("server") };
  const { exitCode, stdout } = await dynip(
    ["ping", "--find", name, ...args, folder.file("phone.toml")],
    options,
  );
  return exitCode === 0 ? stdout.trim() : exitCode;
}

/** Pings every second until something holds. */
async function pingUntil(world: World, what: string, holds: () => Promise<boolean>): Promise<void> {
  await eventually(what, async () => {
    await pingAll(world);
    await Bun.sleep(200);
    return await holds();
  });
}

async function expectAt(world: World, address: string): Promise<void> {
  await eventually("the hosts file", async () =>
    (await linesOf(world, "hosts")).includes(`${address} printer.dyn.example.com`),
  );
  expect(await linesOf(world, "hosts")).toEqual(
    HOME.map((name) => `${address} ${name}.dyn.example.com`),
  );
  for (const name of HOME) expect(await find(world, name)).toBe(address);
}

describe.skipIf(why !== undefined)(
  `five machines behind one address${why ? ` (skipped: ${why})` : ""}`,
  () => {
    test("go offline and come back with another address: exactly that is told, kept and shown", async () => {
      await using world = await newWorld();
      const told = () => linesOf(world, "told");
      const news = HOME.map((name) => `new: new host ${name} at ${BEFORE}`);
      const isNew = HOME.map((name) => ({ name, family: "ipv4", address: BEFORE, how: "proven" }));

      await pingUntil(world, "five notices", async () => (await told()).length === 5);
      expect(await told()).toEqual(news);
      await expectAt(world, BEFORE);
      expect(await movesIn(world)).toEqual(isNew);

      world.network.ip("client", "link set eth0 down");
      await eventually("the silence", async () => (await told()).length > 5, 3000 * SILENT_AFTER);
      const silence = expect.stringMatching(
        /^silent: attic, cam, nas, pi and printer are silent: no ping for \d+ seconds or more; every host is silent, so/,
      );
      expect(await told()).toEqual([...news, silence]);
      expect(await pageOf(world)).toContain("<title>5 silent of 5");
      await expectAt(world, BEFORE); // where they were seen last
      expect(await find(world, "nas", "--max-age", "1s")).toBe(9);

      world.network.ip("client", "address flush dev eth0");
      world.network.ip("client", `address add ${AFTER}/24 dev eth0`);
      world.network.ip("client", "link set eth0 up");
      const moved = HOME.map((name) => `moved: ${name} moved from ${BEFORE} to ${AFTER}`);
      const isMoved = isNew.map((move) => ({ ...move, address: AFTER, previous: BEFORE }));
      await pingUntil(world, "their return", async () => (await told()).length === 12);
      const back = "back: attic, cam, nas, pi and printer are back";
      expect(await told()).toEqual([...news, silence, ...moved, back]);
      await expectAt(world, AFTER);
      expect(await movesIn(world)).toEqual([...isNew, ...isMoved]);
      const page = await pageOf(world);
      expect(page).not.toContain("<title>5 silent");
      for (const name of HOME) expect(page).toContain(name);
      expect(page.split(AFTER).length).toBeGreaterThan(5);

      const { exitCode } = await world.server.stop();
      expect(exitCode).toBe(0);
      expect(await told()).toHaveLength(12);
    });
  },
);
