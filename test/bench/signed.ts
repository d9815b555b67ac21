/** Signed pings per second that are verified, made durable and acknowledged, beside a bare echo. */
import type { Bench, Row } from "./measure.ts";
import { dynipSignedRound, echoRound, type SignedRound } from "./rounds.ts";
import { ratios } from "./statistics.ts";

const ROUNDS = 5;
const HOSTS = 1000;

export async function signed(bench: Bench): Promise<Row[]> {
  const echo: SignedRound[] = [];
  const dynip: SignedRound[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    bench.progress(`round ${round} of ${ROUNDS}`);
    echo.push(await echoRound(bench, HOSTS));
    dynip.push(await dynipSignedRound(bench, HOSTS));
  }
  const ofDynip = dynip.map(({ perSecond }) => perSecond);
  const ofEcho = echo.map(({ perSecond }) => perSecond);
  return [
    {
      what: "signed pings, acknowledged, 256 in flight",
      dynip: { name: "dynip", unit: "/s", samples: ofDynip },
      reference: { name: "bare Bun UDP echo", unit: "/s", samples: ofEcho },
      result: { unit: "times", samples: ratios(ofDynip, ofEcho) },
      bar: { at: "least", value: 0.3 },
      notes: [`Lost of 200,000 in each round: ${dynip.map(({ lost }) => lost).join(", ")}.`],
    },
  ];
}
