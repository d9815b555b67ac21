/** Host tables whose hashes a seed repeats. */
import { HostTable } from "../src/store/host-table.ts";
import type { Fill } from "../src/store/name-index.ts";
import { Random } from "./fuzz/random.ts";

export function filledWith(seed: number): Fill {
  const random = new Random(seed);
  return (array) => {
    for (let at = 0; at < array.length; at++) array[at] = random.next();
  };
}

export function newHostTable(): HostTable {
  return new HostTable(filledWith(1));
}
