/** Signed pings that are lost while HTTP requests come beside them. */
import { httpPassword } from "../../src/protocol/http-password.ts";
import { deriveKey } from "../../src/protocol/message.ts";
import { startDynip } from "./dynip-server.ts";
import type { Bench, Row } from "./measure.ts";
import { run } from "./processes.ts";
import { hostName, SECRET } from "./programs/hosts.ts";

const HOSTS = 1000;
const PINGS_PER_SECOND = 10_000;
const SECONDS = 10;
const READER = hostName(0);

const LOADS: Load[] = [
  {
    what: "5,000 requests/s of addresses",
    perSecond: 5000,
    requests: requestsFor((index) => [`/hosts/${hostName(index)}`, READER]),
  },
  {
    // Of names that do not ping: a ping from an address other than the reported one is challenged.
    what: "5,000 reports/s of routers",
    perSecond: 5000,
    requests: requestsFor((index) => ["/nic/update?myip=203.0.113.7", hostName(HOSTS + index)]),
  },
  {
    what: "100 pages/s of 1,000 hosts",
    perSecond: 100,
    requests: requestsFor(() => ["/", READER]),
  },
];

export async function http(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  const alone = await pings(bench, undefined);
  for (const load of LOADS) {
    const { what } = load;
    bench.progress(what);
    const web = await requestsAlone(bench, load);
    const beside = await pings(bench, load);
    rows.push({
      what: `signed pings lost, 10,000/s beside ${what}`,
      dynip: { name: "dynip", unit: "datagrams", samples: [beside.lost] },
      result: { unit: "datagrams", samples: [beside.lost] },
      bar: { at: "most", value: 0 },
      notes: [
        `Sent in ${SECONDS} s: ${rate(beside.pingsPerSecond)} pings/s, and ${rate(beside.requestsPerSecond)} requests/s were answered. The generator was too slow for ${beside.unread} acknowledgements.`,
        `The generators by themselves: ${rate(alone.pingsPerSecond)} pings/s with ${alone.lost} lost and ${alone.unread} too slow, ${rate(web)} requests/s.`,
      ],
    });
  }
  return rows;
}

/** What is requested, and how often in a second. */
interface Load {
  what: string;
  perSecond: number;
  requests: string[];
}

interface Result {
  /** Pings that the server does not count as accepted. */
  lost: number;
  /** Acknowledgements that the generator was too slow to receive. */
  unread: number;
  pingsPerSecond: number;
  requestsPerSecond: number;
}

/** Pings, beside requests or without. */
async function pings(bench: Bench, load: Load | undefined): Promise<Result> {
  await using server = await startDynip(bench.clientLogs, "signed", HOSTS, {}, HTTP);
  const program = await bench.programs.path("paced-signed");
  const count = PINGS_PER_SECOND * SECONDS;
  const numbers = [server.port, HOSTS, PINGS_PER_SECOND, count];
  const [pinged, requestsPerSecond] = await Promise.all([
    run([program, ...numbers.map(String)]),
    load ? requestsOf(bench, server.port, load) : 0,
  ]);
  const accepted = await server.stop();
  const { acknowledged, seconds } = JSON.parse(pinged.stdout);
  return {
    lost: count - accepted,
    unread: accepted - acknowledged,
    pingsPerSecond: count / seconds,
    requestsPerSecond,
  };
}

async function requestsAlone(bench: Bench, load: Load): Promise<number> {
  await using server = await startDynip(bench.clientLogs, "signed", HOSTS, {}, HTTP);
  const answered = await requestsOf(bench, server.port, load);
  await server.stop();
  return answered;
}

/** How many requests were answered in a second. */
async function requestsOf(
  bench: Bench,
  port: number,
  { perSecond, requests }: Load,
): Promise<number> {
  const program = await bench.programs.path("paced-requests");
  const count = perSecond * SECONDS;
  const { stdout } = await run([program, `${port}`, `${perSecond}`, `${count}`, ...requests]);
  const { answered, refused, lastRefusal, seconds } = JSON.parse(stdout);
  if (refused > 0) throw new Error(`${refused} of ${count} requests were refused: ${lastRefusal}`);
  return answered / seconds;
}

/** The lines of the configuration; its port is that of UDP. */
const HTTP = (port: number): string => `readers = ["${READER}"]\n[http]\nport = ${port}`;

/** A hundred requests as paced-requests.ts takes them, each of a user. */
function requestsFor(requestOf: (index: number) => [target: string, user: string]): string[] {
  return Array.from({ length: HOSTS }, (_, index) => {
    const [target, user] = requestOf(index);
    const password = httpPassword(deriveKey(SECRET, user, 1));
    return `${target} Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  });
}

function rate(perSecond: number): string {
  return Math.round(perSecond).toLocaleString("en");
}
