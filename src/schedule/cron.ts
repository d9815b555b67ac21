/** cron: the line of a crontab(5) that pings every 5 minutes. Pure. */
import { commandLine, type Scheduler, type Start } from "./scheduler.ts";

export const cron: Scheduler = {
  kind: "cron",
  subcommand: "ping",
  platforms: ["linux", "darwin"],
  print: (start) => `${line(start)}\n`,
  steps: (start) => ({ lead: ': run "crontab -e" and add the line', lines: [line(start)] }),
};

function line(start: Start): string {
  // cron takes an unescaped % for a line break, even inside quotes (crontab(5)).
  return `*/5 * * * * ${commandLine("linux", "ping", start).replaceAll("%", "\\%")}`;
}
