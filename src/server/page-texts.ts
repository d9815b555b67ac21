/**
 * The texts of the page. They are kept for a second: rendering 1,000 rows 1,800 times a second lost
 * 4.7 % of 10,000 pings a second, in November 2026 on 2 cores.
 */
import type { Host, HostStore } from "../host.ts";
import type { Move } from "./history.ts";
import { type PageRow, renderPage } from "./page.ts";

export interface PageParts {
  hosts: Pick<HostStore, "get" | "size" | typeof Symbol.iterator>;
  /** The signed names that see every host; others see themselves. */
  readers: ReadonlySet<string>;
  /** The last moves of a host, oldest first; none where there is no history. */
  lastMoves: (name: string) => readonly Move[];
  /** Whether a host is silent at a time, milliseconds since 1970, UTC. */
  isSilent: (name: string, host: Host, time: number) => boolean;
  /** Milliseconds since 1970, UTC. */
  now: () => number;
  /** Milliseconds of a monotonic clock. */
  monotonic: () => number;
}

/** Makes the page for each viewer. */
export class PageTexts {
  readonly #parts: PageParts;
  /** All readers see the same rows; only the name of the viewer differs. */
  #rows: Kept<readonly PageRow[]> | undefined;
  readonly #texts = new Map<string, Kept<string>>();

  constructor(parts: PageParts) {
    this.#parts = parts;
  }

  /**
   * The page for a viewer.
   * @param viewer a signed name
   */
  async of(viewer: string): Promise<string> {
    const { hosts, readers, now } = this.#parts;
    if (!readers.has(viewer)) {
      const host = hosts.get(viewer);
      const rows = host ? [this.#row(viewer, host, now())] : [];
      return renderPage({ rows, total: rows.length, viewer, isReader: false, now: now() });
    }
    const text = this.#fresh(this.#texts.get(viewer), async () => {
      this.#rows = this.#fresh(this.#rows, () => this.#collect());
      const rows = await this.#rows.value;
      return renderPage({ rows, total: hosts.size, viewer, isReader: true, now: now() });
    });
    this.#texts.set(viewer, text);
    return await text.value;
  }

  #row(name: string, host: Host, time: number): PageRow {
    const { isSilent, lastMoves } = this.#parts;
    return { name, host, isSilent: isSilent(name, host, time), moves: lastMoves(name) };
  }

  /** What is kept, or, where that is old, a new one. */
  #fresh<T>(kept: Kept<T> | undefined, make: () => Promise<T>): Kept<T> {
    const { monotonic } = this.#parts;
    if (kept && monotonic() < kept.until) return kept;
    const fresh: Kept<T> = { until: Number.POSITIVE_INFINITY, value: make() };
    const end = (): void => void (fresh.until = monotonic() + KEPT_MS);
    fresh.value.then(end, end);
    return fresh;
  }

  /** The rows of all hosts that may be shown. A large log is walked in slices: pings do not wait. */
  async #collect(): Promise<readonly PageRow[]> {
    const { hosts, now } = this.#parts;
    const time = now();
    const silent: PageRow[] = [];
    const reporting: PageRow[] = [];
    let seen = 0;
    for (const [name, host] of hosts) {
      const row = this.#row(name, host, time);
      const [rows, most] = row.isSilent ? [silent, MAX_SILENT] : [reporting, MAX_REPORTING];
      if (rows.length < most) rows.push(row);
      if (++seen % SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return [...silent, ...reporting];
  }
}

/** A value that is made once and used until a time. */
interface Kept<T> {
  /** By the monotonic clock. */
  until: number;
  readonly value: Promise<T>;
}

const KEPT_MS = 1000;
const SLICE = 256;
/** The page shows 1,000 hosts, silent ones first, and those that fell silent last on top. */
const MAX_REPORTING = 1000;
const MAX_SILENT = 10_000;
