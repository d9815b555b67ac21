/** `dynip ping`, `--find` and `dynip serve` across a relay that loses, doubles and reorders datagrams. */
import { expect, setDefaultTimeout, test } from "bun:test";

import { bind, type ConnectedSocket, connect } from "../../src/system/udp.ts";
import { eventually, TEST_MS } from "../waiting.ts";
import { dynip, hintOfSilence, newSetup, serve } from "./dynip.ts";

setDefaultTimeout(TEST_MS);

const env = { DYNIP_SECRET: "A".repeat(43) };

const PINGS = 20;
/** The number of clients at the same time: few enough for a small machine. */
const AT_ONCE = 10;

test.each([
  { percent: 10, seed: 6 },
  { percent: 20, seed: 6 },
])(
  `$percent percent lost, some doubled or late: ${PINGS} pings are all acknowledged`,
  async ({ percent, seed }) => {
    await using setup = await newSetup();
    await using server = await serve([setup.config], { env });
    await using relay = await startRelay(setup.port, { loss: percent / 100, seed });
    const names = Array.from({ length: PINGS }, (_, index) => `host-${index}`);

    const waiting = [...names];
    const results = new Map<string, unknown>();
    const pingInTurn = async (): Promise<void> => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        const config = await clientConfig(setup, name, relay.port);
        // dynip() gives up on each after twenty seconds.
        results.set(name, await dynip(["ping", config], { env }));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, pingInTurn));

    const silentSuccess = { exitCode: 0, stdout: "", stderr: "" };
    for (const name of names) expect([name, results.get(name)]).toEqual([name, silentSuccess]);
    await eventually("every name in the client log", async () => {
      // There is no log before the first ping is stored.
      const log = await setup.readLog().catch(() => ({}));
      return Object.keys(log).length === PINGS;
    });
    for (const host of Object.values(await setup.readLog())) {
      expect(host.ipv4?.address).toBe("127.0.0.1");
    }
    expect(server.stderr()).not.toContain("wrong MAC");

    // The relay did lose, double and reorder.
    expect(relay.lost / relay.carried).toBeWithin((0.5 * percent) / 100, (1.5 * percent) / 100);
    expect(relay.doubled).toBeGreaterThan(0);
    expect(relay.overtaken).toBeGreaterThan(0);
  },
);

test(`20 percent lost, some doubled or late: ${PINGS} questions are all answered`, async () => {
  await using setup = await newSetup();
  await using _server = await serve([setup.config], { env });
  const names = Array.from({ length: PINGS }, (_, index) => `host-${index}`);
  {
    await using still = await startRelay(setup.port, { loss: 0, seed: 6 });
    const pinging = names.map(async (name) => {
      const config = await clientConfig(setup, name, still.port);
      expect((await dynip(["ping", config], { env })).exitCode).toBe(0);
    });
    await Promise.all(pinging);
  }
  await using relay = await startRelay(setup.port, { loss: 0.2, seed: 6 });
  const waiting = [...names];
  const results = new Map<string, unknown>();
  const askInTurn = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const config = await clientConfig(setup, name, relay.port);
      results.set(name, await dynip(["ping", "--find", name, config], { env }));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, askInTurn));
  const answered = { exitCode: 0, stdout: "127.0.0.1\n", stderr: "" };
  for (const name of names) expect([name, results.get(name)]).toEqual([name, answered]);
  expect(relay.lost).toBeGreaterThan(0);
  expect(relay.doubled).toBeGreaterThan(0);
  expect(relay.overtaken).toBeGreaterThan(0);
});

test("a network that drops everything: exit code 6, and what to look at", async () => {
  await using setup = await newSetup();
  await using server = await serve([setup.config], { env });
  await using relay = await startRelay(setup.port, { loss: 1, seed: 1 });
  const config = await clientConfig(setup, "nas", relay.port);

  const start = performance.now();
  const { exitCode, stdout, stderr } = await dynip(["ping", "--timeout", "1", config], { env });
  expect(performance.now() - start).toBeGreaterThanOrEqual(1000);
  expect({ exitCode, stdout }).toEqual({ exitCode: 6, stdout: "" });
  expect(stderr).toBe(
    `error: Cannot ping "127.0.0.1": no answer from 127.0.0.1, port ${relay.port}\n${hintOfSilence(relay.port)}`,
  );
  // Sent at 0 and 0.5 s. A third would have been sent at 1.5 s.
  expect(relay.carried).toBe(2);
  expect(relay.lost).toBe(2);
  expect(server.stderr()).not.toContain("nas");
});

