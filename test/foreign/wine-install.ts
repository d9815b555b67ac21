/**
 * `dynip init --install ping` on Wine, whose schtasks makes and deletes tasks, but neither runs them nor
 * says how they ended.
 */
import { PROJECT } from "./suite.ts";
import { inWine } from "./wine-folder.ts";

const SCRIPT = `
cd /tmp
dynip=/project/dist/dynip-windows-x64.exe
wine $dynip init 'C:\\dynip.toml' > /dev/null
wine $dynip init --install ping 'C:\\dynip.toml' 2>&1; echo "exit code $?"
wine 'C:\\Program Files\\dynip\\dynip.exe' init --install ping 'C:\\dynip.toml' 2>&1 | head -n 1
wine schtasks /query /tn dynip > /dev/null; ls '/prefix/drive_c/Program Files/dynip'
wine $dynip init --uninstall ping; echo "exit code $?"
wine schtasks /delete /f /tn dynip > /dev/null; echo "a task is left: $((1 - $?))"
ls '/prefix/drive_c/Program Files/dynip' /prefix/drive_c/dynip.toml
rm -r '/prefix/drive_c/Program Files/dynip' /prefix/drive_c/dynip.toml
`;

const EXPECTED = `Copied Z:\\project\\dist\\dynip-windows-x64.exe to C:\\Program Files\\dynip\\dynip.exe
Wrote C:\\Program Files\\dynip\\dynip-task.xml
Running schtasks /create /f /xml C:\\Program Files\\dynip\\dynip-task.xml /tn dynip
Running schtasks /run /tn dynip
Later:
  schtasks /query /tn dynip /v /fo list  # shows the task; Last Result is ping's exit code, 0 if all is well
  schtasks /run /tn dynip                # pings now
error: Scheduled Task dynip is installed, but the first ping failed: its result is not known
exit code 10
Scheduled Task dynip is up to date
dynip-task.xml
dynip.exe
Running schtasks /delete /f /tn dynip
Removed C:\\Program Files\\dynip\\dynip-task.xml
ping is uninstalled. The configuration, the client log and the program are still there.
exit code 0
a task is left: 0
/prefix/drive_c/dynip.toml

/prefix/drive_c/Program Files/dynip:
dynip.exe
`;

/** Installs and uninstalls; false if something else happens than is expected. */
export async function installsInWine(folder: string): Promise<boolean> {
  const run = Bun.spawn(inWine(folder, PROJECT, ["sh", "-c", SCRIPT]), {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    timeout: 120_000,
    killSignal: "SIGKILL",
  });
  const text = (await run.stdout.text()).replaceAll("\r", "");
  const isGood = text === EXPECTED;
  if (isGood) console.log("\ninit --install and --uninstall passed");
  else console.error(`error: init --install in Wine said\n${text}\nand not\n${EXPECTED}`);
  return isGood;
}
