/** Acknowledged signed pings per second, beside updates of BIND 9 by nsupdate. */
import { Resolver } from "node:dns/promises";

import type { Bench, Row } from "./measure.ts";
import { missingBind, type Named, scriptHead, startNamed, update, ZONE } from "./named.ts";
import { run } from "./processes.ts";
import { hostName } from "./programs/hosts.ts";
import { dynipSignedRound } from "./rounds.ts";
import { ratios } from "./statistics.ts";

const ROUNDS = 3;
const HOSTS = 1000;

/** With more at once, BIND is not faster. */
const CLIENTS = 4;
const UPDATES_EACH = 1000;

export async function bind(bench: Bench): Promise<Row[]> {
  const what = "signed pings, acknowledged, 256 in flight";
  const missing = missingBind();
  if (missing) return [{ what, skipped: missing }];
  const bind9: number[] = [];
  const dynip: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    bench.progress(`round ${round} of ${ROUNDS}`);
    // Rarely, BIND does not answer an update, and nsupdate gives up after half a minute.
    bind9.push(
      await bindRound().catch((error: Error) => {
        bench.progress(`once more: ${error.message}`);
        return bindRound();
      }),
    );
    dynip.push((await dynipSignedRound(bench, HOSTS)).perSecond);
  }
  return [
    {
      what,
      dynip: { name: "dynip", unit: "/s", samples: dynip },
      reference: { name: `BIND 9, ${CLIENTS} nsupdate at once`, unit: "/s", samples: bind9 },
      result: { unit: "times", samples: ratios(dynip, bind9) },
      bar: { at: "least", value: 20 },
    },
  ];
}

/** The number of updates per second that BIND answered; each moves a host to another address. */
async function bindRound(): Promise<number> {
  await using named = await startNamed();
  const scripts = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      const script = named.file(`client-${client}`);
      const updates = Array.from({ length: UPDATES_EACH }, (_, index) => {
        const host = client + CLIENTS * (index % (HOSTS / CLIENTS));
        return update(hostName(host), address(client, index));
      });
      await Bun.write(script, scriptHead(named.port) + updates.join(""));
      return script;
    }),
  );
  const start = performance.now();
  await Promise.all(scripts.map((script) => run(named.nsupdate(script))));
  const seconds = (performance.now() - start) / 1000;
  await checkLastUpdates(named);
  return (CLIENTS * UPDATES_EACH) / seconds;
}

async function checkLastUpdates(named: Named): Promise<void> {
  const resolver = new Resolver();
  resolver.setServers([`127.0.0.1:${named.port}`]);
  for (let client = 0; client < CLIENTS; client++) {
    const index = UPDATES_EACH - 1;
    const host = client + CLIENTS * (index % (HOSTS / CLIENTS));
    const [found] = await resolver.resolve4(`${hostName(host)}.${ZONE}`);
    if (found !== address(client, index)) throw new Error(`BIND has not taken ${hostName(host)}`);
  }
}

function address(client: number, index: number): string {
  return `10.${client}.${index >> 8}.${index & 255}`;
}
