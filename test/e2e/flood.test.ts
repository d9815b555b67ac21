/**
 * What a flood from one process does to the compiled server: its clients are acknowledged, its event
 * loop turns, its memory stays, its port stays its own, and it ends when it is told to. The only times
 * asserted are those that the protocol promises, and two seconds for SIGTERM.
 */
import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";

import { outputOf, startProcess } from "../processes.ts";
import { dynip, HAS_SIGNALS, newSignedSetup, serve } from "./dynip.ts";

const FLOOD = `${import.meta.dir}/../flood.ts`;
/** Where the kernel has filters for a socket. */
const onLinux = test.skipIf(process.platform !== "linux");

/** Starts a flood, which ends after `seconds` or with its scope. */
function flood(kind: string, port: number, seconds: number) {
  const command = [process.execPath, FLOOD, kind, String(port), String(seconds)];
  const child = startProcess(command, { deadline: (seconds + 10) * 1000 });
  return {
    ...child,
    /** Resolves to the number of datagrams per second when the flood has ended. */
    rate: async (): Promise<number> => Number((await child.result()).stdout),
  };
}

/** The resident memory of a process in MB, on Linux. */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1024;
}

describe.skipIf(!HAS_SIGNALS)("while a process sends as fast as it can", () => {
  test.each([
    ["junk", ""],
    ["forged", ""],
    ["plain", ""],
    ["plain", "allow_plain = true"],
  ])(
    "%s datagrams (%s), an honest client is acknowledged, and SIGTERM ends the server",
    async (kind, server) => {
      await using setup = await newSignedSetup({ server });
      await using running = await serve([setup.config]);
      await using noise = flood(kind, running.port, 90);
      await Bun.sleep(1000);
      const before = process.platform === "linux" ? await memoryOf(running.pid) : 0;
      // Within the schedule, both for a client that is challenged first and for a known one.
      for (let round = 0; round < 2; round++) {
        const { exitCode, stderr } = await dynip(["ping", setup.config], {}, 45_000);
        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      }
      if (process.platform === "linux") {
        expect((await memoryOf(running.pid)) - before).toBeLessThan(30);
      }
      const told = performance.now();
      const { exitCode } = await running.stop("SIGTERM");
      expect(exitCode).toBe(0);
      expect(performance.now() - told).toBeLessThan(2000);
      expect(Object.keys(await setup.readLog())).toContain("nas");
      expect(noise.isRunning()).toBe(true); // the flood lasted to the end
    },
    100_000,
  );

  test("and when it is over the server is as quick as before", async () => {
    await using setup = await newSignedSetup();
    await using running = await serve([setup.config]);
    {
      await using noise = flood("forged", running.port, 2);
      expect(await noise.rate()).toBeGreaterThan(10_000); // it was a flood
    }
    // One round trip: a datagram that is sent again takes 500 ms.
    expect((await dynip(["ping", setup.config])).exitCode).toBe(0);
    expect((await dynip(["ping", "--timeout", "0.4", setup.config])).exitCode).toBe(0);
    const { stderr } = await running.stop();
    expect(stderr).toContain("2 pings accepted");
  }, 30_000);

  onLinux.each(["junk", "plain"])(
    "%s datagrams, where pings are signed, the kernel drops nearly all of them",
    async (kind) => {
      await using setup = await newSignedSetup();
      await using running = await serve([setup.config]);
      const seconds = 3;
      await using noise = flood(kind, running.port, seconds);
      const sent = (await noise.rate()) * seconds;
      expect((await dynip(["ping", setup.config])).exitCode).toBe(0);
      const { stderr } = await running.stop();
      const dropped = Number(/(\d+) datagrams? dropped/.exec(stderr)![1]);
      // Those that come before the flood is noticed.
      expect(dropped).toBeGreaterThan(0);
      expect(dropped / sent).toBeLessThan(0.1);
    },
    30_000,
  );

  onLinux.each(["*", "127.0.0.1"])(
    "no other program can take the port of a server on %s",
    async (address) => {
      await using setup = await newSignedSetup({ server: `server_ip = "${address}"` });
      await using running = await serve([setup.config]);
      await using _noise = flood("forged", running.port, 30);
      const thief = [process.execPath, "-e", THIEF, String(running.port), "6"];
      const { tries, taken } = JSON.parse(await outputOf(thief));
      expect(tries).toBeGreaterThan(1000);
      expect(taken).toEqual([]);
      const { exitCode, stderr } = await dynip(["ping", setup.config], {}, 45_000);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    },
    80_000,
  );
});

/** Tries for so many seconds to bind a port, at every address and in every way. */
const THIEF = `
const [port, seconds] = process.argv.slice(-2).map(Number);
const end = performance.now() + seconds * 1000;
const taken = [];
let tries = 0;
while (performance.now() < end && taken.length === 0) {
  for (const hostname of ["127.0.0.1", "0.0.0.0", "::"]) {
    for (const flags of [0, 4, 16]) { // none, SO_REUSEPORT, SO_REUSEADDR
      tries++;
      try {
        await Bun.udpSocket({ hostname, port, flags, socket: {} });
        taken.push(hostname + " " + flags);
      } catch {}
    }
  }
}
console.log(JSON.stringify({ tries, taken }));
process.exit();
`;

test.skipIf(!HAS_SIGNALS)(
  "the event loop never stands still for more than 250 ms",
  async () => {
    // The socket alone, in a process of its own, with a handler that takes 5 µs.
    const udp = JSON.stringify(
      Bun.pathToFileURL(`${import.meta.dir}/../../src/system/udp.ts`).href,
    );
    const script = `
      import { bind } from ${udp};
      const socket = await bind({ address: "127.0.0.1", port: 0, onError() {}, onDatagram() {
        const end = performance.now() + 0.005;
        while (performance.now() < end);
      } });
      console.log(socket.port);
      let last = performance.now(), longest = 0;
      setInterval(() => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
      }, 10);
      setTimeout(() => { console.log(longest); process.exit(); }, 4000);`;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", timeout: 20_000 });
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const port = Number((await reader.read()).value);
    await using noise = flood("junk", port, 3);
    const longest = Number((await reader.read()).value);
    expect(await noise.rate()).toBeGreaterThan(10_000);
    expect(longest).toBeLessThan(250);
    expect(await child.exited).toBe(0);
  },
  30_000,
);
