/** Whether a history has what the client log says, after a server was killed again and again. */

interface Line {
  time: string;
  name: string;
  family: "ipv4" | "ipv6";
  address: string;
  previous?: string;
}

/** A client log, as other programs read it. */
type ClientLog = Readonly<
  Record<string, Partial<Record<Line["family"], { address: string; since: string }>>>
>;

/**
 * What is wrong with a history: a line out of the sequence of a host's addresses, or a host that is not
 * where its last line says. A part of a line that a kill left is none.
 * @param log written after the history had everything
 */
export function historyProblems(history: string, log: ClientLog): string[] {
  const wrong: string[] = [];
  const last = new Map<string, Line>();
  let first: string | undefined;
  for (const text of history.split("\n").slice(0, -1)) {
    const line = parse(text);
    if (!line) continue;
    first ??= line.time;
    const key = `${line.name} ${line.family}`;
    const before = last.get(key);
    // It went away and came back: what a kill kept from the history was between the two.
    const isReturn = line.previous === undefined && line.address === before?.address;
    if (before && !isReturn && line.previous !== before.address) {
      wrong.push(`history: ${key} came from ${line.previous}, and was at ${before.address}`);
    }
    if (line.previous === line.address) wrong.push(`history: ${key} did not move: ${text}`);
    last.set(key, line);
  }
  if (first === undefined) return ["history: it has no line"];
  for (const [name, { ipv4, ipv6 }] of Object.entries(log)) {
    for (const [family, sighting] of Object.entries({ ipv4, ipv6 })) {
      // Before the first line there was no history.
      if (!sighting || sighting.since < first) continue;
      const line = last.get(`${name} ${family}`);
      if (line?.address === sighting.address && line.time === sighting.since) continue;
      const { address, since } = sighting;
      wrong.push(`history: ${name} is at ${address} since ${since}, not ${JSON.stringify(line)}`);
    }
  }
  return wrong;
}

function parse(text: string): Line | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
