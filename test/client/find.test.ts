/** Questions to several servers, in simulated time. The servers are the real code, see world.ts. */
import { describe, expect, test } from "bun:test";

import {
  askServers,
  type FindParts,
  freshest,
  NoAnswerError,
  type ServerAnswer,
} from "../../src/client/find.ts";
import { describeEvent } from "../../src/client/evidence.ts";
import { GIVE_UP_MS, SCHEDULE } from "../../src/client/exchange.ts";
import type { Host } from "../../src/host.ts";
import {
  type Answer,
  decode,
  decodeReply,
  encodeAnswer,
  encodeReply,
  NO_COOKIE,
  type Question,
} from "../../src/protocol/message.ts";
import { Simulation } from "../simulation.ts";
import { HostMap, startServer } from "../world.ts";

const KEY = new Uint8Array(32).fill(1);
const NOON = Date.UTC(2026, 10, 22, 12);
const HOME = "203.0.113.52";
const CLIENT = "192.0.2.7";
const REQUEST = { name: "nas", asker: "phone", key: KEY };

interface Behaviour {
  /** Milliseconds that a datagram takes each way; Infinity for a server that is silent. */
  delay: number;
  /** How many seconds ago nas was seen; undefined where it is unknown. */
  age?: number;
  /** The servers' addresses; one by default. The first may be dead. */
  addresses?: string[];
  dead?: readonly string[];
  /** Changes what the server sends, or drops it. */
  replace?: (reply: Uint8Array, question: Question) => Uint8Array[];
}

/** Servers by host name, and the ways to them. */
async function newNetwork(behaviours: Record<string, Behaviour>) {
  const simulation = new Simulation();
  const sent: { to: string; time: number; question: Question; bytes: number }[] = [];
  const ports = new Map<number, (datagram: Uint8Array) => void>();
  const events: string[] = [];
  let lastPort = 40_000;
  let open = 0;
  const byAddress = new Map<
    string,
    { behaviour: Behaviour; receive: (q: Uint8Array, port: number) => void }
  >();
  const resolved = new Map<string, string[]>();
  for (const [index, [hostname, behaviour]] of Object.entries(behaviours).entries()) {
    const { age } = behaviour;
    const seen = NOON - (age ?? 0) * 1000;
    const nas: Host = { ipv4: { address: HOME, since: seen, lastSeen: seen }, counter: 1 };
    let asked: Question | undefined;
    const server = await startServer({
      hosts: new HostMap(age === undefined ? [] : [["nas", nas]]),
      readers: ["phone"],
      keyOf: () => KEY,
      now: () => NOON,
      monotonic: () => simulation.time,
      socket: {
        send(reply, port) {
          const replies = behaviour.replace?.(reply, asked!) ?? [reply];
          for (const one of replies)
            simulation.after(behaviour.delay, () => ports.get(port)?.(one));
        },
      },
    });
    const addresses = behaviour.addresses ?? [`198.51.100.${index + 1}`];
    resolved.set(hostname, addresses);
    for (const address of addresses) {
      byAddress.set(address, {
        behaviour,
        receive(bytes, port) {
          const message = decode(bytes);
          if (message.type === "question") asked = message.question;
          server.receive(bytes, CLIENT, port, CLIENT);
        },
      });
    }
  }
  const { monotonic, sleep, nonce } = simulation.clientParts();
  const parts: FindParts = {
    monotonic,
    sleep,
    nonce,
    observerOf: (hostname) => (event) => events.push(`${hostname}: ${describeEvent(event)}`),
    async resolve(hostname) {
      const addresses = resolved.get(hostname);
      if (!addresses) throw Object.assign(new Error("not found"), { code: "ENOTFOUND" });
      return addresses;
    },
    async connect(to, _port, onDatagram) {
      const port = ++lastPort;
      const { behaviour, receive } = byAddress.get(to)!;
      ports.set(port, onDatagram);
      open++;
      return {
        send(datagram) {
          const message = decode(datagram);
          if (message.type !== "question") throw new Error("no question");
          sent.push({
            to,
            time: simulation.time,
            question: message.question,
            bytes: datagram.length,
          });
          if (behaviour.delay === Number.POSITIVE_INFINITY || behaviour.dead?.includes(to))
            return true;
          simulation.after(behaviour.delay, () => receive(datagram, port));
          return true;
        },
        close() {
          open--;
          ports.delete(port);
        },
      };
    },
  };
  return {
    simulation,
    sent,
    events,
    async ask({
      hostnames = Object.keys(behaviours),
      timeout = Number.POSITIVE_INFINITY,
      family = "any" as const,
    } = {}) {
      const asked = askServers(REQUEST, { hostnames, port: 28630, family }, timeout, parts);
      const results = await simulation.until(asked);
      return { results, duration: simulation.time, open };
    },
  };
}

