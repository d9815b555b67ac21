/** Pings a server, or asks it, and says meanwhile what it waits for and what happens. */
import {
  type ClientParts,
  type Destination,
  type Identity,
  type PingResult,
  pingServer,
} from "./client.ts";
import { describeEvent, Evidence, type Observe } from "./evidence.ts";
import { GIVE_UP_MS } from "./exchange.ts";

export interface Say {
  /** Takes one line, once, if it is not over after 2 s; undefined for a log without it. */
  waiting: ((message: string) => void) | undefined;
  /** Takes a line per event; undefined for a log without them. */
  event: ((message: string) => void) | undefined;
}

/** After this time a person wonders whether anything happens. */
const SILENCE_MS = 2000;

/**
 * {@link pingServer}, watched.
 * @returns its results, and what is known of why there was no acknowledgement
 */
export async function watchPing(
  identity: Identity,
  destination: Destination,
  timeout: number,
  parts: Omit<ClientParts, "observe">,
  say: Say,
): Promise<{ results: PingResult[]; evidence: Evidence }> {
  const { evidence, observe, end } = watch(destination, timeout, parts, say);
  try {
    const results = await pingServer(identity, destination, timeout, { ...parts, observe });
    return { results, evidence };
  } finally {
    end();
  }
}

/**
 * Watches what happens to the datagrams to one server.
 * @returns what takes the events, what is known by them, and what to call when all is over
 */
export function watch(
  { hostname, port }: Pick<Destination, "hostname" | "port">,
  timeout: number,
  { monotonic, sleep }: Pick<ClientParts, "monotonic" | "sleep">,
  say: Say,
): { evidence: Evidence; observe: Observe; end: () => void } {
  const evidence = new Evidence(hostname, port);
  const start = monotonic();
  const over = new AbortController();
  if (say.waiting) void sayWhenSilent(evidence, timeout, say.waiting, over.signal, sleep);
  return {
    evidence,
    observe(event) {
      evidence.add(event);
      const seconds = ((monotonic() - start) / 1000).toFixed(3);
      say.event?.(`${hostname}, ${seconds} s: ${describeEvent(event)}`);
    },
    end: () => over.abort(),
  };
}

async function sayWhenSilent(
  evidence: Evidence,
  timeout: number,
  say: (message: string) => void,
  over: AbortSignal,
  sleep: ClientParts["sleep"],
): Promise<void> {
  await sleep(SILENCE_MS, over);
  if (over.aborted) return;
  const seconds = Math.floor(Math.min(timeout, GIVE_UP_MS) / 1000);
  say(`${evidence.waitingFor()}; trying for ${seconds} s`);
}
