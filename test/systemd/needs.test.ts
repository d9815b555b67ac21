/** What the server's unit allows on a systemd that runs: `bun run check:systemd`. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { bootedMachine, DYNIP, FOLDER, type Machine } from "./machine.ts";

const SKIPPED = FOLDER ? "" : " (skipped: bun run check:systemd runs it)";
const CONFIG = "/home/ann/dynip.toml";
const NOTICES = await Bun.file(join(import.meta.dir, "..", "..", ".github", "NOTICES.md")).text();

/** The unit of NOTICES.md with this line. */
function unitWith(line: string): string {
  return NOTICES.split("```ini\n")
    .find((block) => block.split("```")[0]!.includes(line))!
    .split("```")[0]!;
}

/** Installs a server with these lines in its sections, and more sections; what that said on stderr. */
async function install(
  machine: Machine,
  sections: Readonly<Record<string, string>>,
  more = "",
): Promise<string> {
  await machine.sh(`${DYNIP} init ${CONFIG} && cat >> ${CONFIG} <<'END'
${more}
END`);
  for (const [name, lines] of Object.entries(sections)) {
    await machine.sh(`sed -i '/^\\[${name}\\]/r /dev/stdin' ${CONFIG} <<'END'
${lines}
END`);
  }
  const result = await machine.run([DYNIP, "init", "--install", "serve", CONFIG]);
  expect(result).toMatchObject({ exitCode: 0 });
  return result.stderr;
}

const ping = (machine: Machine) => machine.sh(`${DYNIP} ping ${CONFIG}`);

const HOSTS = "attic-pi.dyn.example.com";
const waitFor = (pattern: string, path: string) =>
  `until grep -q '${pattern}' ${path}; do sleep 0.05; done`;

describe.skipIf(!FOLDER)(`the unit of the server${SKIPPED}`, () => {
  test("keeps hosts file and history in the state folder, and root's units copy the first", async () => {
    await using machine = await bootedMachine();
    const said = await install(
      machine,
      {
        server:
          'hosts_path = "hosts"\nhosts_domain = "dyn.example.com"\nhistory_path = "history.jsonl"',
      },
      "[http]",
    );
    expect(said).toBe("");
    expect(await machine.sh("systemctl show dynip -P LimitNOFILE")).toBe("65536\n");
    const units = {
      "dynip-hosts.service": unitWith("ExecStart=install "),
      "dynip-hosts.path": unitWith("PathChanged="),
    };
    for (const [name, text] of Object.entries(units)) {
      await machine.sh(`cat > /etc/systemd/system/${name} <<'END'\n${text}END`);
    }
    await machine.sh("systemctl enable --now dynip-hosts.path && systemctl start dynip-hosts");
    await machine.sh("test ! -s /var/lib/dynip/history.jsonl");
    await ping(machine);
    await machine.sh(waitFor(HOSTS, "/etc/dynip-hosts.d/hosts"));
    expect(await machine.sh("stat -c %a /etc/dynip-hosts.d/hosts")).toBe("644\n");
    const [line] = (await machine.sh("cat /var/lib/dynip/history.jsonl")).split("\n");
    expect(JSON.parse(line!)).toMatchObject({ name: "attic-pi", how: "proven" });
    // The service's user, or its command, may put a link there.
    await machine.sh("ln -sf /etc/shadow /var/lib/dynip/hosts");
    expect((await machine.run(["systemctl", "start", "dynip-hosts"])).exitCode).not.toBe(0);
    expect(await machine.sh("cat /etc/dynip-hosts.d/hosts")).toContain(HOSTS);
    const found = await machine.run(["grep", "-r", "root:", "/etc/dynip-hosts.d"]);
    expect(found.exitCode).toBe(1);
  });

  test("writes them elsewhere as the user dynip, if there is one that can", async () => {
    await using machine = await bootedMachine();
    const folder = "/srv/names of dynip";
    await machine.sh(`useradd --system dynip && mkdir '${folder}' && chown dynip '${folder}'`);
    const said = await install(machine, {
      server: `hosts_path = "${folder}/hosts"\nhosts_domain = "dyn.example.com"\nhistory_path = "${folder}/history.jsonl"`,
    });
    expect(said).toContain("the service can write there if its user can\n");
    await ping(machine);
    await machine.sh(waitFor(HOSTS, `'${folder}/hosts'`));
    expect(await machine.sh(`ls -A '${folder}'`)).toBe("history.jsonl\nhosts\n");
    expect(await machine.sh(`stat -c %U '${folder}/hosts'`)).toBe("dynip\n");
    // Nothing else may be written to.
    const pid = (await machine.sh("systemctl show dynip -P MainPID")).trim();
    const mounts = await machine.sh(`cat /proc/${pid}/mountinfo`);
    const writable = mounts
      .split("\n")
      .filter((line) => line.includes("/srv/") && / rw[, ]/.test(line));
    expect(writable).toHaveLength(1);
  });

  test("runs a command, which can log, write in the state folder and nowhere else", async () => {
    await using machine = await bootedMachine();
    await machine.sh(`cat > /usr/local/bin/on-dynip <<'END'
#!/bin/sh
logger --tag on-dynip "$DYNIP_MESSAGE"
cd /var/lib/dynip && echo "$DYNIP_EVENT $DYNIP_NAME" > told
for folder in /etc /usr/local /srv; do touch $folder/here && echo $folder >> told; done
cat /home/ann/dynip.toml && echo "sees a home" >> told
setpriv --ruid 0 true && echo "is root" >> told
exit 0
END
chmod 755 /usr/local/bin/on-dynip`);
    await install(machine, { notify: 'command = ["/usr/local/bin/on-dynip"]' });
    await ping(machine);
    await machine.sh(waitFor("new attic-pi", "/var/lib/dynip/told"));
    await machine.sh(
      "until journalctl -t on-dynip | grep -q 'new host attic-pi'; do sleep 0.05; done",
    );
    await machine.sh("journalctl --sync");
    expect(await machine.sh("cat /var/lib/dynip/told")).toBe("new attic-pi\n");
  });

  test("says what it cannot write, and goes on", async () => {
    await using machine = await bootedMachine();
    await install(machine, { server: 'history_path = "/srv/none/history.jsonl"' });
    await ping(machine);
    await machine.sh(
      "until journalctl -u dynip | grep -q 'Cannot write history'; do sleep 0.05; done",
    );
    await machine.sh("systemctl is-active dynip");
  });
});