const SILENT: Behaviour = { delay: Number.POSITIVE_INFINITY };

/** What a result says in short. */
function inShort(result: ServerAnswer): string | number {
  if (result.kind === "failed") return result.error.message;
  return result.answer.ipv4?.age ?? "unknown";
}

describe("one server", () => {
  test("is asked, challenges and answers, in two round trips", async () => {
    const network = await newNetwork({ one: { delay: 20, age: 130 } });
    const { results, duration, open } = await network.ask();
    const place = { address: HOME, age: 130, stay: 130 };
    expect(results).toEqual([
      {
        hostname: "one",
        kind: "answered",
        answer: { nonce: expect.any(String), isSigned: true, ipv4: place, ipv6: undefined },
      },
    ]);
    expect(duration).toBe(80); // and not a second longer
    expect(open).toBe(0);
    expect(network.events).toEqual([
      "one: resolved to 198.51.100.1",
      "one: sent to 198.51.100.1",
      "one: a challenge from 198.51.100.1",
      "one: sent to 198.51.100.1",
      "one: an answer from 198.51.100.1",
    ]);
    expect(network.sent.map(({ time, bytes }) => [time, bytes])).toEqual([
      [0, 352],
      [40, 352],
    ]);
    const [first, second] = network.sent.map(({ question }) => question);
    expect(first).toMatchObject({ asker: "phone", name: "nas", cookie: NO_COOKIE });
    expect(second!.cookie).not.toBe(NO_COOKIE);
    expect(second!.nonce).not.toBe(first!.nonce);
  });

  test("that is silent is asked on the schedule, with a new nonce each time, and given up", async () => {
    const network = await newNetwork({ one: SILENT });
    const { results, duration, open } = await network.ask();
    expect(results).toEqual([
      { hostname: "one", kind: "failed", error: expect.any(NoAnswerError) },
    ]);
    expect(network.sent.map(({ time }) => time)).toEqual([...SCHEDULE]);
    expect(new Set(network.sent.map(({ question }) => question.nonce)).size).toBe(SCHEDULE.length);
    expect([duration, open]).toEqual([GIVE_UP_MS, 0]);
  });

  test("is given up at the timeout", async () => {
    const network = await newNetwork({ one: SILENT });
    const { duration } = await network.ask({ timeout: 2000 });
    expect(duration).toBe(2000);
    expect(network.sent).toHaveLength(3);
  });

  test("is asked at its other addresses, too, when the first is dead; the family asked for comes first", async () => {
    const addresses = ["198.51.100.1", "2001:db8::1"];
    const behaviour = { delay: 5, age: 1, addresses, dead: ["198.51.100.1"] };
    const network = await newNetwork({ one: behaviour });
    const { results } = await network.ask();
    expect(results.map(inShort)).toEqual([1]);
    expect(network.sent.map(({ to, time }) => [to, time])).toEqual([
      ["198.51.100.1", 0],
      ["198.51.100.1", 500],
      ["198.51.100.1", 1500],
      ["2001:db8::1", 1500],
      ["2001:db8::1", 1510],
    ]);
    const other = await newNetwork({ one: behaviour });
    await other.ask({ family: "ipv6" as "any" });
    expect(other.sent[0]!.to).toBe("2001:db8::1");
  });

  test("that only challenges is given up after three answers to challenges", async () => {
    const challenge = (_reply: Uint8Array, { nonce }: Question) => [
      encodeReply({ type: "C", counter: "0".repeat(16), nonce, value: "1".repeat(32) }, KEY),
    ];
    const network = await newNetwork({ one: { delay: 5, replace: challenge } });
    const { results } = await network.ask();
    expect(results.map(inShort)).toEqual(["one challenge after another"]);
    expect(network.sent).toHaveLength(4);
  });

  test.each<[string, (answer: Uint8Array, question: Question) => Uint8Array]>([
    ["by another key", (_answer, { nonce }) => answerOf(nonce, new Uint8Array(32))],
    ["to another nonce", () => answerOf("f".repeat(16), KEY)],
    ["that is the question", (_answer) => new Uint8Array(352)],
    [
      "that is an acknowledgement",
      (_answer, { nonce }) =>
        encodeReply({ type: "A", counter: "0".repeat(16), nonce, value: "0".repeat(32) }, KEY),
    ],
    ["with a bit flipped", (answer) => answer.with(30, answer[30]! ^ 1)],
    ["with a byte more", (answer) => Buffer.concat([answer, Buffer.from("0")])],
  ])("whose answer comes after one %s is believed alone", async (_what, forge) => {
    let forged = 0;
    const replace = (reply: Uint8Array, question: Question): Uint8Array[] => {
      if (decodeReply(reply)) return [reply];
      forged++;
      return [forge(reply, question), reply];
    };
    const network = await newNetwork({ one: { delay: 5, age: 9, replace } });
    const { results } = await network.ask();
    expect(results.map(inShort)).toEqual([9]);
    expect(forged).toBe(1);
  });

  test("whose replies come twice and late is understood", async () => {
    const replace = (reply: Uint8Array): Uint8Array[] => [reply, reply, reply];
    const network = await newNetwork({ one: { delay: 700, age: 9, replace } });
    const { results, duration } = await network.ask();
    expect(results.map(inShort)).toEqual([9]);
    expect(duration).toBe(2800);
  });
});

