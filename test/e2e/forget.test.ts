/** Hosts are forgotten and renamed by editing the client log while the server runs. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile, rename, unlink, writeFile } from "node:fs/promises";

import { sendDatagrams } from "../temporary.ts";
import { eventually, TEST_MS } from "../waiting.ts";
import { dynip, HAS_SIGNALS, newSetup, newSignedSetup, serve } from "./dynip.ts";
import { digits, openPeer } from "./wire.ts";

setDefaultTimeout(TEST_MS);

const onUnix = test.skipIf(!HAS_SIGNALS);

const line = (name: string, counter?: number): string => {
  const sighting = `{"address":"192.0.2.1","since":"2026-01-01T00:00:00.000Z","last_seen":"2026-01-02T00:00:00.000Z"}`;
  const signed = counter === undefined ? "" : `,"counter":"${digits(counter)}"`;
  return `"${name}": {"ipv4":${sighting}${signed}}`;
};
const textOf = (...lines: string[]): string => `{\n${lines.join(",\n")}\n}\n`;
const BEFORE = textOf(line("nas", 5), line("pi", 5), line("tv"));

/** A server that keeps nas, pi and tv, and ways to look at its log. */
async function running(text = BEFORE) {
  const setup = await newSignedSetup({ server: "allow_plain = true" });
  await writeFile(setup.logPath, text);
  const server = await serve([setup.config]);
  const names = async (): Promise<string[]> => Object.keys(await setup.readLog());
  return {
    setup,
    server,
    names,
    /** Waits until the log is the server's own again, with these hosts. */
    keeps: (...expected: string[]) =>
      eventually(`a log with ${expected}`, async () => {
        const log = await readFile(setup.logPath, "utf8");
        if (!log.startsWith('{\n"') || !log.endsWith("\n}\n")) return false;
        return JSON.stringify(await names()) === JSON.stringify(expected);
      }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await setup[Symbol.asyncDispose]();
    },
  };
}

async function run(...command: string[]): Promise<void> {
  const { exited, stderr } = Bun.spawn(command, { stderr: "pipe" });
  expect([await exited, await stderr.text()]).toEqual([0, ""]);
}

describe("a line that is removed while the server runs", () => {
  const WITHOUT_NAS = textOf(line("pi", 5), line("tv"));
  test.each<[string, (path: string) => Promise<void>]>([
    ["by an editor that writes in place", (path) => writeFile(path, WITHOUT_NAS)],
    [
      "by an editor that renames the old file, and leaves it",
      async (path) => {
        await rename(path, `${path}~`);
        await writeFile(path, WITHOUT_NAS);
        await unlink(`${path}~`);
      },
    ],
    [
      "by a program that writes JSON in its own way",
      async (path) => {
        const { nas: _, ...others } = await Bun.file(path).json();
        await writeFile(`${path}.new`, JSON.stringify(others, null, 2));
        await rename(`${path}.new`, path);
      },
    ],
    [
      "with the comma of the last line left",
      (path) => writeFile(path, `{${line("pi", 5)},\n${line("tv")},\n}`),
    ],
  ])("%s is a host that is forgotten", async (_, edit) => {
    await using it = await running();
    await edit(it.setup.logPath);
    await it.server.said(`forgot nas: it was removed from "${it.setup.logPath}"\n`);
    await it.keeps("pi", "tv");
    await it.server.stop();
    if (HAS_SIGNALS)
      expect((await readdir(it.setup.path)).sort()).toEqual(["dynip.json", "dynip.toml"]);
    expect(await it.names()).toEqual(["pi", "tv"]);
  });

  onUnix("by sed -i is a host that is forgotten", async () => {
    await using it = await running();
    await run("sed", "-i", '/^"nas":/d', it.setup.logPath);
    await it.server.said("forgot nas: ");
    await it.keeps("pi", "tv");
  });

  onUnix("right before the server is stopped is forgotten, too", async () => {
    await using it = await running();
    await writeFile(it.setup.logPath, WITHOUT_NAS);
    const { exitCode, stderr } = await it.server.stop("SIGTERM");
    expect(exitCode).toBe(0);
    expect(stderr).toContain("forgot nas: ");
    expect(await it.names()).toEqual(["pi", "tv"]);
  });

  test("stays forgotten when the server is killed", async () => {
    await using it = await running();
    await writeFile(it.setup.logPath, WITHOUT_NAS);
    await it.server.said("forgot nas: ");
    await it.server.stop("SIGKILL");
    await using again = await serve([it.setup.config]);
    await again.said("2 hosts");
    await it.keeps("pi", "tv");
  });
});

test("a forgotten host that pings is challenged and becomes a new one, whatever its counter was", async () => {
  const ahead = Date.now() * 1000 + 200_000_000; // the old counter would have to be passed
  await using it = await running(textOf(line("nas", ahead), line("pi", 5)));
  await writeFile(it.setup.logPath, textOf(line("pi", 5)));
  await it.server.said("forgot nas: ");
  await using peer = await openPeer(it.server.port);
  const reply = await peer.ask({ name: "nas" });
  expect(reply.type).toBe("C");
  const { exitCode } = await dynip(["ping", it.setup.config]);
  expect(exitCode).toBe(0);
  await it.server.said("new host nas at 127.0.0.1");
  await it.keeps("nas", "pi");
  const [, counter] = /"nas".*"counter":"([0-9a-f]+)"/.exec(
    await readFile(it.setup.logPath, "utf8"),
  )!;
  expect(Number.parseInt(counter!, 16)).toBeLessThan(ahead);
});

