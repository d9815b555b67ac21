/**
 * The Scheduled Task that `dynip init` prints for Windows (the schema of [MS-TSCH] 2.5). Pure: paths
 * are passed in.
 *
 * No encoding is declared and all of it is ASCII, as in Microsoft's own examples for `schtasks /XML`:
 * so it is right as a command prompt redirects it, byte for byte, and as PowerShell does, in UTF-16.
 */
import { windowsWord, xmlText } from "./quoting.ts";

/**
 * The task that pings every 5 minutes and at boot, as SYSTEM: whether or not anybody is logged on,
 * and without a window.
 * @param binary the absolute path of dynip.exe
 * @param config the absolute path of the configuration
 */
export function windowsTask(binary: string, config: string): string {
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
