/** What is written, run and removed, by every scheduler: on a made-up system. */
import { describe, expect, test } from "bun:test";

import {
  checkPing,
  checkServer,
  installService,
  removeService,
  type System,
} from "../../src/commands/installer.ts";
import { cron } from "../../src/schedule/cron.ts";
import { launchdPing, launchdServe } from "../../src/schedule/launchd.ts";
import { systemdPing, systemdServe } from "../../src/schedule/systemd.ts";
import { windowsTask } from "../../src/schedule/windows-task.ts";
import type { Outcome } from "../../src/system/run-command.ts";

const START = { binary: "/usr/local/bin/dynip", config: "/home/ann/dynip.toml" };
const WINDOWS = { binary: "C:\\dynip\\dynip.exe", config: "C:\\dynip.toml" };
const AS_BEFORE = {
  config: "# configuration",
  program: "/usr/local/bin/dynip",
  isProgramNew: false,
};
const UNIT = "/etc/systemd/system/dynip.service";

type Answer = Partial<Outcome> | ((input: string) => Partial<Outcome>);

/** Answers commands as it is told; a command that it does not know fails. */
class MadeUpSystem implements System {
  readonly files = new Map<string, { text: string; mode: number }>();
  readonly crontabs = new Map<string, string>();
  /** What was done, in order; commands that only ask are left out. */
  readonly done: string[] = [];
  #now = 1_795_000_000_000;
  readonly #answers: [pattern: RegExp, answer: Answer][] = [];

  /** The latest of two answers to one command holds. */
  answer(pattern: RegExp, answer: Answer): this {
    this.#answers.unshift([pattern, answer]);
    return this;
  }
  async run(command: readonly string[], input = ""): Promise<Outcome> {
    const line = command.join(" ");
    if (!ASKS.test(line)) this.done.push(line);
    const answer = this.#answers.find(([pattern]) => pattern.test(line))?.[1];
    const outcome = typeof answer === "function" ? answer(input) : answer;
    const none = { exitCode: outcome ? 0 : 1, stdout: "", stderr: outcome ? "" : `no ${line}` };
    return { ...none, ...outcome };
  }
  read = async (path: string) => this.files.get(path);
  async write(path: string, text: string, mode: number) {
    this.files.set(path, { text, mode });
  }
  async remove(path: string) {
    this.files.delete(path);
  }
  list = async (folder: string) => (folder.endsWith("crontabs") ? [...this.crontabs.keys()] : []);
  async sleep(milliseconds: number) {
    this.#now += milliseconds;
  }
  now = () => this.#now;
  async say(line: string) {
    if (!line.startsWith("Running ")) this.done.push(line);
  }
}

const ASKS =
  /^readlink|^systemctl (?:is-|show)|^launchctl print|\/query|^pidof|-l$|^journalctl|^ls |^cat |^tail /;

