/** `dynip init --install` and `--uninstall` on systems that run: `bun run check:systemd`. */
import { describe, expect, test } from "bun:test";

import { EXIT_MEANINGS } from "../../src/system/errors.ts";
import { bootedMachine, DYNIP, FOLDER, type Machine, machineWithCron } from "./machine.ts";

const SKIPPED = FOLDER ? "" : " (skipped: bun run check:systemd runs it)";
const CONFIG = "/home/ann/dynip.toml";

/** Runs dynip there, from ann's home. */
function dynip(machine: Machine, ...args: string[]) {
  return machine.run([DYNIP, ...args]);
}

/** Makes a configuration for a server and clients of that machine. */
async function writeConfig(machine: Machine): Promise<void> {
  await machine.sh(`${DYNIP} init ${CONFIG} && chown ann: ${CONFIG}`);
}

/** The properties of a unit. */
async function show(machine: Machine, unit: string, ...properties: string[]): Promise<string[]> {
  const args = properties.map((property) => `--property=${property}`).join(" ");
  return (await machine.sh(`systemctl show ${unit} ${args}`)).trim().split("\n").sort();
}

const units = (machine: Machine) =>
  machine.sh("find /etc/systemd /run/systemd/transient -name 'dynip*' | sort");

describe.skipIf(!FOLDER)(`on a booted systemd${SKIPPED}`, () => {
  test("serve and ping: installed, at work, up to date the second time, removed", async () => {
    await using machine = await bootedMachine();
    await writeConfig(machine);

    expect(await dynip(machine, "init", "--install", "serve", CONFIG)).toEqual({
      exitCode: 0,
      stderr: "",
      stdout: `Copied ${DYNIP} to /usr/local/bin/dynip
Wrote /etc/systemd/system/dynip.service
Running systemctl daemon-reload
Running systemctl enable --now dynip.service
dynip.service is active and listens on UDP port 28630.
Later:
  systemctl status dynip         # shows how it is
  journalctl -u dynip            # shows what it said
  cat /var/lib/dynip/dynip.json  # shows where your machines are
`,
    });
    const ping = await dynip(machine, "init", "--install", "ping", CONFIG);
    expect(ping).toMatchObject({ exitCode: 0, stderr: "" });
    expect(ping.stdout).toStartWith(`Wrote /etc/systemd/system/dynip-ping.service
Wrote /etc/systemd/system/dynip-ping.timer
Running systemctl daemon-reload
Running systemctl enable --now dynip-ping.timer
Running systemctl start dynip-ping.service
The first ping was acknowledged. From now on it pings every 5 minutes.
`);
    expect(JSON.parse(await machine.sh("cat /var/lib/dynip/dynip.json"))).toHaveProperty(
      "attic-pi",
    );
    expect(await machine.sh("journalctl -u dynip -o cat")).toContain(
      "new host attic-pi at 127.0.0.1",
    );
    expect(await show(machine, "dynip", "ActiveState", "UnitFileState")).toEqual([
      "ActiveState=active",
      "UnitFileState=enabled",
    ]);
    expect(await show(machine, "dynip-ping.timer", "ActiveState", "UnitFileState")).toEqual([
      "ActiveState=active",
      "UnitFileState=enabled",
    ]);

    const pid = await show(machine, "dynip", "MainPID");
    const again = await dynip(machine, "init", "--install", "serve", CONFIG);
    expect(again).toMatchObject({ exitCode: 0, stderr: "" });
    expect(again.stdout).toStartWith(
      "dynip.service is up to date\ndynip.service is active and listens on UDP port 28630.\n",
    );
    expect(await show(machine, "dynip", "MainPID")).toEqual(pid);
    const pingAgain = await dynip(machine, "init", "--install", "ping", CONFIG);
    expect(pingAgain.stdout).toStartWith(
      "dynip-ping.timer is up to date\nRunning systemctl start dynip-ping.service\nThe first ping",
    );

    expect(await dynip(machine, "init", "--uninstall", "ping")).toEqual({
      exitCode: 0,
      stderr: "",
      stdout: `Running systemctl disable --now dynip-ping.timer
Running systemctl stop dynip-ping.service
Removed /etc/systemd/system/dynip-ping.service
Removed /etc/systemd/system/dynip-ping.timer
Running systemctl daemon-reload
Running systemctl reset-failed dynip-ping.*
ping is uninstalled. The configuration, the client log and the program are still there.
`,
    });
    expect((await show(machine, "dynip", "ActiveState"))[0]).toBe("ActiveState=active");
    expect((await dynip(machine, "init", "--uninstall", "serve")).exitCode).toBe(0);
    expect(await units(machine)).toBe("");
    expect(
      await machine.sh("systemctl list-units --all --no-legend 'dynip*.service' 'dynip*.timer'"),
    ).toBe("");
    await machine.sh(`test -s ${CONFIG} && test -s /var/lib/private/dynip/dynip.json`);
    for (const subcommand of ["serve", "ping"]) {
      expect(await dynip(machine, "init", "--uninstall", subcommand)).toEqual({
        exitCode: 0,
        stdout: `There is nothing to remove: ${subcommand} is not installed\n`,
        stderr: "",
      });
    }
  });

  test("an upgrade: another program, another unit, another port", async () => {
    await using machine = await bootedMachine();
    await writeConfig(machine);
    await machine.sh(`cat > /usr/local/bin/dynip <<'END'
#!/bin/sh
[ "$1" = --version ] && echo "dynip 0.2.0 (c6a8c1f, linux-x64)" && exit
exec /usr/bin/dynip-0.2.0 "$@"
END
chmod 755 /usr/local/bin/dynip; cp ${DYNIP} /usr/bin/dynip-0.2.0
/usr/local/bin/dynip init --print systemd-serve ${CONFIG} 2>/dev/null |
  sed 's|/usr/bin/dynip-0.2.0|/usr/local/bin/dynip|' > /etc/systemd/system/dynip.service
systemctl enable --now dynip
until journalctl --unit=dynip | grep -q 'listening on'; do sleep 0.1; done`);
    const program = () =>
      machine.sh("readlink /proc/$(systemctl show dynip --property=MainPID --value)/exe");
    expect(await program()).toBe("/usr/bin/dynip-0.2.0\n");

    const upgrade = await dynip(machine, "init", "--install", "serve", CONFIG);
    expect(upgrade).toMatchObject({ exitCode: 0, stderr: "" });
    expect(upgrade.stdout).toStartWith(
      `Copied ${DYNIP} to /usr/local/bin/dynip, in place of 0.2.0 (c6a8c1f, linux-x64)
Running systemctl daemon-reload
Running systemctl restart dynip.service
dynip.service is active`,
    );
    expect(await program()).toBe("/usr/local/bin/dynip\n");

    // The file was replaced by hand, as "install" does it.
    await machine.sh(`install ${DYNIP} /usr/local/bin/dynip`);
    expect(await program()).toBe("/usr/local/bin/dynip (deleted)\n");
    await dynip(machine, "init", "--install", "serve", CONFIG);
    expect(await program()).toBe("/usr/local/bin/dynip\n");

    await machine.sh("sed -i 's/^RestartSec=.*/RestartSec=1h/' /etc/systemd/system/dynip.service");
    expect((await dynip(machine, "init", "--install", "serve", CONFIG)).stdout).toStartWith(
      `Replaced /etc/systemd/system/dynip.service
Running systemctl daemon-reload
Running systemctl restart dynip.service
dynip.service is active`,
    );
    await machine.sh(`sed -i 's/^server_port = .*/server_port = 53/' ${CONFIG}`);
    expect((await dynip(machine, "init", "--install", "serve", CONFIG)).stdout).toContain(
      "Replaced /etc/systemd/system/dynip.service\n", // with the capability
    );
    await machine.sh(`sed -i 's/^server_port = .*/server_port = 28640/' ${CONFIG}`);
    await dynip(machine, "init", "--install", "serve", CONFIG);
    await machine.sh(`sed -i 's/^server_port = .*/server_port = 28641/' ${CONFIG}`);
    expect((await dynip(machine, "init", "--install", "serve", CONFIG)).stdout).toStartWith(
      `Running systemctl daemon-reload
Running systemctl restart dynip.service
dynip.service is active and listens on UDP port 28641.`,
    );
  });

  test("a server that has failed since is started again", async () => {
    await using machine = await bootedMachine();
    await writeConfig(machine);
    await dynip(machine, "init", "--install", "serve", CONFIG);
    await machine.sh("systemctl stop dynip");
    const { exitCode, stdout } = await dynip(machine, "init", "--install", "serve", CONFIG);
    expect(exitCode).toBe(0);
    expect(stdout).toStartWith(
      "Running systemctl daemon-reload\nRunning systemctl enable --now dynip.service\ndynip.service is active",
    );
  });

  test("a port that is in use is told, with what the server said", async () => {
    await using machine = await bootedMachine();
    await writeConfig(machine);
    await machine.sh(`cp ${DYNIP} /usr/bin/dynip-other; systemd-run /usr/bin/dynip-other serve ${CONFIG}
until journalctl --output=cat | grep -q 'listening on'; do sleep 0.1; done`);
    const { exitCode, stdout, stderr } = await dynip(machine, "init", "--install", "serve", CONFIG);
    expect(exitCode).toBe(8);
    expect(stdout).not.toContain("is active");
    expect(stderr).toBe(
      "error: dynip.service is installed, but the server does not work: it ended with 8: the server cannot listen on its address and port\n" +
        "hint: it said: error: Cannot listen on UDP port 28630, every interface: the port is in use; hint: stop the program that uses it, or change server_port\n",
    );
  });

  test("a ping that is not acknowledged is exit code 6, and stays installed", async () => {
    await using machine = await bootedMachine();
    await writeConfig(machine);
    const { exitCode, stdout, stderr } = await dynip(machine, "init", "--install", "ping", CONFIG);
    expect({ exitCode, stderr, stdout }).toMatchObject({ exitCode: 6 });
    expect(stdout).toContain("journalctl -u dynip-ping");
    expect(stdout).not.toContain("acknowledged.");
    expect(stderr).toStartWith(
      `error: dynip-ping.timer is installed, but the first ping failed: it ended with 6: ${EXIT_MEANINGS.noAcknowledgement}\n` +
        'hint: it said: error: Cannot ping "localhost"',
    );
    expect((await show(machine, "dynip-ping.timer", "ActiveState"))[0]).toBe("ActiveState=active");
    await dynip(machine, "init", "--uninstall", "ping");
    expect(await machine.sh("systemctl --failed --no-legend")).toBe("");
  });

  test("a plain ping was sent, and more is not known", async () => {
    await using machine = await bootedMachine();
    await writeConfig(machine);
    await machine.sh(`sed -i '/^secret/d' ${CONFIG}`);
    const { exitCode, stdout } = await dynip(machine, "init", "--install", "ping", CONFIG);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      "The first ping was sent; without a secret nothing confirms that it arrived.",
    );
  });

  test("a mistake in the configuration, and who is not root: nothing is written", async () => {
    await using machine = await bootedMachine();
    await writeConfig(machine);
    const refused = async (...command: string[]) => {
      const result = await machine.run(command);
      expect(result.stdout).toBe("");
      expect(await units(machine)).toBe("");
      await machine.sh("test ! -e /usr/local/bin/dynip");
      return result;
    };
    const su = `${DYNIP} init --install serve ${CONFIG}`;
    expect(await refused("su", "ann", "-c", su)).toMatchObject({
      exitCode: 10,
      stderr: `error: Cannot install "serve": it needs root; run sudo ${su}\n`,
    });
    await machine.sh(`sed -i 's/^server_hostname.*//' ${CONFIG}`);
    expect(await refused(DYNIP, "init", "--install", "ping", CONFIG)).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining("has no server_hostname in [client]"),
    });
    await machine.sh(`sed -i 's|^client_log_path.*|client_log_path = "/srv/x.json"|' ${CONFIG}`);
    expect(await refused(DYNIP, "init", "--install", "serve", CONFIG)).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('the service cannot write client_log_path, "/srv/x.json"'),
    });
    await machine.sh(`sed -i 's/^server_port.*/server_port = 70000/' ${CONFIG}`);
    expect(await refused(DYNIP, "init", "--install", "serve", CONFIG)).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining("server_port in [server] is 70000"),
    });
  });

  test("a configuration that was moved away is named by systemd", async () => {
    await using machine = await bootedMachine();
    await writeConfig(machine);
    await dynip(machine, "init", "--install", "serve", CONFIG);
    await machine.sh(`mv ${CONFIG} /home/ann/elsewhere.toml`);
    expect((await machine.run(["systemctl", "restart", "dynip"])).exitCode).toBe(1);
    const { stdout } = await machine.run(["systemctl", "status", "dynip"]);
    expect(stdout).toContain(`AssertPathExists=${CONFIG} was not met`);
    const moved = await dynip(machine, "init", "--install", "serve", "/home/ann/elsewhere.toml");
    expect(moved).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("a command that fails is named, with what it said", async () => {
    await using machine = await bootedMachine();
    await writeConfig(machine);
    await machine.sh("systemctl mask dynip-ping.timer");
    const result = await dynip(machine, "init", "--install", "ping", CONFIG);
    expect(result.exitCode).toBe(10);
    expect(result.stderr).toContain('"/etc/systemd/system/dynip-ping.timer": it is not a regular');
  });
});

