/** What `dynip init` says to do next. Pure. */
import { type Machine, schedulerFor } from "./index.ts";
import { wordFor } from "./quoting.ts";
import { commandLine, type Scheduler, type Start, type Steps } from "./scheduler.ts";

/** The machine that the steps are for, and the files as that machine names them. */
export interface Here extends Start {
  machine: Machine;
}

/**
 * The steps for the new configuration of a server.
 * @param here `port` is the UDP port that the server listens on
 */
export function nextSteps(here: Here & { port: number }): string {
  const service = stepsFor("serve", here);
  return `Next${inPrompt(here)}:
1. On the server, let UDP port ${here.port} through its firewall and start:
${runs("serve", here)}${service ? `\n   Or as a service${textOf(service)}` : ""}
2. On each machine to be found, set server_hostname in [client] to the server's name, and try:
${runs("ping", here)}
3. There, schedule a ping every 5 minutes${textOf(stepsFor("ping", here))}
A machine that you trust less gets a file of its own, without the secret:
     dynip init nas.toml --name nas --from ${wordFor(here.machine.platform)(here.config)} --server HOST
`;
}

/**
 * The steps for the new configuration of one client, which lies on another machine as yet.
 * @param here `name` is the client's
 */
export function clientNextSteps(here: Here & { name: string }): string {
  return `Next${inPrompt(here)}:
1. Move it to ${here.name}, with the dynip binary, and remove it here.
2. There, with the paths as they are on that machine, try:
${runs("ping", here)}
3. Schedule a ping every 5 minutes${textOf(stepsFor("ping", here))}
`;
}

function inPrompt({ machine }: Here): string {
  return machine.platform === "win32" ? ", in a command prompt" : "";
}

function runs(subcommand: Scheduler["subcommand"], here: Here): string {
  return indented([commandLine(here.machine.platform, subcommand, here)]);
}

function stepsFor(subcommand: Scheduler["subcommand"], here: Here): Steps | undefined {
  return schedulerFor(subcommand, here.machine)?.steps(here);
}

/** The end of a sentence, and the lines that it introduces. */
function textOf(steps: Steps | undefined): string {
  return steps ? `${steps.lead}\n${indented(steps.lines)}` : ".";
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `     ${line}`).join("\n");
}