describe("systemd's server", () => {
  const service = systemdServe.service(START);
  const installed = () => {
    const system = new MadeUpSystem().answer(/^systemctl/, {});
    for (const { path, text, mode } of service.files) system.files.set(path, { text, mode });
    system.files.set(service.configCopy!, { text: "# configuration", mode: 0o400 });
    system.answer(/^systemctl show/, { stdout: "ActiveState=active\nMainPID=12\n" });
    return system.answer(/^readlink \/proc\/12\/exe/, { stdout: "/usr/local/bin/dynip\n" });
  };

  test("is written, then started", async () => {
    const system = new MadeUpSystem().answer(/^systemctl (?:daemon-reload|enable)/, {});
    expect(await installService(service, AS_BEFORE, system)).toBe(true);
    expect(system.done).toEqual([
      `Wrote ${UNIT}`,
      "systemctl daemon-reload",
      "systemctl enable --now dynip.service",
    ]);
    expect(system.files.get(UNIT)).toEqual({ text: systemdServe.print(START), mode: 0o644 });
  });

  test("stays as it is the second time", async () => {
    const system = installed();
    expect(await installService(service, AS_BEFORE, system)).toBe(false);
    expect(system.done).toEqual([]);
  });

  const RESTART = ["systemctl daemon-reload", "systemctl restart dynip.service"];

  test("is restarted for another text, mode, program or configuration", async () => {
    for (const other of [
      { text: "[Unit]\n", mode: 0o644 },
      { text: systemdServe.print(START), mode: 0o666 },
    ]) {
      const system = installed();
      system.files.set(UNIT, other);
      expect(await installService(service, AS_BEFORE, system)).toBe(true);
      expect(system.done).toEqual([`Replaced ${UNIT}`, ...RESTART]);
    }
    for (const other of [
      { ...AS_BEFORE, isProgramNew: true },
      { ...AS_BEFORE, config: "# another" },
    ]) {
      const system = installed();
      expect(await installService(service, other, system)).toBe(true);
      expect(system.done).toEqual(RESTART);
    }
    const system = installed();
    system.answer(/^readlink/, { stdout: "/usr/local/bin/dynip (deleted)\n" });
    expect(await installService(service, AS_BEFORE, system)).toBe(true);
    expect(system.done).toEqual(RESTART);
  });

  test("a command that fails is named with what it said, and is exit code 10", async () => {
    const system = new MadeUpSystem()
      .answer(/^systemctl daemon-reload/, {})
      .answer(/^systemctl enable/, { exitCode: 1, stderr: "Failed to enable:\n  unit is bad\n" });
    await expect(installService(service, AS_BEFORE, system)).rejects.toMatchObject({
      exitCode: 10,
      message: 'Cannot run "systemctl enable --now dynip.service": Failed to enable:; unit is bad',
      hint: "what was done before it is said above; the same command goes on from there",
    });
  });

  test("is stopped, then removed; then there is nothing to remove", async () => {
    const system = installed();
    expect(await removeService(service, system)).toBe(true);
    expect(system.done).toEqual([
      "systemctl disable --now dynip.service",
      `Removed ${UNIT}`,
      "systemctl daemon-reload",
      "systemctl reset-failed dynip.*",
    ]);
    const clean = new MadeUpSystem();
    expect(await removeService(service, clean)).toBe(false);
    expect(clean.done).toEqual([]);
  });

  test("is removed, too, where it cannot be stopped because it is not started", async () => {
    const system = installed()
      .answer(/^systemctl is-active/, { exitCode: 3 })
      .answer(/^systemctl disable/, { exitCode: 1, stderr: "no such unit" });
    expect(await removeService(service, system)).toBe(true);
    expect(system.files.has(UNIT)).toBe(false);
  });

  describe("is looked at", () => {
    const RUNS = "ActiveState=active\nMainPID=12\n";
    const SOCKET =
      "  1: 00000000:6FD6 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 777 2 0 0\n";
    const starting = (shows: readonly string[]) => {
      const left = [...shows];
      return new MadeUpSystem()
        .answer(/^systemctl show/, () => ({ stdout: left.length > 1 ? left.shift()! : left[0]! }))
        .answer(/^ls/, { stdout: "3 -> 'socket:[777]'" })
        .answer(/^cat/, { stdout: SOCKET })
        .answer(/^journalctl/, {
          stdout: "listening\nerror: Cannot listen: in use\nhint: stop it\ndynip.service: Failed\n",
        });
    };

    test("until it listens", async () => {
      const system = starting(["ActiveState=activating\n", RUNS]);
      expect(await checkServer(service, 28630, system)).toEqual({ works: true });
    });

    test("and has failed: its exit code, and what it said", async () => {
      const system = starting([
        "ActiveState=activating\nSubState=auto-restart\nResult=exit-code\nExecMainStatus=8\n",
      ]);
      expect(await checkServer(service, 28630, system)).toEqual({
        works: false,
        problem: "it ended with 8: the server cannot listen on its address and port",
        said: "error: Cannot listen: in use; hint: stop it",
        exitCode: 8,
      });
    });

    test("and was never run: what systemd said", async () => {
      const system = starting(["ActiveState=inactive\nResult=success\nAssertResult=no\n"]);
      system.answer(/^journalctl --unit/, { stdout: "dynip.service: asserts failed.\n" });
      expect(await checkServer(service, 28630, system)).toEqual({
        works: false,
        problem: "it could not be run",
        said: "dynip.service: asserts failed.",
        exitCode: 10,
      });
    });

    test("and listens on another port", async () => {
      expect(await checkServer(service, 28631, starting([RUNS]))).toMatchObject({
        works: false,
        problem: "it runs and does not listen on UDP port 28631",
        exitCode: 10,
      });
    });
  });
});