describe.skipIf(!FOLDER)(`with cron and without systemd${SKIPPED}`, () => {
  test("the line is in the owner's crontab once, and --uninstall removes that alone", async () => {
    await using machine = await machineWithCron();
    await writeConfig(machine);
    const server = machine.run(["sh", "-c", `cd /srv && exec ${DYNIP} serve ${CONFIG}`]);
    await machine.sh("until [ -e /home/ann/dynip.json ]; do sleep 0.05; done");
    const OTHERS = "# of ann\n0 3 * * * true\n";
    await machine.sh(`printf '${OTHERS.replaceAll("\n", "\\n")}' | crontab -u ann -`);

    const line = `*/5 * * * * /usr/local/bin/dynip ping ${CONFIG} # dynip init --install ping`;
    expect(await dynip(machine, "init", "--install", "ping", CONFIG)).toEqual({
      exitCode: 0,
      stderr: "",
      stdout: `Copied ${DYNIP} to /usr/local/bin/dynip
Added to the crontab of ann: ${line}
Running su ann -s /bin/sh -c /usr/local/bin/dynip ping ${CONFIG}
The first ping was acknowledged. From now on it pings every 5 minutes.
Later:
  crontab -u ann -l  # shows the line; cron mails what a failed ping says
`,
    });
    expect(await machine.sh("crontab -u ann -l")).toBe(`${OTHERS}${line}\n`);
    const again = await dynip(machine, "init", "--install", "ping", CONFIG);
    expect(again.stdout).toStartWith("dynip's crontab line is up to date\n");
    expect(await machine.sh("crontab -u ann -l")).toBe(`${OTHERS}${line}\n`);

    expect(await dynip(machine, "init", "--uninstall", "ping")).toMatchObject({ exitCode: 0 });
    expect(await machine.sh("crontab -u ann -l")).toBe(OTHERS);
    expect((await dynip(machine, "init", "--uninstall", "ping")).stdout).toStartWith(
      "There is nothing to remove",
    );
    await machine.sh("kill $(pidof dynip)");
    await server;
  });

  test("a crontab that had no other line is gone; there is no service for the server", async () => {
    await using machine = await machineWithCron();
    await writeConfig(machine);
    await machine.sh(`chown root: ${CONFIG}; sed -i '/^secret/d' ${CONFIG}`);
    expect((await dynip(machine, "init", "--install", "ping", CONFIG)).exitCode).toBe(0);
    expect(await machine.sh("crontab -l | grep -c dynip")).toBe("1\n");
    expect((await dynip(machine, "init", "--uninstall", "ping")).exitCode).toBe(0);
    expect((await machine.run(["crontab", "-l"])).stderr).toContain("no crontab for root");

    expect(await dynip(machine, "init", "--install", "serve", CONFIG)).toMatchObject({
      exitCode: 10,
      stderr: expect.stringContaining("nothing on this system that would start it"),
    });
  });

  test("a cron that does not run is an error", async () => {
    await using machine = await machineWithCron();
    await writeConfig(machine);
    await machine.sh("kill $(pidof cron)");
    expect(await dynip(machine, "init", "--install", "ping", CONFIG)).toMatchObject({
      exitCode: 10,
      stderr: expect.stringContaining("no cron daemon runs"),
    });
  });
});