describe("several servers", () => {
  test("are asked at once, and all are heard", async () => {
    const network = await newNetwork({
      one: { delay: 10, age: 300 },
      two: { delay: 100, age: 20 },
      three: { delay: 240 },
    });
    const { results, duration } = await network.ask();
    expect(results.map(inShort)).toEqual([300, 20, "unknown"]);
    expect(duration).toBe(960);
  });

  test("have one more second after the first answer, also one whose name is not resolved", async () => {
    const network = await newNetwork({
      one: SILENT,
      two: { delay: 10, age: 20 },
      four: { delay: 400, age: 1 },
    });
    const { results, duration, open } = await network.ask({
      hostnames: ["one", "two", "no-name", "four"],
    });
    expect(results.map(inShort)).toEqual(["no answer", 20, "not found", "no answer"]);
    expect(duration).toBe(1040);
    expect(open).toBe(0);
    const before = network.sent.length;
    await network.simulation.pass(60_000);
    expect(network.sent).toHaveLength(before); // and nothing goes on
  });

  test("are each asked on the schedule until one answers", async () => {
    const network = await newNetwork({ one: SILENT, two: SILENT });
    const { results, duration } = await network.ask();
    expect(results.map(inShort)).toEqual(["no answer", "no answer"]);
    expect(duration).toBe(GIVE_UP_MS);
    for (const address of ["198.51.100.1", "198.51.100.2"]) {
      const times = network.sent.filter(({ to }) => to === address).map(({ time }) => time);
      expect(times).toEqual([...SCHEDULE]);
    }
  });
});

function answerOf(nonce: string, key: Uint8Array): Uint8Array {
  const ipv4 = { address: "192.0.2.66", age: 0, stay: 0 };
  return encodeAnswer({ nonce, isSigned: true, ipv4, ipv6: undefined }, key);
}

describe("the freshest of several answers", () => {
  const answer = (isSigned: boolean, four?: number, six?: number): Answer => ({
    nonce: "0".repeat(16),
    isSigned,
    ipv4: four === undefined ? undefined : { address: `192.0.2.${four}`, age: four, stay: 0 },
    ipv6: six === undefined ? undefined : { address: `2001:db8::${six}`, age: six, stay: 0 },
  });
  test.each<[string, Answer[], [boolean, (number | undefined)?, number?]]>([
    ["nothing, where nothing is known", [answer(false), answer(false)], [false]],
    ["the smallest age of each family", [answer(true, 9, 2), answer(true, 3, 4)], [true, 3, 2]],
    ["what one alone knows", [answer(false), answer(true, undefined, 5)], [true, undefined, 5]],
    ["a signed one, where a plain one is newer", [answer(false, 1), answer(true, 90)], [true, 90]],
    ["no family of a plain one beside it", [answer(false, 1, 1), answer(true, 90)], [true, 90]],
    ["a plain one, where no signed one knows it", [answer(false, 7), answer(false)], [false, 7]],
  ])("is %s", (_what, answers, [isSigned, four, six]) => {
    const found = freshest(answers);
    expect([found.isSigned, found.ipv4?.age, found.ipv6?.age]).toEqual([isSigned, four, six]);
  });
});
