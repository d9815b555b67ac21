/**
 * Peers that are gone, not there yet, or never existed. The errors that the network reports for them
 * (ICMP unreachable, mostly) affect no other exchange, neither at the server nor at the client.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";

import type { RunResult } from "../processes.ts";
import { freePort, receiver } from "../temporary.ts";
import { TEST_MS } from "../waiting.ts";
import { dynip, HAS_SIGNALS, newSetup, serve } from "./dynip.ts";
import { digits, openPeer, SECRET, signedPing } from "./wire.ts";

setDefaultTimeout(TEST_MS);

const onUnix = test.skipIf(!HAS_SIGNALS);
/** On Linux Bun asks for ICMP errors on every socket; other systems may report none. */
const SEES_ICMP = process.platform === "linux";

const env = { DYNIP_SECRET: SECRET };

/** Sends a datagram and closes the socket, mostly before the answer. */
async function sendAndVanish(port: number, datagram: string): Promise<void> {
  await using peer = await openPeer(port);
  await peer.send(datagram);
}

describe("clients that close their socket before the answer", () => {
  // The server is stopped meanwhile, so that every client is gone when it answers.
  onUnix("300 of them, each before another's ping: every answer is delivered", async () => {
    await using setup = await newSetup();
    await using server = await serve(["--debug", setup.config], { env });
    await using steady = await openPeer(server.port);
    for (let round = 0; round < 15; round++) {
      // Few enough for the receive buffer, and not to be taken for a flood.
      const wanted = Array.from({ length: 20 }, (_, index) => digits(1000 * (round + 1) + index));
      process.kill(server.pid, "SIGSTOP");
      try {
        for (const nonce of wanted) {
          await sendAndVanish(server.port, signedPing({ name: `gone-${nonce}` }));
          // A name each, since one is challenged ten times a second at most.
          await steady.send(signedPing({ name: `steady-${nonce}`, nonce }));
        }
      } finally {
        process.kill(server.pid, "SIGCONT");
      }
      for (const nonce of wanted) {
        const [reply] = await steady.replies(`steady-${nonce}`, nonce);
        expect(reply!.type).toBe("C");
      }
    }
    if (SEES_ICMP) expect(server.stderr()).toContain("socket: "); // the errors were reported to it
    expect((await steady.exchange("nas")).type).toBe("A");
    const { exitCode, stderr } = await server.stop();
    expect(exitCode).toBe(0);
    expect(stderr).toContain("stopped: 1 ping accepted, 601 challenged, 0 datagrams dropped\n");
    expect(Object.keys(await setup.readLog())).toEqual(["nas"]);
  });

  test("200 of them with a server that does not wait for them", async () => {
    await using setup = await newSetup();
    await using server = await serve([setup.config], { env });
    await using steady = await openPeer(server.port);
    for (let index = 0; index < 200; index++) {
      await sendAndVanish(server.port, signedPing({ name: `gone-${index}` }));
      expect((await steady.ask({ name: `steady-${index}` })).type).toBe("C");
    }
    expect((await steady.exchange("nas")).type).toBe("A");
  });

  test("also when the answer is an acknowledgement, which comes after a sync", async () => {
    await using setup = await newSetup();
    await using server = await serve([setup.config], { env });
    await using steady = await openPeer(server.port);
    const { counter } = await steady.exchange("nas");
    const first = Number.parseInt(counter, 16);
    for (let index = 1; index <= 50; index++) {
      // From the recorded address: accepted at once, whatever the port.
      const next = digits(first + index);
      await sendAndVanish(server.port, signedPing({ name: "nas", counter: next }));
      expect((await steady.exchange(`steady-${index}`)).type).toBe("A");
    }
    await server.stop();
    const { nas } = (await setup.readLog()) as Record<string, { counter?: string }>;
    if (HAS_SIGNALS) expect(nas!.counter).toBe(digits(first + 50)); // the last one was stored, though its client was gone
  });
});

/**
 * Resolves when a ping that was just started has sent to a port where nothing answers, usually twice:
 * the first datagram, sent at once, meets a closed port and brings an ICMP error, and a socket sees the
 * second, sent at 0.5 s. On a slow machine that may be the first.
 */
async function metNobody(port: number): Promise<void> {
  await Bun.sleep(250);
  await using silent = await receiver("127.0.0.1", port);
  await silent.next();
}

describe("a server that is not there yet", () => {
  test("and comes up within the schedule: the ping succeeds", async () => {
    await using setup = await newSetup({ client: 'client_name = "nas"' });
    const pinging = dynip(["ping", "-v", setup.config], { env });
    await metNobody(setup.port);
    await using server = await serve([setup.config], { env });
    const { exitCode, stderr } = await pinging;
    expect({ exitCode, stderr }).toEqual({
      exitCode: 0,
      stderr: expect.stringContaining("127.0.0.1 recorded nas at 127.0.0.1"),
    });
    await server.said("new host nas at 127.0.0.1");
  });

  test("or goes and comes back: the next ping succeeds", async () => {
    await using setup = await newSetup({ client: 'client_name = "nas"' });
    const ping = () => dynip(["ping", setup.config], { env });
    {
      await using _server = await serve([setup.config], { env });
      expect((await ping()).exitCode).toBe(0);
    }
    const pinging = ping();
    await metNobody(setup.port);
    await using _server = await serve([setup.config], { env });
    expect((await pinging).exitCode).toBe(0);
  });
});

describe("a client that pings", () => {
  const outward = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

  /** Pings `address` with and without a key, where `port` is nobody's unless a server is there. */
  async function pingBoth(address: string, port: number): Promise<[RunResult, RunResult]> {
    await using setup = await newSetup({ client: 'client_name = "nas"' });
    const text = await readFile(setup.config, "utf8");
    const client = text.slice(text.indexOf("[client]"));
    await writeFile(
      setup.config,
      client.replace("127.0.0.1", address).replaceAll(String(setup.port), String(port)),
    );
    const args = ["ping", "--timeout", "600ms", setup.config];
    return await Promise.all([dynip(args, { env }), dynip(args)]);
  }

  test.each([
    ["everybody", "255.255.255.255"],
    ["a group", "224.0.0.1"],
    ["nobody", "0.0.0.0"],
    ["a port of nobody", "127.0.0.1"],
  ])("%s (%s) ends in time, with an error that is none of the program's", async (_who, address) => {
    const [signed, plain] = await pingBoth(address, await freePort());
    // Nobody acknowledged; where the system refused to send, that is another code.
    expect(signed.exitCode).toBeOneOf([5, 6]);
    expect(signed.stderr).toStartWith(`error: Cannot ping "${address}": `);
    // A plain ping is confirmed by nobody, so that it may count as sent.
    expect(plain.exitCode).toBeOneOf([0, 5]);
    if (plain.exitCode === 5) expect(plain.stderr).toStartWith(`error: Cannot ping "${address}": `);
    else expect(plain.stderr).toBe("");
    for (const { stdout, stderr } of [signed, plain]) {
      expect(stdout).toBe("");
      expect(stderr).not.toContain("bug in dynip");
    }
  });

  test.skipIf(outward === undefined)("its own address: it is recorded there", async () => {
    await using setup = await newSetup();
    await using server = await serve([setup.config], { env });
    const [signed] = await pingBoth(outward!, server.port);
    expect(signed).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    await server.said(`new host nas at ${outward}\n`);
  });
});
