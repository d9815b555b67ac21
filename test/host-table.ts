/** Host tables and hashes of names that a seed repeats. */
import { type Fill, NameHash } from "../src/name-map.ts";
import { HostTable } from "../src/store/host-table.ts";
import { Random } from "./fuzz/random.ts";

export function filledWith(seed: number): Fill {
  const random = new Random(seed);
  return (array) => {
    for (let at = 0; at < array.length; at++) array[at] = random.next();
  };
}

export function newHash(seed: number): NameHash {
  return new NameHash(filledWith(seed));
}

export function newHostTable(): HostTable {
  return new HostTable(filledWith(1));
}
