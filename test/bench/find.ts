/** Questions per second beside signed pings, and the time of `dynip ping --find` beside dig's. */
import { copyFile } from "node:fs/promises";

import { encodeKey } from "../../src/protocol/message.ts";
import { BINARY, newSetup } from "../e2e/dynip.ts";
import { alternate } from "./alternate.ts";
import type { Bench, Row } from "./measure.ts";
import { missingBind, scriptHead, startNamed, update, ZONE } from "./named.ts";
import { run, startServer } from "./processes.ts";
import { hostName, SECRET } from "./programs/hosts.ts";
import { dynipQuestionRound, dynipSignedRound } from "./rounds.ts";
import { ratios } from "./statistics.ts";

const ROUNDS = 5;
const HOSTS = 1000;
const NAME = hostName(0);

export async function find(bench: Bench): Promise<Row[]> {
  return [await besideSignedPings(bench), await besideDig(bench)];
}

async function besideSignedPings(bench: Bench): Promise<Row> {
  const pings: number[] = [];
  const questions: number[] = [];
  const lost: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    bench.progress(`round ${round} of ${ROUNDS}`);
    pings.push((await dynipSignedRound(bench, HOSTS)).perSecond);
    const asked = await dynipQuestionRound(bench, HOSTS);
    questions.push(asked.perSecond);
    lost.push(asked.lost);
  }
  return {
    what: "questions, answered, 256 in flight",
    dynip: { name: "dynip", unit: "/s", samples: questions },
    reference: { name: "dynip, signed pings, acknowledged", unit: "/s", samples: pings },
    result: { unit: "times", samples: ratios(questions, pings) },
    bar: { at: "least", value: 1 },
    notes: [`Lost of 200,000 questions in each round: ${lost.join(", ")}.`],
  };
}

async function besideDig(bench: Bench): Promise<Row> {
  const what = "dynip ping --find, start to exit";
  const dig = Bun.which("dig");
  const missing = dig === null ? "there is no dig (Debian: bind9-dnsutils)" : missingBind();
  if (dig === null || missing) return { what, skipped: missing! };
  await using named = await startNamed();
  const script = named.file("one-update");
  await Bun.write(script, scriptHead(named.port) + update(NAME, "203.0.113.7"));
  await run(named.nsupdate(script));
  await using setup = await newSetup({ secret: encodeKey(SECRET) });
  await copyFile(await bench.clientLogs.path("signed", HOSTS), setup.logPath);
  await using _server = await startServer([BINARY, "serve", setup.config]);
  const query = [dig, "+short", "@127.0.0.1", "-p", String(named.port), `${NAME}.${ZONE}`, "A"];
  const samples = await alternate(bench, {
    dig: printing(query, /^203\.0\.113\.7\n$/),
    dynip: printing([BINARY, "ping", "--find", NAME, setup.config], /^[0-9a-f.:]+\n$/),
  });
  return {
    what,
    dynip: { name: "dynip", unit: "ms", samples: samples.dynip },
    reference: { name: "dig, one query to BIND 9", unit: "ms", samples: samples.dig },
    result: { unit: "times", samples: ratios(samples.dynip, samples.dig) },
    bar: { at: "most", value: 1 },
  };
}

/** Runs a command that must print an address, and resolves to its time in milliseconds. */
function printing(command: readonly string[], address: RegExp): () => Promise<number> {
  return async () => {
    const { stdout, milliseconds } = await run(command);
    if (!address.test(stdout)) throw new Error(`${command.join(" ")} printed ${stdout}`);
    return milliseconds;
  };
}
