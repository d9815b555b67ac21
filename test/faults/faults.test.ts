/** A short version of `bun run faults` for the gate. */
import { expect, test } from "bun:test";

import { fullDisk } from "./full-disk.ts";
import { kills } from "./kills.ts";
import { noticeFaults } from "./notices.ts";
import type { Outcome } from "./outcome.ts";
import { FORGETTING, powerCuts } from "./power-cuts.ts";
import { readOnlyFolder } from "./read-only.ts";
import { refusals } from "./refusals.ts";
import { tornPages } from "./torn-pages.ts";

const TIMEOUT_MS = 60_000;
const seed = Math.floor(Math.random() * 2 ** 31);

function expectNothingLost(outcomes: readonly Outcome[]): void {
  for (const { name, skipped } of outcomes) {
    if (skipped !== undefined) console.log(`skipped: ${name}: ${skipped}`);
  }
  console.log(`seed ${seed}`);
  expect(outcomes.flatMap(({ lost }) => lost)).toEqual([]);
  for (const { cycles, skipped } of outcomes) expect(cycles > 0).toBe(skipped === undefined);
}

test(
  "20 times kill -9 under load: nothing that was acknowledged is lost",
  async () => expectNothingLost(await kills({ cycles: 20, seed }, () => {})),
  TIMEOUT_MS,
);

test(
  "a power cut at any file operation: nothing that was acknowledged is lost",
  async () => expectNothingLost(await powerCuts({ lucks: 1, seed, every: 3 }, () => {})),
  TIMEOUT_MS,
);

test(
  "a power cut while a host is forgotten: it stays so, and nothing else is lost",
  async () => {
    expectNothingLost(await powerCuts({ lucks: 1, seed, every: 9, ...FORGETTING }, () => {}));
  },
  TIMEOUT_MS,
);

test(
  "a power cut on a file system that keeps no order: nothing is lost",
  async () => {
    const rules = { lucks: 2, seed, every: 6, isOrdered: false };
    expectNothingLost(await powerCuts(rules, () => {}));
  },
  TIMEOUT_MS,
);

test(
  "a power cut while a batch is synced, whatever pages of it are missing: nothing is lost",
  async () => {
    const rules = { sizes: [1, 27, 107, 600], images: 20, seed };
    expectNothingLost(await tornPages(rules, () => {}));
  },
  TIMEOUT_MS,
);

test(
  "a disk that refuses any file operation: no acknowledgement, and it recovers",
  async () => expectNothingLost(await refusals(["EIO"], () => {}, { seed, every: 4 })),
  TIMEOUT_MS,
);

test(
  "a kill, a power cut or an error while silence is told: each is told, and once, or says so",
  async () => {
    expectNothingLost(await noticeFaults({ lucks: 1, seed, every: 9 }, () => {}));
  },
  TIMEOUT_MS,
);

test(
  "a disk that is full: no acknowledgement, and it recovers",
  async () => expectNothingLost(await fullDisk(() => {}, 1)),
  TIMEOUT_MS,
);

test(
  "a read-only folder at start: exit code 2",
  async () => expectNothingLost(await readOnlyFolder(() => {})),
  TIMEOUT_MS,
);
