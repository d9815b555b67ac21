/** The files that a server keeps beside its client log, if the configuration asks for them. */
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";

import { cannotRead } from "../config/config.ts";
import { clientLogPath, type LoadedConfig, serverPath } from "../config/find.ts";
import type { Change } from "../host.ts";
import { History } from "../server/history.ts";
import { HostsFile } from "../server/hosts-file.ts";
import type { ClientLog } from "../store/client-log.ts";
import { LineFile } from "../store/line-file.ts";
import { NotAFileError, readWhole, replaceFile } from "../system/atomic-file.ts";
import { errorCode, reasonOf } from "../system/errors.ts";
import { type Files, realFiles } from "../system/files.ts";
import type { Log } from "../system/log.ts";
import { oneAtATime } from "../system/one-at-a-time.ts";

/** The hosts file and the history, as far as they are kept. */
export class KeptFiles {
  readonly hostsFile: HostsFile | undefined;
  readonly history: History | undefined;
  readonly #log: Log;

  /**
   * Writes nothing before {@link begin}.
   * @throws UserError (exit code 3) if two of the files, or one and the configuration, have one path
   */
  static async open(
    loaded: LoadedConfig,
    clientLog: Hosts,
    log: Log,
    files: Files = realFiles,
  ): Promise<KeptFiles> {
    checkPaths(loaded);
    const kept = new KeptFiles(loaded, clientLog, log, files);
    await kept.history?.read();
    return kept;
  }

  private constructor(loaded: LoadedConfig, clientLog: Hosts, log: Log, files: Files) {
    this.#log = log;
    const inTurn = oneAtATime();
    const { hosts_path, hosts_domain, history_path } = loaded.config.server;
    const parts = { hosts: clientLog.hosts, log, reasonOf, sleep };
    if (hosts_path !== undefined && hosts_domain !== undefined) {
      const path = serverPath(loaded, hosts_path);
      const file = {
        path,
        domain: hosts_domain,
        read: () => inTurn(() => readIfFile(path, files)),
        replace: (chunks: Iterable<string>) => inTurn(() => replaceHosts(path, chunks, files)),
      };
      const hostsFile = new HostsFile({ ...parts, ...file, now: () => performance.now() });
      clientLog.subscribe((edit) => hostsFile.edited(edit));
      this.hostsFile = hostsFile;
    }
    if (history_path !== undefined) {
      const path = serverPath(loaded, history_path);
      const lines = new LineFile(path, files);
      const file = {
        append: (text: string) => inTurn(() => lines.append(text)),
        lastLines: (maxBytes: number) => inTurn(() => lines.lastLines(maxBytes)),
      };
      this.history = new History({ ...parts, path, file, monotonic: () => performance.now() });
    }
  }

  /** Begins to keep the files. Called once, before any change. */
  begin(): void {
    this.hostsFile?.begin();
    this.history?.begin();
  }

  /**
   * A host was seen.
   * @returns resolves when the history has it, or the disk has refused it once
   */
  changed(change: Change): Promise<void> | undefined {
    this.hostsFile?.changed(change);
    return this.history?.append(change);
  }

  /** Writes what is not written yet, within two seconds. Called when nothing changes any more. */
  async close(): Promise<void> {
    const closed = Promise.all([this.hostsFile?.close(), this.history?.close()]);
    if (await Promise.race([closed, Bun.sleep(CLOSE_MS)])) return;
    this.#log.warn(
      "the hosts file or the history lacks the last changes: its disk does not answer",
    );
  }
}

type Hosts = Pick<ClientLog, "hosts" | "subscribe">;

/** A disk that hangs must not keep the server from ending. */
const CLOSE_MS = 2000;

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return setTimeout(milliseconds, undefined, { signal });
}

/** Two writers of one file would destroy it. */
function checkPaths(loaded: LoadedConfig): void {
  const { hosts_path, history_path } = loaded.config.server;
  const taken = new Map([
    [loaded.path, "the configuration"],
    [clientLogPath(loaded), "client_log_path"],
  ]);
  for (const [key, written] of Object.entries({ hosts_path, history_path })) {
    if (written === undefined) continue;
    const path = serverPath(loaded, written);
    const other = taken.get(path);
    if (other !== undefined) {
      throw cannotRead(loaded.path, `${key} in [server] is the path of ${other}, too`);
    }
    // Its journal, its lock, what is silent, and the copies of what could not be read.
    if (path.startsWith(`${clientLogPath(loaded)}.`)) {
      throw cannotRead(
        loaded.path,
        `${key} in [server] begins with client_log_path and a dot, as files of the client log do`,
        { hint: "choose another name" },
      );
    }
    taken.set(path, key);
  }
}

/** A link is refused: replacing it would leave the file that it names as it is. */
async function readIfFile(path: string, files: Files): Promise<Uint8Array | undefined> {
  const stats = await files.lstat(path).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (stats?.isSymbolicLink()) throw new NotAFileError("it is a symbolic link");
  return await readWhole(path, files);
}

/**
 * dnsmasq reads every file that appears in its folder, and keeps the addresses of one that is gone; it
 * passes over names that begin with a dot (dnsmasq(8), hostsdir).
 */
function replaceHosts(path: string, chunks: Iterable<string>, files: Files): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  return replaceFile(path, chunks, { mode: 0o644, temporary }, files);
}
