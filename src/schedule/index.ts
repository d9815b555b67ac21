/** The list of the schedulers. A new one needs its file, its row here and its golden files. Pure. */
import { cron } from "./cron.ts";
import { launchdPing, launchdServe } from "./launchd.ts";
import type { Scheduler } from "./scheduler.ts";
import { systemdPing, systemdServe } from "./systemd.ts";
import { windowsTask } from "./windows-task.ts";

/** All schedulers. If several fit a machine, the first is recommended. */
export const SCHEDULERS: readonly Scheduler[] = [
  systemdServe,
  systemdPing,
  launchdServe,
  launchdPing,
  windowsTask,
  cron,
];

/** A machine, as far as the choice of a scheduler depends on it. */
export interface Machine {
  platform: NodeJS.Platform;
  /** Whether the user there is root, who needs no sudo. Of Windows it says nothing. */
  isAdministrator: boolean;
  /** Whether a path exists there. */
  exists(path: string): boolean;
}

/** The scheduler that dynip recommends on a machine, if there is one. */
export function schedulerFor(
  subcommand: Scheduler["subcommand"],
  machine: Pick<Machine, "platform" | "exists">,
): Scheduler | undefined {
  return schedulersOf(subcommand, machine)[0];
}

/** The schedulers that a machine has, the recommended one first. */
export function schedulersOf(
  subcommand: Scheduler["subcommand"],
  { platform, exists }: Pick<Machine, "platform" | "exists">,
): readonly Scheduler[] {
  return SCHEDULERS.filter(
    ({ sign, ...scheduler }) =>
      scheduler.subcommand === subcommand &&
      scheduler.platforms.includes(platform) &&
      (sign === undefined || exists(sign)),
  );
}
