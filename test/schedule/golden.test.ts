/**
 * What `init` prints and installs, for each operating system, is in `golden/`.
 * To change it: `DYNIP_GOLDEN=write bun test test/schedule/golden.test.ts`, and read the difference.
 */
import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { systemdServe } from "../../src/schedule/systemd.ts";
import { SCHEDULERS, schedulerFor } from "../../src/schedule/index.ts";
import {
  clientNextSteps,
  type NewClient,
  nextSteps,
  plainClientNextSteps,
} from "../../src/schedule/next-steps.ts";
import type { Command, Needs, Scheduler, Service, Start } from "../../src/schedule/scheduler.ts";

const GOLDEN = join(import.meta.dir, "golden");

/** The program and the configuration of a user of each system. */
const STARTS: Readonly<Partial<Record<NodeJS.Platform, Start>>> = {
  linux: { binary: "/usr/local/bin/dynip", config: "/home/ann/dynip.toml", user: "ann" },
  darwin: {
    binary: "/usr/local/bin/dynip",
    config: "/Users/ann/Ann's files/dynip.toml",
    user: "ann",
  },
  win32: {
    binary: "C:\\Program Files\\dynip\\dynip.exe",
    config: "C:\\Users\\Zoë & Ann\\dynip.toml",
    user: "ann",
  },
};

/** The file of a client, which ann made on her server. */
const CLIENT: NewClient = {
  name: "nas",
  path: "/home/ann/nas.toml",
  host: "vps.example.com",
  platform: "linux",
  user: "ann",
  isOwner: true,
  generation: 1,
};

/** A configuration that asks for all that one can ask for. */
const NEEDS: Needs = {
  files: {
    client_log_path: "dynip.json",
    hosts_path: "/etc/dynip-hosts.d/hosts",
    history_path: "/srv/dynip history/100%.jsonl",
  },
  httpPort: 28630,
  command: "/usr/local/bin/on-dynip",
  posts: true,
};

const texts = Object.fromEntries([
  ...SCHEDULERS.flatMap((scheduler) =>
    scheduler.platforms.flatMap((platform) => textsFor(scheduler, platform)),
  ),
  ["linux/systemd-serve-needs.txt", systemdServe.print({ ...STARTS.linux!, needs: NEEDS })],
  ["linux/client-next-steps.txt", clientNextSteps(CLIENT)],
  [
    "linux/client-next-steps-sudo-revoked.txt",
    clientNextSteps({
      ...CLIENT,
      path: "/etc/dynip/Ann's nas.toml",
      host: "2001:db8::1",
      isOwner: false,
      generation: 2,
    }),
  ],
  [
    "win32/client-next-steps.txt",
    clientNextSteps({ ...CLIENT, path: "C:\\Users\\Zoë & Ann\\nas.toml", platform: "win32" }),
  ],
]) as Readonly<Record<string, string>>;

test.each(Object.keys(texts))("%s", async (name) => {
  const path = join(GOLDEN, name);
  if (process.env["DYNIP_GOLDEN"] === "write") await Bun.write(path, texts[name]!);
  expect(texts[name]!).toBe(await Bun.file(path).text());
});

test("golden/ has no other file", async () => {
  const entries = await readdir(GOLDEN, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  expect(files.sort()).toEqual(
    Object.keys(texts)
      .map((name) => join(GOLDEN, name))
      .sort(),
  );
});

/** The scheduler's text, and the next steps on a machine where it schedules the pings. */
function textsFor(scheduler: Scheduler, platform: NodeJS.Platform): [string, string][] {
  const start = STARTS[platform]!;
  const { kind } = scheduler;
  const texts: [string, string][] = [[`${platform}/${kind}.txt`, scheduler.print(start)]];
  const ofRoot = scheduler.print({ ...start, user: undefined });
  if (ofRoot !== scheduler.print(start)) texts.push([`${platform}/${kind}-root.txt`, ofRoot]);
  const exists = (path: string) => path === scheduler.sign;
  const machine = { platform, isAdministrator: false, exists };
  texts.push([`${platform}/install-${kind}.txt`, describeService(scheduler.service(start))]);
  if (schedulerFor("ping", machine) === scheduler) {
    const here = { machine, ...start };
    const server = { ...here, port: 28630, isFound: true, isHostKnown: false };
    const client = { ...here, name: "kris-pc", host: "vps.example.com" };
    texts.push(
      [`${platform}/next-steps-${kind}.txt`, nextSteps(server)],
      [`${platform}/plain-client-next-steps-${kind}.txt`, plainClientNextSteps(client)],
    );
  }
  return texts;
}

/** What --install and --uninstall do. The files' texts are golden files of their own. */
function describeService({ check, crontab, ...service }: Service): string {
  const commands = (what: string, list: readonly Command[] = []) =>
    list.map((command) => `${what}: ${JSON.stringify(command)}`);
  return `${[
    `name: ${service.name}`,
    ...service.files.map(({ path, mode }) => `file: ${path} ${mode.toString(8)}`),
    ...(crontab ? [`crontab of ${crontab.user}: ${crontab.line}`] : []),
    ...(crontab?.folders.map((folder) => `folder of crontabs: ${folder}`) ?? []),
    ...commands("started if", service.started),
    ...commands("start", service.start),
    ...commands("restart", service.restart),
    ...commands("stop", service.stop),
    ...commands("forget", service.forget),
    `copy of the configuration: ${service.configCopy ?? "none"}`,
    ...commands("program of", service.programOf && [service.programOf(1234)]),
    ...commands("ping", check.ping && [check.ping]),
    `start pings: ${check.startPings ?? false}`,
    ...commands("state", check.state && [check.state.command]),
    ...commands("listens", check.listens?.(1234, 28630).commands),
    ...commands("said", check.said?.(1_795_000_000)),
    ...service.later.map(([command, shows]) => `later: ${command} # ${shows}`),
  ].join("\n")}\n`;
}
