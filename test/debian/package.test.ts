/** The Debian package on systems that run: `bun run check:deb`. */
import { describe, expect, test } from "bun:test";

import { version } from "../../package.json";
import { bootedMachine, FOLDER, type Machine, machineWithCron } from "../systemd/machine.ts";

const DEB = process.env["DYNIP_DEB"];
const OLDER = process.env["DYNIP_OLDER_DEB"];
const isSkipped = !FOLDER || !DEB || !OLDER;
const SKIPPED = isSkipped ? " (skipped: bun run check:deb runs it)" : "";

const files = () => ({ [DEB!]: "/new.deb", [OLDER!]: "/older.deb" });

/** What `systemctl` says in one word, whatever its exit code. */
async function systemctl(machine: Machine, ...args: string[]): Promise<string> {
  return (await machine.run(["systemctl", ...args])).stdout.trim();
}

/** The state of a unit: whether it is started at boot, and whether it runs. */
async function state(machine: Machine, unit: string): Promise<string> {
  const enabled = await systemctl(machine, "is-enabled", unit);
  return `${enabled} ${await systemctl(machine, "is-active", unit)}`;
}

/** Starts the server and the pings as README.Debian says, and waits for the first ping. */
async function start(machine: Machine): Promise<void> {
  await machine.sh(`dynip init /etc/dynip/dynip.toml
systemctl enable --now dynip
systemctl start dynip-ping.service
systemctl enable --now dynip-ping.timer
until grep -q attic-pi /var/lib/dynip/dynip.json; do sleep 0.1; done`);
}

const pidOf = (machine: Machine) => systemctl(machine, "show", "dynip", "--property=MainPID");
const accessTo = (machine: Machine, ...paths: string[]) =>
  machine.sh(`stat --format='%A %U %G' ${paths.join(" ")}`);

