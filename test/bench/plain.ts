/** Plain pings per second that the server takes, beside a bare socket. */
import type { Bench, Row } from "./measure.ts";
import { barePlainRound, dynipPlainRound, generatorAlone } from "./rounds.ts";
import { median, ratios } from "./statistics.ts";

const ROUNDS = 5;
const HOSTS = 1000;

export async function plain(bench: Bench): Promise<Row[]> {
  const bare: number[] = [];
  const dynip: number[] = [];
  const alone: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    bench.progress(`round ${round} of ${ROUNDS}`);
    alone.push(await generatorAlone(bench, HOSTS));
    bare.push(await barePlainRound(bench, HOSTS));
    dynip.push(await dynipPlainRound(bench, HOSTS));
  }
  return [
    {
      what: "plain pings, 1,000 hosts",
      dynip: { name: "dynip", unit: "/s", samples: dynip },
      reference: { name: "bare Bun.udpSocket and a Map", unit: "/s", samples: bare },
      result: { unit: "times", samples: ratios(dynip, bare) },
      bar: { at: "least", value: 0.7 },
      notes: [`The generator alone sends ${Math.round(median(alone)).toLocaleString("en")}/s.`],
    },
  ];
}
