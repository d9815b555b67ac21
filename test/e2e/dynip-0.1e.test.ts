/**
 * Compatibility with DynIP 0.1e (Kris Hardy, 2011): its datagrams, its log, and the faults that must
 * not come back. Its client is `sendto(gethostname())` and its server `recvfrom(1024)` and
 * `data[:256]`, so that plain bytes stand in for both here.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";

import { encodeClientLog } from "../../src/store/format.ts";
import type { Hosts } from "../../src/host.ts";
import { hasIPv6, receiver, sendDatagrams } from "../temporary.ts";
import { eventually, TEST_MS, WAIT_MS } from "../waiting.ts";
import { dynip, HAS_SIGNALS, newSetup, serve } from "./dynip.ts";
import { openPeer } from "./wire.ts";

setDefaultTimeout(TEST_MS);

const onUnix = test.skipIf(!HAS_SIGNALS);
const onIPv6 = test.skipIf(!(await hasIPv6()));

describe("on the wire", () => {
  test("its client's datagram is taken, and is never answered", async () => {
    await using setup = await newSetup();
    await using server = await serve([setup.config]);
    await using client = await openPeer(server.port);
    await client.send("old-client.example.com");
    await server.said("new host old-client.example.com at 127.0.0.1");
    // An answer to the first is sent before the second is stored.
    await client.send("another");
    await server.said("new host another");
    expect(await client.rest()).toEqual([]);
  });

  test("its server finds our name in the first 1024 bytes, whole, as ASCII or UTF-8", async () => {
    await using server = await receiver();
    await using setup = await newSetup({ client: 'client_name = "attic-pi.local"' });
    await writeFile(
      setup.config,
      (await readFile(setup.config, "utf8")).replaceAll(String(setup.port), String(server.port)),
    );
    await dynip(["ping", setup.config]);
    const data = (await server.next()).subarray(0, 1024);
    expect(data.subarray(0, 256).toString("utf8")).toBe("attic-pi.local");
  });

  onUnix("names are cut at 256 bytes", async () => {
    await using setup = await newSetup();
    await using server = await serve([setup.config]);
    await sendDatagrams(["n".repeat(300), "é".repeat(200), "end"], server.port);
    await server.said("new host end");
    await server.stop();
    expect(Object.keys(await setup.readLog())).toEqual(["n".repeat(256), "é".repeat(128), "end"]);
  });
});

onUnix("its log is read and carried over", async () => {
  await using setup = await newSetup();
  await writeFile(
    setup.logPath,
    '{"nas": ["203.0.113.7", "2026-07-22 13:07:50.933935"], "pi": ["203.0.113.8", "2011-08-01 00:00:00"]}',
  );
  await using server = await serve([setup.config], { env: { TZ: "America/Denver" } });
  expect(server.stderr()).toContain("carried over 2 hosts that DynIP 0.1e recorded\n");
  await sendDatagrams(["nas"], server.port);
  await server.said("nas moved from 203.0.113.7 to 127.0.0.1");
  await server.stop();
  const { nas, pi } = await setup.readLog();
  expect(nas!.ipv4!.address).toBe("127.0.0.1");
  expect(pi).toEqual({
    ipv4: {
      address: "203.0.113.8",
      since: "2011-08-01T06:00:00.000Z",
      last_seen: "2011-08-01T06:00:00.000Z",
    },
  });
});

describe("its faults do not come back", () => {
  onUnix("a two-byte datagram (ff fe) killed the server and emptied its log", async () => {
    await using setup = await newSetup();
    await using server = await serve([setup.config]);
    await sendDatagrams(["nas"], server.port);
    await server.said("new host nas");
    await sendDatagrams([Buffer.from([0xff, 0xfe]), "pi"], server.port);
    await server.said("new host pi");
    const { exitCode, stderr } = await server.stop();
    expect(exitCode).toBe(0);
    expect(stderr).toContain("1 datagram dropped (1 not UTF-8)");
    expect(Object.keys(await setup.readLog())).toEqual(["nas", "pi"]);
  });

  const killed = "kill -9 under load left a broken log in 29 of 30 tries";
  onUnix(killed, { timeout: 2 * TEST_MS }, async () => {
    await using setup = await newSetup();
    const hosts: Hosts = new Map();
    for (let i = 0; i < 10_000; i++) {
      const sighting = { address: "203.0.113.7", since: 0, lastSeen: 0 };
      hosts.set(`host-${i}-${"x".repeat(200)}`, { ipv4: sighting });
    }
    await writeFile(setup.logPath, [...encodeClientLog(hosts)].join(""));
    const moving = [...hosts.keys()].slice(-13);

    for (const [cycle, name] of moving.entries()) {
      await using server = await serve([setup.config]);
      const { ino, size } = statSync(setup.logPath);
      const isWriting = (): boolean =>
        existsSync(`${setup.logPath}.tmp`) ||
        statSync(setup.logPath).ino !== ino ||
        statSync(setup.logPath).size !== size;
      const isMoved = async (): Promise<boolean> =>
        (await setup.readLog())[name]!.ipv4!.address === "127.0.0.1";
      await sendDatagrams([name], server.port);
      // Kills at the first sign of a snapshot, be it that of the start or that with the ping, then later in each cycle, and at last after its end.
      await eventually("a snapshot", isWriting);
      // Between two snapshots there is a pause of four times what one takes.
      if (name === moving.at(-1)) await eventually("the ping in the log", isMoved, 3 * WAIT_MS);
      else await Bun.sleep(5 * cycle);
      await server.stop("SIGKILL");
      expect(Object.keys(await setup.readLog())).toHaveLength(10_000); // throws when it is broken
    }
    const { address } = (await setup.readLog())[moving.at(-1)!]!.ipv4!;
    expect(address).toBe("127.0.0.1"); // the last snapshot came to its end
  });

  onIPv6("it spoke IPv4 alone", async () => {
    await using setup = await newSetup();
    await using server = await serve([setup.config]);
    await sendDatagrams(["nas"], server.port, "::1");
    await server.said("new host nas at ::1");
  });

  test('server_ip = "*" bound the address of the hostname, often 127.0.1.1', async () => {
    await using setup = await newSetup({ server: 'server_ip = "*"' });
    await using server = await serve([setup.config]);
    for (const [name, address] of [
      ["one", "127.0.0.1"],
      ["two", process.platform === "linux" ? "127.0.1.1" : "127.0.0.1"],
      ["three", process.platform === "linux" ? "127.9.9.9" : "127.0.0.1"],
    ] as const) {
      await sendDatagrams([name], server.port, address);
      await server.said(`new host ${name} at `);
    }
  });

  test("a client log that it could not parse was thrown away", async () => {
    for (const text of ['{"nas": ["203.0.113.7", "2026-1', "[]", "", '{"nas": "home"}']) {
      await using setup = await newSetup();
      await writeFile(setup.logPath, text);
      expect((await dynip(["serve", setup.config])).exitCode).toBe(2);
      expect(await readFile(setup.logPath, "utf8")).toBe(text);
    }
  });

  test("a configuration that was not there went unnoticed, and defaults were used", async () => {
    await using setup = await newSetup();
    for (const command of ["serve", "ping"]) {
      const { exitCode } = await dynip([command, setup.file("gone.toml")], { cwd: setup.path });
      expect(exitCode).toBe(3);
    }
  });

  onUnix("its times were local, without a zone", async () => {
    await using setup = await newSetup();
    await using server = await serve([setup.config], { env: { TZ: "Asia/Kathmandu" } });
    const before = new Date().toISOString();
    await sendDatagrams(["nas"], server.port);
    await server.said("new host nas");
    await server.stop();
    const { since } = (await setup.readLog())["nas"]!.ipv4!;
    expect(since).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(since >= before && since <= new Date().toISOString()).toBe(true);
  });
});
