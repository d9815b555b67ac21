/**
 * The README's ways to a machine by ssh, with a real sshd on loopback. They are skipped where ssh, sshd
 * or nc is missing; `bun run check:ssh` fails there.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rmdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import {
  cleanEnvironment,
  outputOf,
  type RunResult,
  runProcess,
  startProcess,
} from "../processes.ts";
import { freePort, temporaryFolder } from "../temporary.ts";
import { TEST_MS, WAIT_MS } from "../waiting.ts";
import { BINARY, dynip, newSignedSetup, serve } from "./dynip.ts";

setDefaultTimeout(TEST_MS);

const README = await Bun.file(join(import.meta.dir, "..", "..", "README.md")).text();

/** sshd is in no ordinary user's path. */
const PATH = `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin`;
const missing = ["ssh", "ssh-keygen", "sshd", "nc"].filter((name) => !Bun.which(name, { PATH }));
const why = missing.length > 0 ? `there is no ${missing.join(", ")}` : undefined;
const mustRun = process.env["DYNIP_CHECK_SSH"] === "1";

test.skipIf(!mustRun)("ssh, sshd and nc are there (Debian: openssh-server, netcat-openbsd)", () => {
  expect(why).toBeUndefined();
});

describe.skipIf(why !== undefined)(
  `ssh to a host that dynip finds${why ? ` (skipped: ${why})` : ""}`,
  () => {
    /** The README's lines. What ssh needs beside them comes from the environment and a file. */
    const DIRECT = /^(ssh -o HostKeyAlias=nas "\$\(dynip .*\)")/m.exec(README)![1]!;
    const PROXY_COMMAND = /^ +(ProxyCommand .*dynip ping --find .*)$/m.exec(README)![1]!;

    const ways = [
      ["as an argument", DIRECT],
      ["by ProxyCommand", "ssh nas"],
    ] as const;

    test.each(ways)("%s: it arrives", async (_way, line) => {
      await using lab = await newLab();
      expect((await dynip(["ping", lab.config])).exitCode).toBe(0);
      expect(await lab.ssh(line)).toMatchObject({ exitCode: 0, stdout: "arrived\n" });
    });

    test.each(ways)(
      "%s: a host that is unknown makes it fail, and nothing is connected to",
      async (_way, line) => {
        await using lab = await newLab();
        const { exitCode, stdout, stderr } = await lab.ssh(line);
        expect({ exitCode, stdout }).toEqual({ exitCode: 255, stdout: "" });
        expect(stderr).toContain('Cannot find "nas": the server does not know it');
        expect(lab.connections()).toBe(0);
      },
    );

    test.each(ways)(
      "%s: an address that is too old makes it fail, and nothing is connected to",
      async (_way, line) => {
        const old = new Date(Date.now() - 25 * 3_600_000).toISOString();
        await using lab = await newLab({
          nas: {
            ipv4: { address: "127.0.0.1", since: old, last_seen: old },
            counter: "0".repeat(16),
          },
        });
        const { exitCode, stdout, stderr } = await lab.ssh(line);
        expect({ exitCode, stdout }).toEqual({ exitCode: 255, stdout: "" });
        expect(stderr).toContain('Cannot find "nas": it was last seen 25 hours ago');
        expect(lab.connections()).toBe(0);
      },
    );

    test.each(ways)(
      "%s: another machine at the address is not taken for the host",
      async (_way, line) => {
        await using lab = await newLab();
        expect((await dynip(["ping", lab.config])).exitCode).toBe(0);
        await lab.expectOtherKey();
        const { exitCode, stdout, stderr } = await lab.ssh(line);
        expect({ exitCode, stdout }).toEqual({ exitCode: 255, stdout: "" });
        expect(stderr).toContain("Host key verification failed");
        expect(lab.connections()).toBe(1);
      },
    );

    /** An sshd, a dynip server that knows `log`, and a client of both whose name is nas. */
    async function newLab(log?: object) {
      const setup = await newSignedSetup();
      if (log) await writeFile(setup.logPath, JSON.stringify(log));
      const server = await serve([setup.config]);
      const folder = await temporaryFolder();
      const bin = folder.file("bin");
      await mkdir(bin);
      await symlink(BINARY, join(bin, "dynip"));
      for (const key of ["host", "other", "own"]) {
        await outputOf(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder.file(key)]);
      }
      const daemon = await startDaemon(folder);
      const knowHost = async (key: string): Promise<void> => {
        const [kind, blob] = (await readFile(folder.file(`${key}.pub`), "utf8")).split(" ");
        // ssh writes a port that is not 22 into the name, but for an alias.
        const names = `nas,[nas]:${daemon.port}`;
        await writeFile(folder.file("known"), `${names} ${kind} ${blob}\n`);
      };
      await knowHost("host");
      await writeFile(
        folder.file("config"),
        `Host nas
  ${PROXY_COMMAND}
Host *
  Port ${daemon.port}
  IdentityFile "${folder.file("own")}"
  IdentitiesOnly yes
  BatchMode yes
  StrictHostKeyChecking yes
  UserKnownHostsFile "${folder.file("known")}"
  GlobalKnownHostsFile /dev/null
`,
      );
      const env = { ...cleanEnvironment(), PATH: `${bin}:${PATH}`, DYNIP_CONFIG: setup.config };
      return {
        config: setup.config,
        connections: () => daemon.stderr().match(/^Connection from /gm)?.length ?? 0,
        expectOtherKey: () => knowHost("other"),
        ssh(line: string): Promise<RunResult> {
          const withConfig = line.replace(/^ssh/, `ssh -F '${folder.file("config")}'`);
          return runProcess(["sh", "-c", `${withConfig} echo arrived`], { env });
        },
        async [Symbol.asyncDispose]() {
          await daemon[Symbol.asyncDispose]();
          await server[Symbol.asyncDispose]();
          await setup[Symbol.asyncDispose]();
          await folder[Symbol.asyncDispose]();
        },
      };
    }

    async function startDaemon({ file }: { file(name: string): string }) {
      const port = await freePort();
      const authorized = file("authorized");
      await writeFile(authorized, await readFile(file("own.pub"), "utf8"));
      await chmod(file("host"), 0o600);
      await writeFile(
        file("sshd"),
        `Port ${port}
ListenAddress 127.0.0.1
HostKey "${file("host")}"
AuthorizedKeysFile "${authorized}"
StrictModes no
UsePAM no
PidFile none
LogLevel VERBOSE
`,
      );
      // sshd that runs as root wants an empty folder, which the system's service makes.
      const empty = "/run/sshd";
      const isMade = process.getuid!() === 0 && !existsSync(empty);
      if (isMade) await mkdir(empty);
      const daemon = startProcess([Bun.which("sshd", { PATH })!, "-D", "-e", "-f", file("sshd")], {
        deadline: TEST_MS,
      });
      await daemon.said(/Server listening on/, WAIT_MS);
      return {
        ...daemon,
        port,
        async [Symbol.asyncDispose]() {
          await daemon[Symbol.asyncDispose]();
          if (isMade) await rmdir(empty);
        },
      };
    }
  },
);
