/**
 * Errors that the user sees, and their exit codes.
 *
 * A message says what failed, on what, and why, with names and paths in double quotes. The hint says
 * what to do about it, on a line of its own:
 *
 *     error: Cannot read config "dynip.toml": server_port in [server] is 70000, must be 1 to 65535
 *     hint: …
 */

/** Exit codes by name. 0 to 5 are those of DynIP 0.1e (`return_codes.py`). */
export const EXIT = {
  ok: 0,
  usage: 1,
  clientLog: 2,
  config: 3,
  serverHostname: 4,
  notSent: 5,
  noAcknowledgement: 6,
  unknown: 7,
  bind: 8,
  stale: 9,
  install: 10,
} as const;

export type ExitName = keyof typeof EXIT;
export type ExitCode = (typeof EXIT)[ExitName];

/** What each exit code means, in the words of `--help`, the manual page and the README. */
export const EXIT_MEANINGS: Readonly<Record<ExitName, string>> = {
  ok: "the thing asked for is done",
  usage: "wrong usage: an unknown command, option or argument; or a bug in dynip",
  clientLog: "the client log cannot be opened, read or written",
  config: "the configuration cannot be found, read or written",
  serverHostname: "server_hostname is missing",
  notSent: "the ping, the question or the test notice could not be sent",
  noAcknowledgement: "the server did not acknowledge the ping, or did not answer the question",
  unknown: "the server does not know the name, or does not tell this asker",
  bind: "the server cannot listen on its address and port",
  stale: "the address is known, and older than --max-age",
  install: "the service cannot be installed, started or removed",
};

export interface UserErrorOptions {
  exitCode: ExitCode;
  /** What the user can do: one sentence or command. */
  hint?: string | undefined;
  cause?: unknown;
}

/** An error whose cause is outside dynip. The user sees its message and hint, and no stack. */
export class UserError extends Error {
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;

  constructor(message: string, { exitCode, hint, cause }: UserErrorOptions) {
    super(message, { cause });
    this.name = "UserError";
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/**
 * Makes an error in the form of all of dynip's errors: `Cannot ACTION "NAME": PROBLEM`.
 * @param action a verb and its object, such as `read config`
 * @param name of the object, shown in quotes; undefined if the action is enough
 * @param problem the reason, without a capital and a full stop
 */
export function cannot(
  action: string,
  name: string | undefined,
  problem: string,
  options: UserErrorOptions,
): UserError {
  const what = name === undefined ? action : `${action} "${name}"`;
  return new UserError(`Cannot ${what}: ${problem}`, options);
}

/**
 * Makes an error for a mistake in the command line (exit code 1).
 * @param problem a sentence without a full stop
 */
export function usageError(problem: string, hint?: string): UserError {
  return new UserError(problem, { exitCode: EXIT.usage, hint });
}

/** An operating system's error code, such as `ENOENT`; undefined for any other value. */
export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** The reason of an operating system's error: plain words for the common codes, otherwise its message. */
export function reasonOf(error: unknown): string {
  const words = REASONS[errorCode(error) ?? ""];
  if (words !== undefined) return words;
  return error instanceof Error ? error.message : String(error);
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "the port is in use",
  EADDRNOTAVAIL: "this machine does not have that address",
  EAFNOSUPPORT: "this machine does not support that address family",
  EHOSTUNREACH: "the host is unreachable",
  EIO: "input/output error",
  EISDIR: "it is a folder",
  ENAMETOOLONG: "its path is too long",
  ENETDOWN: "the network is down",
  ENETUNREACH: "the network is unreachable",
  ENOENT: "no such file or folder",
  ENOEXEC: "it is no executable; the first line of a script is #!/bin/sh, or another interpreter",
  ENOSPC: "no space left on the disk",
  ENOTDIR: "a part of its path is not a folder",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
};
