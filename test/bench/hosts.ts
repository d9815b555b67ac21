/** The cost of a plain ping by the number of known hosts. */
import type { Bench, Row } from "./measure.ts";
import { dynipPlainRound } from "./rounds.ts";
import { ratios } from "./statistics.ts";

const ROUNDS = 3;
const COUNTS = [1, 1000, 100_000, 1_000_000];
const REFERENCE = 1000;

export async function hosts(bench: Bench): Promise<Row[]> {
  const costs = new Map(COUNTS.map((count): [number, number[]] => [count, []]));
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [count, samples] of costs) {
      bench.progress(`round ${round} of ${ROUNDS}, ${count.toLocaleString("en")} hosts`);
      samples.push(1_000_000 / (await dynipPlainRound(bench, count)));
    }
  }
  const reference = costs.get(REFERENCE)!;
  return [...costs].map(([count, samples]): Row => ({
    what: `cost of a plain ping, ${count.toLocaleString("en")} host${count === 1 ? "" : "s"}`,
    hosts: count,
    dynip: { name: "dynip", unit: "µs", samples },
    reference: { name: "dynip, 1,000 hosts", unit: "µs", samples: reference },
    result: { unit: "times", samples: ratios(samples, reference) },
    ...(count === 1_000_000 ? { bar: { at: "most", value: 1.5 } } : {}),
  }));
}