describe("systemd's ping", () => {
  const service = systemdPing.service(START);
  const after = (start: Partial<Outcome>, ...shows: string[]) =>
    new MadeUpSystem()
      .answer(/^systemctl start/, start)
      .answer(/^journalctl/, { stdout: "error: Cannot ping: silence\n" })
      .answer(/^systemctl show/, () => ({ stdout: shows.length > 1 ? shows.shift()! : shows[0]! }));
  const OVER = "ActiveState=inactive\nResult=success\nExecMainStatus=0\n";
  const SILENCE = "ActiveState=failed\nResult=exit-code\nExecMainStatus=6\n";

  test("is not touched for a new program, which the next ping starts anyway", async () => {
    const system = new MadeUpSystem().answer(/^systemctl/, {});
    for (const { path, text, mode } of service.files) system.files.set(path, { text, mode });
    const isNew = await installService(service, { ...AS_BEFORE, isProgramNew: true }, system);
    expect({ isNew, done: system.done }).toEqual({ isNew: false, done: [] });
  });

  test("has ended well", async () => {
    const system = after({}, OVER);
    expect(await checkPing(service, true, system)).toEqual({ works: true });
    expect(system.done).toEqual(["systemctl start dynip-ping.service"]);
  });

  test("has failed, though the timer has started the next one meanwhile", async () => {
    const system = after({ exitCode: 1 }, OVER, "ActiveState=activating\n", SILENCE);
    expect(await checkPing(service, true, system)).toEqual({
      works: false,
      problem:
        "it ended with 6: the server did not acknowledge the ping, or did not answer the question",
      said: "error: Cannot ping: silence",
      exitCode: 6,
    });
  });
});

describe("launchd", () => {
  const service = launchdServe.service(START);
  const { path } = service.files[0]!;

  test("is told to forget a daemon, and given the new one when it is gone", async () => {
    let left = 2; // launchctl comes back before the daemon is gone
    const system = new MadeUpSystem()
      .answer(/^launchctl/, {})
      .answer(/^launchctl print/, () => ({ exitCode: isOut && left-- <= 0 ? 113 : 0 }))
      .answer(/^launchctl bootout/, () => {
        isOut = true;
        return {};
      });
    let isOut = false;
    system.files.set(path, { text: "old", mode: 0o644 });
    expect(await installService(service, AS_BEFORE, system)).toBe(true);
    expect(system.done).toEqual([
      `Replaced ${path}`,
      "launchctl bootout system/dynip",
      "launchctl enable system/dynip",
      `launchctl bootstrap system ${path}`,
    ]);
    expect(left).toBeLessThan(0);
  });

  test("runs the first ping at its start; a later one is another run", async () => {
    const ping = launchdPing.service(START);
    const print = (runs: number, exitCode: number) => ({
      stdout: `\tstate = not running\n\truns = ${runs}\n\tlast exit code = ${exitCode}\n`,
    });
    const first = new MadeUpSystem().answer(/^launchctl print/, print(1, 0));
    expect(await checkPing(ping, true, first)).toEqual({ works: true });
    expect(first.done).toEqual([]);

    let asked = 0;
    const later = new MadeUpSystem()
      .answer(/^launchctl kickstart/, {})
      .answer(/^launchctl print/, () => (asked++ < 3 ? print(1, 0) : print(2, 5)))
      .answer(/^tail/, { stdout: "error: Cannot ping\n" });
    expect(await checkPing(ping, false, later)).toMatchObject({ works: false, exitCode: 5 });
    expect(later.done).toEqual(["launchctl kickstart system/dynip-ping"]);
  });
});