test("a line whose name is changed is a host that is renamed: its addresses and its counter stay", async () => {
  await using it = await running();
  await writeFile(it.setup.logPath, BEFORE.replace('"nas"', '"attic"'));
  await it.server.said(`took over attic from "${it.setup.logPath}"`);
  await it.server.said("forgot nas: ");
  await it.keeps("pi", "tv", "attic");
  expect(await readFile(it.setup.logPath, "utf8")).toContain(line("attic", 5));
});

test("a host that has pinged since, or has just come, is kept, and other changes are not taken over", async () => {
  await using it = await running();
  const text = await readFile(it.setup.logPath, "utf8");
  await sendDatagrams(["fresh"], it.server.port);
  await eventually("fresh in the log", async () => (await it.names()).includes("fresh"));
  await writeFile(it.setup.logPath, text.replaceAll("192.0.2.1", "192.0.2.99")); // an older log
  await it.server.said(`kept fresh, which was removed from "${it.setup.logPath}"`);
  await it.keeps("nas", "pi", "tv", "fresh");
  expect(await readFile(it.setup.logPath, "utf8")).not.toContain("192.0.2.99");
});

test("half a file is left alone until it is whole; pings are recorded meanwhile", async () => {
  await using it = await running();
  const half = `${textOf(line("pi", 5))}`.slice(0, 60);
  await writeFile(it.setup.logPath, half);
  await it.server.said(
    `warning: client log "${it.setup.logPath}" was edited and cannot be read: line 2`,
  );
  expect((await dynip(["ping", it.setup.config])).exitCode).toBe(0);
  expect(await readFile(it.setup.logPath, "utf8")).toBe(half);
  await writeFile(it.setup.logPath, textOf(line("pi", 5)));
  await it.server.said("forgot tv: ");
  await it.keeps("nas", "pi"); // nas has pinged
  expect(it.server.stderr().match(/cannot be read/g)).toHaveLength(1);
});

onUnix("half a file at the stop is kept beside the log", async () => {
  await using it = await running();
  await writeFile(it.setup.logPath, "{");
  const { exitCode, stderr } = await it.server.stop("SIGTERM");
  expect(exitCode).toBe(0);
  expect(stderr).toContain(`it is kept as "${it.setup.logPath}.edited"`);
  expect(await readFile(`${it.setup.logPath}.edited`, "utf8")).toBe("{");
  expect(await readFile(it.setup.logPath, "utf8")).toBe(BEFORE);
});

test("a log that is gone is written again, and forgets nobody", async () => {
  await using it = await running();
  await unlink(it.setup.logPath);
  await it.server.said(`warning: client log "${it.setup.logPath}" is gone; it is written again`);
  await eventually("the log", () => Bun.file(it.setup.logPath).exists());
  await it.keeps("nas", "pi", "tv");
});

describe("names that look alike", () => {
  test("the plain one goes when the signed one is recorded first", async () => {
    await using it = await running(textOf(line("NAS"), line("Pi")));
    expect((await dynip(["ping", it.setup.config])).exitCode).toBe(0);
    await it.server.said("forgot NAS: the signed name nas replaces it\n");
    await it.keeps("Pi", "nas");
  });

  test("of which dynip 0.2.0 left both: the plain one goes at the start", async () => {
    await using it = await running(textOf(line("nas", 5), line("NAS")));
    await it.server.said("forgot NAS: the signed name nas replaces it\n");
    await it.keeps("nas");
  });
});

describe("the log of DynIP 0.1e", () => {
  const OLD = '{"nas": ["203.0.113.7", "2026-11-22 13:07:50.933935"]}';

  test("is kept as ….0.1e when it is carried over", async () => {
    await using setup = await newSetup();
    await writeFile(setup.logPath, OLD);
    await using server = await serve([setup.config]);
    await server.said(`kept the log of DynIP 0.1e as "${setup.logPath}.0.1e"\n`);
    await eventually("the new log", async () => !Array.isArray((await setup.readLog())["nas"]));
    expect(await readFile(`${setup.logPath}.0.1e`, "utf8")).toBe(OLD);
  });

  test("never replaces one that was kept before", async () => {
    await using setup = await newSetup();
    await writeFile(setup.logPath, OLD);
    await writeFile(`${setup.logPath}.0.1e`, "mine");
    await using server = await serve([setup.config]);
    await server.said(`there is a "${setup.logPath}.0.1e" already\n`);
    await eventually("the new log", async () => !Array.isArray((await setup.readLog())["nas"]));
    expect(await readFile(`${setup.logPath}.0.1e`, "utf8")).toBe("mine");
  });
});
