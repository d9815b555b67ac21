/**
 * Kills the compiled server with SIGKILL, at random moments under load, always on the same log and the
 * same history.
 */
import { readdir, readFile } from "node:fs/promises";

import { errorCode } from "../../src/system/errors.ts";
import { BINARY, HAS_SIGNALS, newSignedSetup, serve } from "../e2e/dynip.ts";
import { SECRET_BYTES } from "../e2e/wire.ts";
import { Random } from "../fuzz/random.ts";
import { startProcess } from "../processes.ts";
import { holdsWithin } from "../waiting.ts";
import { historyProblems } from "./history-check.ts";
import { Load } from "./load.ts";
import { count, type Outcome, outcome, type Progress } from "./outcome.ts";

const NAMES = Array.from({ length: 24 }, (_, index) => `host-${index}`);
const LONGEST_LIFE_MS = 200;
const LONGEST_START_MS = 30;

export async function kills(
  { cycles, seed }: { cycles: number; seed: number },
  progress: Progress,
): Promise<Outcome[]> {
  const into = outcome("kill -9 of the server under load");
  const random = new Random(seed);
  await using setup = await newSignedSetup({
    server: 'server_ip = "127.0.0.1"\nhistory_path = "history.jsonl"',
  });
  const load = new Load(setup.port, SECRET_BYTES, NAMES, random);
  const watch = new Watch(setup.logPath, load);
  await load.start();
  try {
    for (let cycle = 1; cycle <= cycles; cycle++) {
      // One time in four before it listens, while it reads the log or writes it anew.
      if (random.once(4)) await killAtStart(setup.config, random.below(LONGEST_START_MS));
      const promised = new Map(load.acknowledged);
      const before = load.acknowledgements;
      const wrong: string[] = [];
      try {
        await using server = await serve([setup.config]);
        wrong.push(...(await watch.until(promised)));
        const life = random.below(LONGEST_LIFE_MS);
        for (const end = performance.now() + life; performance.now() < end;) await Bun.sleep(1);
        const hasAnswered =
          life <= 100 || (await holdsWithin(5000, () => load.acknowledgements > before));
        await server.stop("SIGKILL");
        if (!hasAnswered) wrong.push("acknowledged nothing");
      } catch (error) {
        wrong.push((error as Error).message);
      }
      count(into, `seed ${seed}, cycle ${cycle}`, wrong);
      progress(cycle, cycles);
    }
    const promised = new Map(load.acknowledged);
    const wrong: string[] = [];
    {
      await using server = await serve([setup.config]);
      wrong.push(...(await watch.until(promised)));
      await load.stop();
      if (HAS_SIGNALS) {
        await server.stop("SIGTERM");
        wrong.push(...(await watch.until(load.acknowledged)));
        const files = (await readdir(setup.path)).sort().join();
        if (files !== "dynip.json,dynip.toml,history.jsonl") wrong.push(`left over: ${files}`);
        const history = await readFile(setup.file("history.jsonl"), "utf8");
        wrong.push(...historyProblems(history, await Bun.file(setup.logPath).json()));
      }
    }
    count(into, `seed ${seed}, the end`, wrong);
    into.cycles--; // the end is no kill
    if (wrong.length === 0) into.survived--;
  } finally {
    await load.stop().catch(() => {});
  }
  return [{ ...into, name: `${into.name}, ${load.acknowledgements} acknowledged` }];
}

async function killAtStart(config: string, milliseconds: number): Promise<void> {
  await using _server = startProcess([BINARY, "serve", config]);
  await Bun.sleep(milliseconds);
}

interface Entry {
  ipv4: { address: string };
  counter: string;
}

/** Reads the log as other programs do, and checks that no counter goes back. */
class Watch {
  readonly #path: string;
  readonly #load: Load;
  readonly #seen = new Map<string, number>();

  constructor(path: string, load: Load) {
    this.#path = path;
    this.#load = load;
  }

  /** Waits until the log has what was promised, and returns what is wrong with it. */
  async until(promised: ReadonlyMap<string, number>): Promise<string[]> {
    let wrong: string[] = [];
    let missing: string[] = [];
    const isOver = await holdsWithin(5000, async () => {
      wrong = [];
      const counters = await this.#read(wrong);
      missing = [...promised]
        .filter(([name, counter]) => (counters.get(name) ?? 0) < counter)
        .map(([name, counter]) => `${name} has ${counters.get(name)}, acknowledged was ${counter}`);
      return wrong.length > 0 || missing.length === 0;
    });
    return isOver ? wrong : missing;
  }

  async #read(wrong: string[]): Promise<Map<string, number>> {
    const counters = new Map<string, number>();
    let log: Record<string, Entry>;
    try {
      log = await Bun.file(this.#path).json();
    } catch (error) {
      if (errorCode(error) !== "ENOENT" || this.#seen.size > 0) {
        wrong.push(`the log cannot be read: ${(error as Error).message}`);
      }
      return counters;
    }
    for (const [name, { ipv4, counter: digits }] of Object.entries(log)) {
      const counter = Number.parseInt(digits, 16);
      const address = this.#load.addressOf(name, counter);
      if (ipv4.address !== address) wrong.push(`${name} is at ${ipv4.address}, not ${address}`);
      const seen = this.#seen.get(name) ?? 0;
      if (counter < seen) wrong.push(`${name} went back from ${seen} to ${counter}`);
      this.#seen.set(name, counter);
      counters.set(name, counter);
    }
    return counters;
  }
}
