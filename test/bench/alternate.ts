/** Times short programs alternately, so that a busy machine slows all of them alike. */
import type { Bench } from "./measure.ts";
import { median } from "./statistics.ts";

const ROUNDS = 5;
const TIMES_A_ROUND = 8;

/**
 * Runs the sides in turn, 8 times per round.
 * @param sides each runs a program once and resolves to its time in milliseconds
 * @returns for each side the median of each round
 */
export async function alternate<Name extends string>(
  bench: Bench,
  sides: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(sides) as Name[];
  const medians = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<
    Name,
    number[]
  >;
  for (const name of names) await sides[name](); // warm-up: reads the files into the page cache
  for (let round = 1; round <= ROUNDS; round++) {
    bench.progress(`round ${round} of ${ROUNDS}`);
    const samples = new Map(names.map((name): [Name, number[]] => [name, []]));
    for (let time = 0; time < TIMES_A_ROUND; time++) {
      for (const [name, times] of samples) times.push(await sides[name]());
    }
    for (const [name, times] of samples) medians[name].push(median(times));
  }
  return medians;
}