describe.skipIf(isSkipped)(`on a booted Debian${SKIPPED}`, () => {
  test("it is installed, and starts nothing", async () => {
    await using machine = await bootedMachine(files());
    await machine.sh("dpkg --install /new.deb");
    expect(await machine.sh("dynip --version")).toStartWith(`dynip ${version} (`);
    expect(await state(machine, "dynip.service")).toBe("disabled inactive");
    expect(await state(machine, "dynip-ping.timer")).toBe("disabled inactive");
    expect(await accessTo(machine, "/var/lib/dynip", "/var/lib/dynip/dynip.json")).toBe(
      "drwxr-x--- dynip dynip\n-rw-r----- dynip dynip\n",
    );
    expect(await machine.sh("dpkg --verify dynip")).toBe("");
    expect(await machine.sh("systemd-analyze verify dynip.service dynip-ping.timer 2>&1")).toBe("");
  });

  test("the server runs as dynip, and its group may read the client log", async () => {
    await using machine = await bootedMachine(files());
    await machine.sh("dpkg --install /new.deb");
    await start(machine);
    expect(await accessTo(machine, "/etc/dynip/dynip.toml")).toBe("-rw------- root root\n");
    expect(await machine.sh("ps -o user= -C dynip || stat --format=%U /proc/$(pidof dynip)")).toBe(
      "dynip\n",
    );
    await machine.sh("useradd bob; adduser --quiet ann dynip; systemctl restart dynip");
    const read = (user: string) => machine.run(["su", user, "-c", "cat /var/lib/dynip/dynip.json"]);
    expect((await read("ann")).stdout).toContain('"attic-pi"');
    expect((await read("bob")).stderr).toContain("Permission denied");
    // The server has written it since.
    await machine.sh("systemctl stop dynip");
    expect(await accessTo(machine, "/var/lib/dynip/dynip.json")).toBe("-rw-r----- dynip dynip\n");
  });

  test("an upgrade restarts what runs, and keeps what is known", async () => {
    await using machine = await bootedMachine(files());
    await machine.sh("dpkg --install /older.deb");
    await start(machine);
    const old = await pidOf(machine);
    await machine.sh("dpkg --install /new.deb");
    expect(await machine.sh("dpkg-query --show --showformat='${Version}' dynip")).toBe(version);
    expect(await state(machine, "dynip.service")).toBe("enabled active");
    expect(await state(machine, "dynip-ping.timer")).toBe("enabled active");
    expect(await pidOf(machine)).not.toBe(old);
    expect(await machine.sh("cat /var/lib/dynip/dynip.json")).toContain('"attic-pi"');
  });

  test("an upgrade starts nothing that did not run", async () => {
    await using machine = await bootedMachine(files());
    await machine.sh("dpkg --install /older.deb && dpkg --install /new.deb");
    expect(await state(machine, "dynip.service")).toBe("disabled inactive");
    expect(await state(machine, "dynip-ping.timer")).toBe("disabled inactive");
  });

  test("removed it stops, and installed again it goes on; a purge keeps the secret alone", async () => {
    await using machine = await bootedMachine(files());
    await machine.sh("dpkg --install /new.deb");
    await start(machine);
    await machine.sh("dpkg --remove dynip");
    expect(await systemctl(machine, "is-active", "dynip", "dynip-ping.timer")).toBe(
      "inactive\ninactive",
    );
    expect(await machine.sh("ls /var/lib/dynip /etc/dynip")).toContain("dynip.json\n");

    await machine.sh("dpkg --install /new.deb && systemctl start dynip");
    expect(await state(machine, "dynip.service")).toBe("enabled active");
    expect(await machine.sh("cat /var/lib/dynip/dynip.json")).toContain('"attic-pi"');

    await machine.sh("dpkg --purge dynip");
    expect(
      await machine.sh(`find / -xdev -name '*dynip*' -not -path '/proc/*' \\
      -not -path '/home/*' -not -path '/dynip.bound' -not -path '/sys/*' | sort`),
    ).toBe("/etc/dynip\n/etc/dynip/dynip.toml\n");
    expect(await machine.sh("id --user --name dynip")).toBe("dynip\n");
  });

  test("dynip init --install serve replaces the package's unit, and --uninstall brings it back", async () => {
    await using machine = await bootedMachine(files());
    await machine.sh("dpkg --install /new.deb");
    await start(machine);
    const said = await machine.sh("dynip init --install serve /etc/dynip/dynip.toml");
    expect(said).toContain("Wrote /etc/systemd/system/dynip.service\n");
    expect(said).toContain("dynip.service is active and listens on UDP port 28630.\n");
    const unit = await systemctl(machine, "cat", "dynip");
    expect(unit).toStartWith("# /etc/systemd/system/dynip.service\n");
    expect(unit).toContain("\nExecStart=/usr/bin/dynip serve ");
    expect(await machine.sh("cat /var/lib/private/dynip/dynip.json")).toContain('"attic-pi"');

    await machine.sh("dynip init --uninstall serve && systemctl enable --now dynip");
    expect(await systemctl(machine, "cat", "dynip")).toMatch(
      /^# (\/usr)?\/lib\/systemd\/system\/dynip\.service\n/,
    );
    expect(await state(machine, "dynip.service")).toBe("enabled active");
    expect(await accessTo(machine, "/var/lib/dynip", "/var/lib/dynip/dynip.json")).toBe(
      "drwxr-x--- dynip dynip\n-rw-r----- dynip dynip\n",
    );
    expect(await machine.sh("cat /var/lib/dynip/dynip.json")).toContain('"attic-pi"');
  });
});

test.skipIf(isSkipped)(`without systemd it is installed and purged${SKIPPED}`, async () => {
  await using machine = await machineWithCron(files());
  await machine.sh("dpkg --install /older.deb && dpkg --install /new.deb");
  expect(await machine.sh("dynip --version")).toStartWith(`dynip ${version} (`);
  await machine.sh("dpkg --purge dynip");
  expect(await machine.sh("ls -d /etc/dynip /var/lib/dynip /usr/bin/dynip 2>/dev/null || :")).toBe(
    "",
  );
});
