/** Logs for tests: one that keeps its lines, and one that drops them. */
import type { Log } from "../src/system/log.ts";

export interface RecordedLog extends Log {
  /** `level: message`, and `hint: …` where there is one. */
  readonly lines: string[];
}

export function recordedLog(): RecordedLog {
  const lines: string[] = [];
  const at = (level: keyof Log) => (message: string, hint?: string) => {
    lines.push(`${level}: ${message}`);
    if (hint !== undefined) lines.push(`hint: ${hint}`);
  };
  return {
    lines,
    error: at("error"),
    warn: at("warn"),
    log: at("log"),
    info: at("info"),
    debug: at("debug"),
  };
}

/** A log that drops its lines. */
export const SILENT: Log = { error() {}, warn() {}, log() {}, info() {}, debug() {} };
