/** cron: the line of a crontab(5) that pings every 5 minutes. Pure. */
import { shellWord } from "./quoting.ts";
import type { Command, CrontabLine, Scheduler, Service, Start } from "./scheduler.ts";

export const cron: Scheduler = {
  kind: "cron",
  subcommand: "ping",
  platforms: ["linux", "darwin"],
  runsAsOwner: true,
  print: (start) => `${line(start)}\n`,
  service,
};

/** The end of an installed line, which the shell takes for a comment: `--uninstall` finds it again. */
const MARK = "# dynip init --install ping";

/** Debian's, BusyBox's and Red Hat's. */
const FOLDERS = ["/var/spool/cron/crontabs", "/etc/crontabs", "/var/spool/cron"];

function service(start: Start): Service {
  const { user, binary, config } = start;
  const ours = line(start);
  return {
    name: "dynip's crontab line",
    files: [],
    crontab: {
      user,
      line: `${ours} ${MARK}`,
      isOurs: (one) => one.endsWith(MARK) || one === ours,
      folders: FOLDERS,
    },
    started: [["pidof", "cron", "crond"]],
    // The daemon that reads crontabs is the system's own.
    start: [],
    stop: [],
    check: {
      ping:
        user === undefined
          ? [binary, "ping", config]
          : ["su", user, "-s", "/bin/sh", "-c", command(start)],
    },
    later: [[crontab(user, "-l").join(" "), "shows the line; cron mails what a failed ping says"]],
  };
}

/** The command crontab(1) for a user's crontab; undefined for root's. */
export function crontab(user: string | undefined, ...args: string[]): Command {
  return user === undefined ? ["crontab", ...args] : ["crontab", "-u", user, ...args];
}

/** The text of a crontab, with the line in it once; the other lines stay as they are. */
export function addLine(text: string, { line, isOurs }: CrontabLine): string {
  const lines = linesOf(text);
  const at = lines.findIndex(isOurs);
  const others = lines.filter((one) => !isOurs(one));
  others.splice(at === -1 ? others.length : at, 0, line);
  return textOf(others);
}

/** The text of a crontab without the line. */
export function removeLine(text: string, { isOurs }: Pick<CrontabLine, "isOurs">): string {
  return textOf(linesOf(text).filter((one) => !isOurs(one)));
}

function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function textOf(lines: readonly string[]): string {
  return lines.map((one) => `${one}\n`).join("");
}

function line(start: Start): string {
  // cron takes an unescaped % for a line break, even inside quotes (crontab(5)).
  return `*/5 * * * * ${command(start).replaceAll("%", "\\%")}`;
}

function command({ binary, config }: Start): string {
  return `${shellWord(binary)} ping ${shellWord(config)}`;
}
