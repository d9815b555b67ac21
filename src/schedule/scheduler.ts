/**
 * The interface of a scheduler: what starts dynip on a system, either the server or a ping every 5
 * minutes. `init --print`, `init --install` and `init --uninstall` all use its data. Pure.
 */

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
  /** What `init --install` puts on a system, and `init --uninstall` removes. */
  service(start: Start): Service;
  /** Reasons why dynip would not work as it is started. */
  problems?(start: Start): readonly Problem[];
}

/** What is to be started. */
export interface Start {
  /** The absolute path of dynip. */
  binary: string;
  /** The absolute path of the configuration. */
  config: string;
  /** The name of the user to run as, where the scheduler `runsAsOwner`; undefined for root. */
  user?: string | undefined;
  /** The server's UDP port; undefined where the configuration cannot be read. */
  port?: number | undefined;
  /** What else the server needs; undefined where the configuration cannot be read. */
  needs?: Needs | undefined;
}

/** What the configuration asks of the system that runs the server. */
export interface Needs {
  /** The files that the server writes, by the key of each, as the configuration gives them. */
  files: Readonly<Record<string, string | undefined>>;
  /** The TCP port of `[http]`. */
  httpPort?: number | undefined;
  /** The program that `[notify]` runs. */
  command?: string | undefined;
  /** Whether `[notify]` posts to a URL. */
  posts?: boolean;
}

export interface Problem {
  problem: string;
  /** What the user can do about it. */
  hint: string;
  /** Whether it may work all the same. Without this, `init --install` refuses. */
  isWarning?: boolean;
}

/** A program and its arguments, without a shell. */
export type Command = readonly [program: string, ...args: string[]];

/** What a scheduler puts on a system: files or a line of a crontab, and the commands that go with them. */
export interface Service {
  /** As messages and the scheduler's own commands name it. */
  name: string;
  files: readonly TextFile[];
  crontab?: CrontabLine;
  /** They all exit with 0 while it is started, and will be after a boot. */
  started: readonly Command[];
  /** Starts it, now and after each boot. */
  start: readonly Command[];
  /** Makes a started one use its new files; undefined: `stop`, then `start`. */
  restart?: readonly Command[];
  /** Stops it, now and after each boot. */
  stop: readonly Command[];
  /** Run after `stop` once its files are removed. */
  forget?: readonly Command[];
  /** The copy of the configuration that the started server has read; undefined where none is kept. */
  configCopy?: string;
  /** Prints the path of the program that the started server runs; one that was replaced has another. */
  programOf?: (pid: number) => Command;
  check: Check;
  /** Commands that show later how it is, each with what it shows. */
  later: readonly (readonly [command: string, shows: string])[];
}

export interface TextFile {
  path: string;
  /** Permission bits; Windows has none. */
  mode: number;
  text: string;
}

/** A line of a user's crontab. */
export interface CrontabLine {
  /** The user's name; undefined for root. */
  user: string | undefined;
  line: string;
  /** Whether a line is one that `init --install` wrote, or an equal one. */
  isOurs(line: string): boolean;
  /** Folders whose files are crontabs, each with its user's name. */
  folders: readonly string[];
}

/** How to find out whether it works. */
export interface Check {
  /** Pings once; undefined for a server. */
  ping?: Command;
  /** Whether `start` runs the ping, too. */
  startPings?: boolean;
  /**
   * Asks the scheduler; undefined where the exit code of `ping` is dynip's. `read` returns undefined for an
   * answer that it does not understand.
   */
  state?: { command: Command; read(stdout: string): State | undefined };
  /**
   * Looks whether the server listens.
   * @param pid of the server
   */
  listens?: (pid: number, port: number) => Look;
  /**
   * What dynip said.
   * @param since seconds since 1970: not what it said before
   */
  said?: (since: number) => readonly Command[];
}

/** Commands, and what their output means. */
export interface Look {
  commands: readonly Command[];
  /** @param outputs the standard output of each command */
  read(outputs: readonly string[]): boolean;
}

/** How a service is, as its scheduler says. */
export type State =
  /** It is being started or stopped, or a ping runs. */
  | { kind: "busy" }
  | { kind: "running"; pid: number }
  /** `run` differs from one run to the next; `exitCode` is undefined if dynip was not run at all. */
  | { kind: "ended"; exitCode: number | undefined; run?: string };

/** The lines of `later`, with what each command shows as a comment, which every shell ignores. */
export function describeLater({ later }: Pick<Service, "later">): string[] {
  const width = Math.max(...later.map(([command]) => command.length));
  return later.map(([command, shows]) => `${command.padEnd(width)}  # ${shows}`);
}
