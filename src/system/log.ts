/**
 * Messages for a person or a journal, always on stderr: `consola/core` with a reporter of our own
 * (the whole of consola costs 9 to 15 ms at every start).
 *
 * Levels: `error` and `warn` always; `log` where the command shows its normal course; `info` with
 * `-v`; `debug` with `--debug`. A message is one line; its hint, if any, is the next. Whatever a
 * message quotes, no control character of it reaches the terminal.
 *
 * `process.stderr` costs 9 ms and 8 MB when it is first touched, more than all else that a ping does,
 * so it is touched for a terminal alone.
 */
import { styleText } from "node:util";

import { createConsola, LogLevels, type LogType } from "consola/core";

export type LogFunction = (message: string, hint?: string | undefined) => void;

/** What the rest of the program may do with a log; a test passes its own. */
export type Log = Readonly<Record<"error" | "warn" | "log" | "info" | "debug", LogFunction>> & {
  /** The least important level that is shown: messages below it need not be made. */
  readonly shown?: Level;
};

export type Level = "warn" | "log" | "info" | "debug";

export interface LogOptions {
  /** The least important level that is shown. */
  level: Level;
  /** Begin each line with the time, UTC: for a process that runs for months. */
  timestamps?: boolean;
  /** stderr goes to systemd's journal, which keeps time and priority itself. */
  journald?: boolean;
  /** Takes whole lines, newline included; stderr unless a test says otherwise. */
  write?: (text: string) => void;
}

/** Makes a log that writes to stderr. */
export function createLog({
  level,
  timestamps = false,
  journald = isJournal(process.env["JOURNAL_STREAM"]),
  write = writeToStderr,
}: LogOptions): Log {
  const { error, warn, log, info, debug } = createConsola({
    level: LogLevels[level],
    throttle: 0, // consola would hold repeated lines back behind a timer, and lose them at exit
    reporters: [
      {
        log({ type, date, args }) {
          const [message, hint] = args as [unknown, unknown?];
          const prefix = journald
            ? `<${PRIORITIES[type] ?? 6}>`
            : timestamps
              ? `${date.toISOString()} `
              : "";
          write(`${prefix}${label(type)}${printable(String(message))}\n`);
          if (hint !== undefined) write(`${prefix}hint: ${printable(String(hint))}\n`);
        },
      },
    ],
  });
  return { error, warn, log, info, debug, shown: level };
}

/** Whether stderr is a terminal. */
export async function isTerminal(): Promise<boolean> {
  if (process.platform !== "win32") {
    // Side by side, in the threads that there are. There may be neither.
    const [stats, nowhere] = await Promise.all([
      Bun.stderr.stat().catch(() => undefined),
      Bun.file("/dev/null")
        .stat()
        .catch(() => undefined),
    ]);
    if (!stats?.isCharacterDevice() || stats.rdev === nowhere?.rdev) return false;
  }
  return process.stderr.isTTY;
}

/**
 * `text` with each control, format, separator and lone surrogate character as `\u{…}`, so that
 * nothing in it can move the cursor, colour the screen, start a line or turn the text around.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/**
 * Whether stderr is the journal's stream that `JOURNAL_STREAM` names as `device:inode`. The
 * variable alone proves nothing: children inherit it when their stderr goes elsewhere
 * (systemd.exec(5), "$JOURNAL_STREAM").
 */
function isJournal(journalStream: string | undefined): boolean {
  if (!journalStream) return false;
  try {
    // Under systemd alone: a start elsewhere does without this module.
    const { dev, ino } = process.getBuiltinModule("node:fs").fstatSync(2, { bigint: true });
    return journalStream === `${dev}:${ino}`;
  } catch {
    return false; // stderr is closed
  }
}

/** Syslog priorities as sd-daemon(3) prefixes them; anything else is 6, informational. */
const PRIORITIES: Readonly<Partial<Record<LogType, number>>> = { error: 3, warn: 4, debug: 7 };

function label(type: LogType): string {
  if (type === "error") return styleText("red", "error:", { stream: process.stderr }) + " ";
  if (type === "warn") return styleText("yellow", "warning:", { stream: process.stderr }) + " ";
  if (type === "debug") return "debug: ";
  return "";
}

/** Resolves when all that was written to stderr is out; a reader may never take it. */
export async function logFlushed(): Promise<void> {
  await Promise.resolve(stderr?.flush()).catch(() => {});
}

let stderr: Bun.FileSink | undefined;

function writeToStderr(text: string): void {
  stderr ??= Bun.stderr.writer();
  // A reader of our messages that goes away, such as a pager, must not end what they are about.
  try {
    stderr.write(text);
    Promise.resolve(stderr.flush()).catch(() => {});
  } catch {
    // It is closed.
  }
}
