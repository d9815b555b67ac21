/**
 * Windows: a Scheduled Task (schema of [MS-TSCH] 2.5) that pings every 5 minutes and at boot. It runs as
 * SYSTEM: whether or not a user is logged on, and without a window. Pure.
 *
 * The text is ASCII and declares no encoding, as in Microsoft's examples for `schtasks /XML`. So it is
 * right both as a command prompt redirects it, byte for byte, and as PowerShell does, in UTF-16.
 */
import { windowsWord, xmlText } from "./quoting.ts";
import type { Scheduler, Service, Start, State } from "./scheduler.ts";

export const windowsTask: Scheduler = {
  kind: "windows-task",
  subcommand: "ping",
  platforms: ["win32"],
  print: task,
  service,
};

function service(start: Start): Service {
  const path = start.binary.replace(/[^\\]*$/, "dynip-task.xml");
  return {
    name: "Scheduled Task dynip",
    files: [{ path, mode: 0o644, text: task(start) }],
    started: [["schtasks", "/query", "/tn", "dynip"]],
    start: [["schtasks", "/create", "/f", "/xml", path, "/tn", "dynip"]],
    restart: [["schtasks", "/create", "/f", "/xml", path, "/tn", "dynip"]],
    stop: [["schtasks", "/delete", "/f", "/tn", "dynip"]],
    check: {
      ping: ["schtasks", "/run", "/tn", "dynip"],
      state: {
        command: ["schtasks", "/query", "/tn", "dynip", "/v", "/fo", "csv", "/nh"],
        read: stateOf,
      },
    },
    later: LATER,
  };
}

/** How to look at the task, and run it. */
const LATER: Service["later"] = [
  [
    "schtasks /query /tn dynip /v /fo list",
    "shows the task; Last Result is ping's exit code, 0 if all is well",
  ],
  ["schtasks /run /tn dynip", "pings now"],
];

/**
 * A line of `schtasks /query /v /fo csv`: HostName, TaskName, Next Run Time, Status, Logon Mode, Last Run
 * Time, Last Result and more. Words are in the system's language; the numbers and the order are not.
 */
function stateOf(text: string): State | undefined {
  const line = text.trim().split(/\r?\n/).at(-1)!;
  const cells = [...line.matchAll(/"([^"]*)"/g)].map(([, cell]) => cell!);
  const result = Number(cells[6]);
  if (cells[6] === undefined || Number.isNaN(result)) return undefined;
  if (NO_RESULTS.includes(result)) return { kind: "busy" };
  return { kind: "ended", exitCode: result, run: cells[5]! };
}

/** SCHED_S_TASK_RUNNING and SCHED_S_TASK_HAS_NOT_RUN. */
const NO_RESULTS: readonly number[] = [0x41301, 0x41303];

function task({ binary, config }: Start): string {
  return `<?xml version="1.0"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>dynip ping, every 5 minutes: tells the server where this machine is</Description>
  </RegistrationInfo>
  <Triggers>
    <BootTrigger>
      <Enabled>true</Enabled>
    </BootTrigger>
    <TimeTrigger>
      <Enabled>true</Enabled>
      <StartBoundary>2020-01-01T00:00:00</StartBoundary>
      <Repetition>
        <Interval>PT5M</Interval>
      </Repetition>
      <RandomDelay>PT30S</RandomDelay>
    </TimeTrigger>
  </Triggers>
  <Principals>
    <Principal id="System">
      <UserId>S-1-5-18</UserId>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT4M</ExecutionTimeLimit>
  </Settings>
  <Actions Context="System">
    <Exec>
      <Command>${xmlText(binary)}</Command>
      <Arguments>${xmlText(`ping ${windowsWord(config)}`)}</Arguments>
    </Exec>
  </Actions>
</Task>
`;
}
