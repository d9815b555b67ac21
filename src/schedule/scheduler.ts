/**
 * The interface of a scheduler: what starts dynip on a system, either the server or a ping every 5
 * minutes. Pure.
 */
import { wordFor } from "./quoting.ts";

export interface Scheduler {
  /** Its name for `init --print`. */
  readonly kind: string;
  readonly subcommand: "serve" | "ping";
  /** The operating systems that have it. */
  readonly platforms: readonly NodeJS.Platform[];
  /** A path that exists only where it runs; undefined where all machines of `platforms` have it. */
  readonly sign?: string;
  /** Whether it runs dynip as the configuration's owner, and needs {@link Start.user}. */
  readonly runsAsOwner?: boolean;
  /** The text that `init --print` prints: units, a property list, a task, a line. */
  print(start: Start): string;
  /** How a user installs that text and starts it. */
  steps(start: Start): Steps;
  /**
   * Reasons why dynip would not work as it is started.
   * @param clientLogPath as the configuration gives it; undefined where that cannot be read
   */
  problems?(start: Start, clientLogPath: string | undefined): readonly Problem[];
}

/** What is to be started. */
export interface Start {
  /** The absolute path of dynip. */
  binary: string;
  /** The absolute path of the configuration. */
  config: string;
  /** The name of the user to run as, where the scheduler `runsAsOwner`; undefined for root. */
  user?: string | undefined;
}

export interface Steps {
  /** Ends a sentence such as `Schedule a ping every 5 minutes`, and introduces the lines. */
  lead: string;
  /** Commands to run, or lines to add somewhere. */
  lines: readonly string[];
}

export interface Problem {
  problem: string;
  /** What the user can do about it. */
  hint: string;
}

/**
 * The command that runs dynip with a configuration, for the shell of an operating system.
 * @param words the subcommand and its options, which need no quotes
 */
export function commandLine(platform: NodeJS.Platform, words: string, start: Start): string {
  const word = wordFor(platform);
  return `${word(start.binary)} ${words} ${word(start.config)}`;
}
