/** The notices of `dynip serve`: what [notify] asks for, and its test. */
import { setTimeout } from "node:timers/promises";

import { cannotRead } from "../config/config.ts";
import type { LoadedConfig } from "../config/find.ts";
import { testNotice } from "../server/notices.ts";
import { Notifier } from "../server/notify.ts";
import { commandWay } from "../server/notify-command.ts";
import { urlWay } from "../server/notify-url.ts";
import type { Way } from "../server/notice-queue.ts";
import type { ClientLog } from "../store/client-log.ts";
import { SilenceFile, type SilenceState } from "../store/silence-file.ts";
import { cannot, EXIT, reasonOf } from "../system/errors.ts";
import { createLog, type Level, type Log } from "../system/log.ts";
import { version } from "./definition.ts";

/** Makes what tells of hosts. It begins with {@link Notifier.begin}. */
export async function openNotices(
  loaded: LoadedConfig,
  { hosts, target }: ClientLog,
  log: Log,
): Promise<Notifier> {
  const file = new SilenceFile(target);
  return new Notifier({
    ways: waysOf(loaded),
    silentAfter: loaded.config.notify.silent_after,
    hosts,
    kept: await readKept(file, log),
    keep: (state) => file.write(state),
    log,
    reasonOf,
    now: Date.now,
    monotonic: () => performance.now(),
    sleep: (milliseconds, signal) =>
      setTimeout(milliseconds, undefined, { signal }).catch(() => {}),
  });
}

/**
 * Sends a test notice in every way and says what came back.
 * @throws UserError (exit code 5) if one did not work, (exit code 3) if the configuration names none
 */
export async function testNotices(loaded: LoadedConfig, level: Level): Promise<void> {
  const log = createLog({ level });
  const ways = waysOf(loaded);
  if (ways.size === 0) {
    throw cannotRead(loaded.path, "there is no command and no url in [notify]", {
      hint: 'write one, such as command = ["/usr/local/bin/on-dynip"] or url = "https://ntfy.sh/my-home"',
    });
  }
  const notice = testNotice(Date.now());
  // Otherwise Ctrl-C would leave the command behind.
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const failed: string[] = [];
  for (const { what, tell } of ways.values()) {
    const { isTold, answer } = await tell([notice], stop.signal);
    log.log(`${what}: ${answer}`);
    if (!isTold) failed.push(what);
  }
  if (failed.length === 0) return;
  throw cannot(`send the test notice by ${failed.join(" and ")}`, undefined, "see above", {
    exitCode: EXIT.notSent,
  });
}

/** The ways of telling that the configuration names. */
function waysOf({ config: { notify } }: LoadedConfig): ReadonlyMap<string, Way> {
  const { command, url } = notify;
  const ways = new Map<string, Way>();
  const { env, platform } = process;
  if (command) ways.set("command", commandWay(command, { env, platform, reasonOf }));
  if (url !== undefined) ways.set("url", urlWay(url, { userAgent: `dynip/${version}` }));
  return ways;
}

async function readKept(file: SilenceFile, log: Log): Promise<SilenceState | undefined> {
  try {
    return await file.read();
  } catch (error) {
    log.warn(
      `Cannot read which hosts are silent, "${file.path}": ${reasonOf(error)}`,
      "hosts that are silent are told again",
    );
    return undefined;
  }
}
