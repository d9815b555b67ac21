/**
 * Windows: a Scheduled Task (schema of [MS-TSCH] 2.5) that pings every 5 minutes and at boot. It runs as
 * SYSTEM: whether or not a user is logged on, and without a window. Pure.
 *
 * The text is ASCII and declares no encoding, as in Microsoft's examples for `schtasks /XML`. So it is
 * right both as a command prompt redirects it, byte for byte, and as PowerShell does, in UTF-16.
 */
import { windowsWord, xmlText } from "./quoting.ts";
import { commandLine, type Scheduler, type Start } from "./scheduler.ts";

export const windowsTask: Scheduler = {
  kind: "windows-task",
  subcommand: "ping",
  platforms: ["win32"],
  print: task,
  steps: (start) => ({
    lead: ', in a prompt opened with "Run as administrator":',
    lines: [
      `${commandLine("win32", "init --print windows-task", start)} > dynip.xml`,
      "schtasks /create /xml dynip.xml /tn dynip",
    ],
  }),
};

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