describe("Windows's task", () => {
  const service = windowsTask.service(WINDOWS);
  const query = (when: string, result: number) => ({
    stdout: `"PC","\\dynip","soon","Ready","Background","${when}","${result}","N/A"\r\n`,
  });

  test("is made of a file beside the program, and both are removed", async () => {
    const system = new MadeUpSystem().answer(/^schtasks \/create/, {});
    expect(await installService(service, AS_BEFORE, system)).toBe(true);
    expect(system.done).toEqual([
      "Wrote C:\\dynip\\dynip-task.xml",
      "schtasks /create /f /xml C:\\dynip\\dynip-task.xml /tn dynip",
    ]);
    let isThere = true;
    system
      .answer(/^schtasks \/query/, () => ({ exitCode: isThere ? 0 : 1 }))
      .answer(/^schtasks \/delete/, () => {
        isThere = false;
        return {};
      });
    system.done.length = 0;
    expect(await removeService(service, system)).toBe(true);
    expect(system.done).toEqual([
      "schtasks /delete /f /tn dynip",
      "Removed C:\\dynip\\dynip-task.xml",
    ]);
  });

  test("an older result is not that of the first ping", async () => {
    let asked = 0;
    const system = new MadeUpSystem()
      .answer(/^schtasks \/run/, {})
      .answer(/^schtasks \/query/, () => {
        asked++;
        return asked < 3
          ? query("17:50", 0)
          : asked < 5
            ? query("17:55", 0x41301)
            : query("17:55", 6);
      });
    expect(await checkPing(service, false, system)).toMatchObject({ works: false, exitCode: 6 });
  });

  test("a task that cannot be run is told with what schtasks said", async () => {
    const system = new MadeUpSystem()
      .answer(/^schtasks \/run/, { exitCode: 1, stderr: "ERROR: Access is denied.\r\n" })
      .answer(/^schtasks \/query/, query("17:50", 0));
    await expect(checkPing(service, false, system)).rejects.toMatchObject({
      exitCode: 10,
      message: 'Cannot run "schtasks /run /tn dynip": ERROR: Access is denied.',
    });
  });
});

describe("cron", () => {
  const service = cron.service({ ...START, user: "ann" });
  const { line } = service.crontab!;
  /** A machine on which cron runs, with crontab(1). */
  const withCrontabs = (crontabs: Record<string, string>) => {
    const system = new MadeUpSystem().answer(/^pidof/, {});
    for (const [user, text] of Object.entries(crontabs)) system.crontabs.set(user, text);
    for (const user of ["ann", "bob"]) {
      system
        .answer(new RegExp(`^crontab -u ${user} -l`), () => {
          const stdout = system.crontabs.get(user);
          return stdout === undefined
            ? { exitCode: 1, stderr: `no crontab for ${user}\n` }
            : { stdout };
        })
        .answer(new RegExp(`^crontab -u ${user} -$`), (input) => {
          system.crontabs.set(user, input);
          return {};
        })
        .answer(new RegExp(`^crontab -u ${user} -r`), () => {
          system.crontabs.delete(user);
          return {};
        });
    }
    return system;
  };

  test("gets a line in the user's crontab, once", async () => {
    const system = withCrontabs({});
    expect(await installService(service, AS_BEFORE, system)).toBe(true);
    expect(system.crontabs.get("ann")).toBe(`${line}\n`);
    expect(await installService(service, AS_BEFORE, system)).toBe(false);
    expect(system.crontabs.get("ann")).toBe(`${line}\n`);
  });

  test("loses it, whoever has it", async () => {
    const system = withCrontabs({ ann: "# mine\n", bob: `${line}\n# his\n` });
    expect(await removeService(service, system)).toBe(true);
    expect(Object.fromEntries(system.crontabs)).toEqual({ ann: "# mine\n", bob: "# his\n" });
    expect(await removeService(service, system)).toBe(false);
  });

  test("a crontab that cannot be read is not written", async () => {
    const system = withCrontabs({}).answer(/-l$/, { exitCode: 1, stderr: "not allowed" });
    await expect(installService(service, AS_BEFORE, system)).rejects.toMatchObject({
      exitCode: 10,
      message: 'Cannot run "crontab -u ann -l": not allowed',
    });
    expect(system.crontabs.size).toBe(0);
  });

  test("does not run: an error", async () => {
    const system = withCrontabs({}).answer(/^pidof/, { exitCode: 1 });
    await expect(installService(service, AS_BEFORE, system)).rejects.toMatchObject({
      exitCode: 10,
      message: "Cannot ping every 5 minutes: no cron daemon runs",
    });
  });

  test("the ping's exit code and words are its own", async () => {
    const system = withCrontabs({}).answer(/^su ann/, {
      exitCode: 6,
      stderr: "error: Cannot ping\nhint: why\n",
    });
    expect(await checkPing(service, false, system)).toEqual({
      works: false,
      problem:
        "it ended with 6: the server did not acknowledge the ping, or did not answer the question",
      said: "error: Cannot ping; hint: why",
      exitCode: 6,
    });
  });
});
