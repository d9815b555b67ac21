/**
 * What a flood from one process does to the compiled server: its clients are acknowledged, its event
 * loop turns, its memory stays, its port stays its own, and it ends when it is told to. How quick it is
 * meanwhile is for `bun run bench flood`.
 */
import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";

import { outputOf, startProcess } from "../processes.ts";
import { holdsWithin } from "../waiting.ts";
import { dynip, HAS_SIGNALS, newSignedSetup, serve } from "./dynip.ts";
import { digits, signedPing } from "./wire.ts";

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
      await using noise = flood(kind, running.port, 135);
      await Bun.sleep(1000);
      const before = process.platform === "linux" ? await memoryOf(running.pid) : 0;
      // Within the schedule, both for a client that is challenged first and for a known one.
      for (let round = 0; round < 2; round++) {
        const { exitCode, stderr } = await dynip(["ping", setup.config], {}, 45_000);
        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      }
      // A question is answered within its schedule, too.
      const answer = await dynip(["ping", "--find", "nas", setup.config], {}, 45_000);
      expect(answer).toEqual({ exitCode: 0, stdout: "127.0.0.1\n", stderr: "" });
      if (process.platform === "linux") {
        expect((await memoryOf(running.pid)) - before).toBeLessThan(30);
      }
      const { exitCode } = await running.stop("SIGTERM");
      expect(exitCode).toBe(0);
      expect(Object.keys(await setup.readLog())).toContain("nas");
      expect(noise.isRunning()).toBe(true); // the flood lasted to the end
    },
    145_000,
  );

  test("and when it is over the server answers as before", async () => {
    await using setup = await newSignedSetup();
    await using running = await serve([setup.config]);
    {
      await using noise = flood("forged", running.port, 2);
      expect(await noise.rate()).toBeGreaterThan(0);
    }
    for (let round = 0; round < 2; round++) {
      expect((await dynip(["ping", setup.config])).exitCode).toBe(0);
    }
    const { stderr } = await running.stop();
    expect(stderr).toContain("1 challenged");
  }, 30_000);

  onLinux.each(["junk", "plain"])(
    "%s datagrams, where pings are signed, the kernel drops more than the server does",
    async (kind) => {
      // Those that come before the flood is noticed are dropped by the server: on a machine that has
      // no time for it, these may be many, so that there are three tries.
      const shares: number[] = [];
      while (shares.length < 3 && !shares.some((share) => share < 0.5)) {
        await using setup = await newSignedSetup();
        await using running = await serve([setup.config]);
        const seconds = 3;
        await using noise = flood(kind, running.port, seconds);
        const sent = (await noise.rate()) * seconds;
        expect((await dynip(["ping", setup.config])).exitCode).toBe(0);
        const { stderr } = await running.stop();
        const dropped = Number(/(\d+) datagrams? dropped/.exec(stderr)![1]);
        expect(dropped).toBeGreaterThan(0);
        shares.push(dropped / sent);
      }
      expect(Math.min(...shares)).toBeLessThan(0.5);
    },
    60_000,
  );

  onLinux.each(["*", "127.0.0.1"])(
    "no other program can take the port of a server on %s",
    async (address) => {
      await using setup = await newSignedSetup({ server: `server_ip = "${address}"` });
      await using running = await serve([setup.config]);
      await using _noise = flood("forged", running.port, 30);
      const thief = [process.execPath, "-e", THIEF, String(running.port), "3"];
      const { tries, taken } = JSON.parse(await outputOf(thief));
      expect(tries).toBeGreaterThan(1000);
      expect(taken).toEqual([]);
      const { exitCode, stderr } = await dynip(["ping", setup.config], {}, 45_000);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    },
    80_000,
  );

  onLinux(
    "clients that send again when they are answered lose nothing",
    async () => {
      await using setup = await newSignedSetup();
      await using running = await serve([setup.config]);
      // Each answer brings the next ping, so that the queue of the server is hardly ever empty.
      expect(await challengesOf(running.port, 30_000, 128)).toBe(30_000);
    },
    60_000,
  );
});

/**
 * Sends pings that are challenged, this many at once, a new one for each challenge.
 * @returns how many were challenged when all were, or when none was for three seconds
 */
async function challengesOf(port: number, count: number, atOnce: number): Promise<number> {
  const pings = Array.from({ length: count }, () =>
    signedPing({ name: "nas", counter: digits(0) }),
  );
  let challenged = 0;
  const socket = await Bun.udpSocket({
    connect: { hostname: "127.0.0.1", port },
    socket: {
      data() {
        challenged++;
        const next = pings.pop();
        if (next !== undefined) socket.send(next);
      },
      error() {},
    },
  });
  for (const ping of pings.splice(0, atOnce)) socket.send(ping);
  for (let before = -1; challenged < count && challenged > before;) {
    before = challenged;
    await holdsWithin(3000, () => challenged === count);
  }
  socket.close();
  return challenged;
}

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
  "the event loop turns, and timers fire, while a flood goes on",
  async () => {
    // The socket alone, in a process of its own, with a handler that takes 5 µs: without pauses the
    // loop would not turn before the flood is over.
    const udp = JSON.stringify(
      Bun.pathToFileURL(`${import.meta.dir}/../../src/system/udp.ts`).href,
    );
    const script = `
      import { bind } from ${udp};
      let ticks = 0, received = 0;
      const socket = await bind({ address: "127.0.0.1", port: 0, onError() {}, onDatagram() {
        received++;
        const end = performance.now() + 0.005;
        while (performance.now() < end);
      } });
      console.log(socket.port);
      setInterval(() => { if (received > 0) ticks++; }, 10);
      process.stdin.once("data", () => { console.log(ticks); process.exit(); });`;
    const child = Bun.spawn([process.execPath, "-e", script], {
      stdin: "pipe",
      stdout: "pipe",
      timeout: 25_000,
    });
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const port = Number((await reader.read()).value);
    await using noise = flood("junk", port, 20);
    await Bun.sleep(3000); // the flood goes on, and is not over when the answer comes
    child.stdin.write("how many?");
    child.stdin.flush();
    expect(Number((await reader.read()).value)).toBeGreaterThan(10);
    expect(noise.isRunning()).toBe(true);
    expect(await child.exited).toBe(0);
  },
  40_000,
);
