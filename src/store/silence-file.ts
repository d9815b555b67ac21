/**
 * The file beside the client log that keeps which hosts were told to be silent, and what is being told:
 * `dynip.json.silent`, JSON. A restart then neither repeats nor forgets. It is replaced whole, durably.
 *
 *     {"silent":{"nas":"2026-11-24T20:00:00.000Z"},
 *      "telling":{"time":"…","silent":{"nas":"…"},"back":{},"everyone":false,"ways":{"url":"begun"}}}
 *
 * `silent` has each host with its last time before. `telling` is the digest that is not told yet, absent
 * if there is none; `ways` says how far each way of telling is.
 */
import { replaceFile } from "../system/atomic-file.ts";
import { type Files, realFiles } from "../system/files.ts";
import { readOwn } from "./own-file.ts";

/** Names of hosts, each with its last time before: milliseconds since 1970, UTC. */
export type Times = ReadonlyMap<string, number>;

/** What the file has. */
export interface SilenceState {
  readonly silent: Times;
  readonly telling?: {
    readonly time: number;
    readonly silent: Times;
    readonly back: Times;
    readonly isEveryone: boolean;
    /** waiting: it was not told. begun: it may have been told. A way that has told it is not there. */
    readonly ways: ReadonlyMap<string, "waiting" | "begun">;
  };
}

/** The file. */
export class SilenceFile {
  readonly #path: string;
  readonly #files: Files;

  /** @param log the file of the client log, absolute, and no link */
  constructor(log: string, files: Files = realFiles) {
    this.#path = `${log}.silent`;
    this.#files = files;
  }

  /** For messages. */
  get path(): string {
    return this.#path;
  }

  /**
   * Reads it; undefined where there is none.
   * @throws SyntaxError when it is not such a file; NotAFileError when it is a link or no file of ours;
   *   the operating system's error
   */
  async read(): Promise<SilenceState | undefined> {
    const file = await readOwn(this.#path, this.#files);
    return file && decode(new TextDecoder().decode(file.bytes));
  }

  /**
   * Replaces it.
   * @throws the operating system's error; it is unchanged then
   */
  async write(state: SilenceState): Promise<void> {
    await replaceFile(this.#path, [encode(state)], { mode: 0o600 }, this.#files);
  }
}

function encode({ silent, telling }: SilenceState): string {
  const value = {
    silent: datesOf(silent),
    ...(telling && {
      telling: {
        time: new Date(telling.time).toISOString(),
        silent: datesOf(telling.silent),
        back: datesOf(telling.back),
        everyone: telling.isEveryone,
        ways: Object.fromEntries(telling.ways),
      },
    }),
  };
  return `${JSON.stringify(value)}\n`;
}

/** @throws SyntaxError */
function decode(text: string): SilenceState {
  const { silent, telling } = tableIn(JSON.parse(text));
  if (telling === undefined) return { silent: timesIn(silent) };
  const { time, ways, everyone, ...lists } = tableIn(telling);
  return {
    silent: timesIn(silent),
    telling: {
      time: timeIn(time),
      silent: timesIn(lists["silent"]),
      back: timesIn(lists["back"]),
      isEveryone: everyone === true,
      ways: new Map(
        Object.entries(tableIn(ways)).map(([way, state]) => [
          way,
          state === "waiting" ? state : "begun",
        ]),
      ),
    },
  };
}

function datesOf(times: Times): Record<string, string> {
  return Object.fromEntries([...times].map(([name, time]) => [name, new Date(time).toISOString()]));
}

function timesIn(value: unknown): Times {
  return new Map(Object.entries(tableIn(value)).map(([name, time]) => [name, timeIn(time)]));
}

function timeIn(value: unknown): number {
  const time = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time)) throw new SyntaxError("a time in it is none");
  return time;
}

function tableIn(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new SyntaxError("it is not as dynip writes it");
}
