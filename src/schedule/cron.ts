/** The line of a crontab(5) that pings. Pure. */
import { shellWord } from "./quoting.ts";

/**
 * The crontab line that pings every 5 minutes.
 * @param binary the absolute path of dynip
 * @param config the absolute path of the configuration
 */
export function crontabLine(binary: string, config: string): string {
  // cron takes an unescaped % as a line break, inside quotes too (crontab(5)).
  const command = `${shellWord(binary)} ping ${shellWord(config)}`.replaceAll("%", "\\%");
  return `*/5 * * * * ${command}`;
}
