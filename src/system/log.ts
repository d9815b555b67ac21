/**
 * The log: messages on stderr, for a person or for systemd's journal. It is `consola/core` with a
 * reporter of our own, since the whole of consola takes 9 to 15 ms at every start.
 *
 * Levels: `error` and `warn` are always shown, `log` if the command reports normal events, `info` with
 * `-v`, `debug` with `--debug`. A message is one line, and its hint the next. In both, secrets are
 * hidden and control characters escaped.
 *
 * The first use of `process.stderr` takes 9 ms and 8 MB, more than all the rest of a ping, so that it
 * is used only for warnings and errors.
 */
import { styleText } from "node:util";

import { type ConsolaInstance, createConsola, LogLevels, type LogType } from "consola/core";

import { withoutSecrets } from "./redact.ts";

export type LogFunction = (message: string, hint?: string | undefined) => void;

/** The part of a log that the rest of dynip uses. Tests pass in their own. */
export type Log = Readonly<Record<"error" | "warn" | "log" | "info" | "debug", LogFunction>> & {
  /** The least important level that is shown. Callers need not make messages below it. */
  readonly shown?: Level;
};

export type Level = "warn" | "log" | "info" | "debug";

export interface LogOptions {
  /** The least important level that is shown. */
  level: Level;
  /** Begin each line with the time, UTC. For servers. */
  timestamps?: boolean;
  /** Whether stderr is systemd's journal: lines begin with their priority, and the journal has the time. */
  journald?: boolean;
  /** Takes whole lines, newline included. Writes to stderr unless a test replaces it. */
  write?: (text: string) => void;
}

/** Makes a log that writes to stderr. */
export function createLog(options: LogOptions): Log {
  const { level } = options;
  let consola: ConsolaInstance | undefined;
  // Made at the first message that is shown: a ping that succeeds under cron shows none.
  const method =
    (type: "error" | Level): LogFunction =>
    (message, hint) => {
      if (LogLevels[type] > LogLevels[level]) return;
      consola ??= newConsola(options);
      consola[type](message, hint);
    };
  return {
    error: method("error"),
    warn: method("warn"),
    log: method("log"),
    info: method("info"),
    debug: method("debug"),
    shown: level,
  };
}

function newConsola({
  level,
  timestamps = false,
  journald = isJournal(process.env["JOURNAL_STREAM"]),
  write = writeToStderr,
}: LogOptions): ConsolaInstance {
  return createConsola({
    level: LogLevels[level],
    throttle: 0, // otherwise consola delays repeated lines with a timer, and loses them at exit
    reporters: [
      {
        log({ type, date, args }) {
          const [message, hint] = args as [unknown, unknown?];
          const prefix = journald
            ? `<${PRIORITIES[type] ?? 6}>`
            : timestamps
              ? `${date.toISOString()} `
              : "";
          write(`${prefix}${label(type)}${shown(message)}\n`);
          if (hint !== undefined) write(`${prefix}hint: ${shown(hint)}\n`);
        },
      },
    ],
  });
}

/** Whether stderr is a terminal. */
export function isTerminal(): boolean {
  // `isatty` of node:tty is this function, but node:tty takes 3 ms to load, and process.stderr 9 ms.
  const { isTTY } = process.binding("tty_wrap") as { isTTY: (fd: number) => boolean };
  return isTTY(2);
}

/**
 * Escapes control, format and separator characters and lone surrogates as `\u{…}`. Text from the
 * network or a file then cannot move the cursor, change colours, start a line or reverse the text.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** A message or hint as it is written. */
function shown(text: unknown): string {
  return printable(withoutSecrets(String(text)));
}

/**
 * Whether stderr is systemd's journal. `JOURNAL_STREAM` names the journal's stream as `device:inode`.
 * The variable alone is no proof: child processes inherit it, and their stderr may be something else
 * (systemd.exec(5), "$JOURNAL_STREAM").
 */
function isJournal(journalStream: string | undefined): boolean {
  if (!journalStream) return false;
  try {
    // Loaded only under systemd, to keep other starts fast.
    const { dev, ino } = process.getBuiltinModule("node:fs").fstatSync(2, { bigint: true });
    return journalStream === `${dev}:${ino}`;
  } catch {
    return false; // stderr is closed
  }
}

/** Syslog priorities, as in sd-daemon(3). The other types have 6, informational. */
const PRIORITIES: Readonly<Partial<Record<LogType, number>>> = { error: 3, warn: 4, debug: 7 };

function label(type: LogType): string {
  if (type === "error") return styleText("red", "error:", { stream: process.stderr }) + " ";
  if (type === "warn") return styleText("yellow", "warning:", { stream: process.stderr }) + " ";
  if (type === "debug") return "debug: ";
  return "";
}

/** Resolves when stderr has taken all messages; never, if its reader does not read. */
export async function logFlushed(): Promise<void> {
  await Promise.resolve(stderr?.flush()).catch(() => {});
}

let stderr: Bun.FileSink | undefined;

function writeToStderr(text: string): void {
  stderr ??= Bun.stderr.writer();
  // stderr that is closed, for example by a pager that ended, must not end dynip.
  try {
    stderr.write(text);
    Promise.resolve(stderr.flush()).catch(() => {});
  } catch {
    // Closed, as above.
  }
}