/** Writes the configuration of a client that pings through the relay, and returns its path. */
async function clientConfig(
  setup: { file(name: string): string },
  name: string,
  port: number,
): Promise<string> {
  const path = setup.file(`${name}.toml`);
  await Bun.write(
    path,
    `[client]\nserver_hostname = "127.0.0.1"\nserver_port = ${port}\nclient_name = "${name}"\n`,
  );
  return path;
}

interface Relay {
  readonly port: number;
  /** The number of datagrams that arrived at the relay, in both directions. */
  readonly carried: number;
  readonly lost: number;
  readonly doubled: number;
  /** The number of datagrams delivered after a later one of the same client and direction. */
  readonly overtaken: number;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Carries datagrams between clients and the server on `port`; it loses some and doubles some. Seed,
 * client name, direction and number decide which, so that every run is the same, however the system
 * schedules the clients.
 *
 * A loss of 20 % each way spoils 36 % of the round trips, so that one ping in 80 would take longer than
 * 10 s. Therefore a client that has lost three datagrams loses no more until two in a row, a ping and
 * its answer, were carried. Three spoilt round trips take 3.5 s of the schedule, once for the first
 * datagram and once for the one with the cookie.
 */
async function startRelay(
  port: number,
  { loss, seed }: { loss: number; seed: number },
): Promise<Relay> {
  const counts = { carried: 0, lost: 0, doubled: 0, overtaken: 0 };
  const flows = new Map<number, Promise<Flow>>();
  const timers = new Set<ReturnType<typeof setTimeout>>();

  /** @param luck shared by both directions of a client */
  function newWay(name: string, direction: string, luck: Luck): (deliver: () => void) => void {
    let number = 0;
    let newest = 0;
    return (deliver) => {
      const own = ++number;
      const chance = (what: string): number =>
        Number(Bun.hash(`${seed} ${name} ${direction} ${own} ${what}`) % 1000n) / 1000;
      counts.carried++;
      const isDoubled = chance("double") < 0.1;
      if (isDoubled) counts.doubled++;
      if (chance("lose") < loss && (loss === 1 || luck.lost < 3)) {
        counts.lost++;
        luck.lost++;
        luck.carried = 0;
        return;
      }
      if (++luck.carried === 2) luck.lost = 0;
      for (const copy of isDoubled ? ["first", "second"] : ["first"]) {
        // Most arrive at once, as on loopback; some after the client has sent its next datagram.
        const delay = chance(`hold ${copy}`) < 0.15 ? 550 : 20 * chance(`delay ${copy}`);
        const timer = setTimeout(() => {
          timers.delete(timer);
          if (own < newest) counts.overtaken++;
          newest = Math.max(newest, own);
          deliver();
        }, delay);
        timers.add(timer);
      }
    };
  }

  async function newFlow(name: string, clientPort: number, peer: string): Promise<Flow> {
    const luck: Luck = { lost: 0, carried: 0 };
    const back = newWay(name, "back", luck);
    const socket = await connect("127.0.0.1", port, (datagram) => {
      const reply = Uint8Array.from(datagram);
      back(() => front.send(reply, clientPort, peer));
    });
    return { socket, forth: newWay(name, "forth", luck) };
  }

  const front = await bind({
    address: "127.0.0.1",
    port: 0,
    // ECONNREFUSED: a client has ended while a second answer to it is under way.
    onError() {},
    onDatagram(datagram, _address, clientPort, peer) {
      const ping = Uint8Array.from(datagram);
      const fields = Buffer.from(ping).toString().split(" ");
      const name = fields[fields[1] === "Q" ? 4 : 5]!;
      const flow = flows.get(clientPort) ?? newFlow(name, clientPort, peer);
      flows.set(clientPort, flow);
      void flow.then(({ socket, forth }) => forth(() => socket.send(ping)));
    },
  });
  return Object.assign(counts, {
    port: front.port,
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearTimeout(timer);
      front.close();
      for (const flow of flows.values()) (await flow).socket.close();
    },
  });
}

interface Luck {
  /** The number lost since two in a row were carried. */
  lost: number;
  /** The number carried in a row. */
  carried: number;
}

/** The relay's state of one client. */
interface Flow {
  /** Connected to the server. */
  socket: ConnectedSocket;
  /** Carries or loses a datagram of the client. */
  forth: (deliver: () => void) => void;
}
