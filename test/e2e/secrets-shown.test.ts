/** No part of a secret or a key is ever shown, wherever it was put by mistake. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFile } from "node:fs/promises";

import { receiver, sendDatagrams, temporaryFolder } from "../temporary.ts";
import { KEY, PASTED, pieceIn } from "../pasted-keys.ts";
import type { RunResult } from "../processes.ts";
import { TEST_MS } from "../waiting.ts";
import { dynip, newSetup, serve } from "./dynip.ts";

setDefaultTimeout(TEST_MS);

/** A binary is slow to start: these stand for the rest, which redact.test.ts tries. */
const SOME = [
  "a key without its last character",
  "a key with a space inside",
  "a key that begins with a hyphen",
].map((what) => [what, PASTED[what]!] as const);

function expectNothingShown({ stdout, stderr }: RunResult): void {
  expect(stderr).not.toBe("");
  expect({ stdout, stderr, piece: pieceIn(stdout + stderr) }).toMatchObject({ piece: undefined });
}

describe.each(SOME)("%s is not shown", (_, pasted) => {
  test("on the command line", async () => {
    await using folder = await temporaryFolder();
    const lines = [
      [pasted],
      [`--${pasted}`],
      ["serve", pasted],
      ["serve", "dynip.toml", pasted],
      ["ping", "--debug", pasted],
      ["ping", "--debug", `/etc/${pasted}/dynip.toml`],
      ["ping", `-${pasted}`],
      ["ping", `-v${pasted}`],
      ["ping", `--${pasted}=1`],
      ["ping", `--debug=${pasted}`],
      ["ping", "--timeout", pasted],
      ["ping", `--jitter=${pasted}`],
      ["init", pasted],
      ["init", `${pasted}/dynip.toml`],
      ["init", "--from", pasted],
      ["init", "--name", "nas", `--from=${pasted}`],
      ["init", `--name=${pasted}`],
      ["init", "--name", "nas", `--server=${pasted}`],
      ["init", `--print=${pasted}`],
      ["init", "--print", "cron", pasted],
    ];
    await expectNothingShownBy(lines.map((args) => ({ args, cwd: folder.path })));
  });

  test("in the environment", async () => {
    await using setup = await newSetup();
    const runs = ["DYNIP_CONFIG", "DYNIP_SECRET_FILE", "DYNIP_KEY_FILE"].map((name) => ({
      args: ["ping", "--debug", ...(name === "DYNIP_CONFIG" ? [] : [setup.config])],
      env: { [name]: pasted },
    }));
    await expectNothingShownBy(runs);
    const held = ["DYNIP_SECRET", "DYNIP_KEY"].map((name) => ({
      args: ["ping", "--debug", "--timeout", "0.2", setup.config],
      env: { [name]: pasted },
    }));
    await expectNothingShownBy(held);
  });

  test("in the configuration", async () => {
    await using folder = await temporaryFolder();
    const value = JSON.stringify(pasted);
    const texts = [
      `[server]\n${value} = 1`,
      `[${value}]`,
      `secret = "${pasted}`,
      `[server]\nserver_ip = ${value}`,
      `[server]\nclient_log_path = ${JSON.stringify(`gone/${pasted}/dynip.json`)}`,
      `[server]\nhosts_domain = ${value}`,
      `[server]\nhosts_path = ${value}`,
      `[client]\nserver_hostname = ${value}\nclient_name = "nas"`,
      `[client]\nserver_hostname = "127.0.0.1"\nclient_name = ${value}`,
      `[DynIP:Server]\n${pasted}`,
    ];
    const runs = await Promise.all(
      texts.map(async (text, index) => {
        const path = folder.file(`${index}.toml`);
        await writeFile(path, `${text}\n`, { mode: 0o600 });
        const isServer = text.includes("client_log_path");
        return { args: isServer ? ["serve", path] : ["ping", "--debug", "--timeout=0.2", path] };
      }),
    );
    await expectNothingShownBy(runs);
  });

  test("in a configuration of DynIP 0.1e", async () => {
    await using folder = await temporaryFolder();
    const texts = [
      `[DynIP:Server]\n${pasted} = 1`,
      `[DynIP:Server]\n[${pasted}]`,
      `[DynIP:Server]\nserver_ip = ${pasted}`,
    ];
    const runs = await Promise.all(
      texts.map(async (text, index) => {
        await writeFile(folder.file(`${index}.conf`), text);
        return { args: ["init", "--debug", "--from", `${index}.conf`], cwd: folder.path };
      }),
    );
    await expectNothingShownBy(runs);
  });
});

test("a key in two lines is not shown by --debug", async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file("file"), "");
  const path = `file/${PASTED["a key in two lines"]}`;
  await expectNothingShownBy([{ args: ["ping", "--debug", path], cwd: folder.path }]);
});

test("a server does not show a key that a client sends as its name", async () => {
  await using setup = await newSetup();
  await using server = await serve(["--debug", setup.config]);
  const names = Object.values(PASTED).filter((pasted) => !/\s/.test(pasted));
  await sendDatagrams([...names, "the-end"], setup.port);
  await server.said("new host the-end");
  expect(server.stderr()).toContain("new host (a secret) at 127.0.0.1");
  expect(pieceIn(server.stderr())).toBeUndefined();
});

describe("a client does not send", () => {
  test.each(["client_name", "server_hostname"])("a key that is its %s", async (key) => {
    await using server = await receiver();
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.toml");
    const settings = { client_name: "nas", server_hostname: "127.0.0.1", [key]: KEY };
    for (const secret of ["", `secret = "${KEY}"\n`]) {
      const lines = Object.entries(settings).map(([name, value]) => `${name} = "${value}"\n`);
      const text = `${secret}[client]\nserver_port = ${server.port}\n${lines.join("")}`;
      await writeFile(path, text, { mode: 0o600 });
      const { exitCode, stderr } = await dynip(["ping", "--timeout", "0.2", path]);
      expect(exitCode).toBe(3);
      expect(stderr).toContain(`error: Cannot ping: ${key} in [client] looks like a secret`);
      expect(pieceIn(stderr)).toBeUndefined();
    }
    expect(server.pending).toEqual([]);
  });
});

interface Run {
  args: string[];
  cwd?: string;
  env?: Record<string, string>;
}

/** Each run says something, and nothing of the key. A few at a time. */
async function expectNothingShownBy(runs: Run[]): Promise<void> {
  const left = [...runs];
  const worker = async (): Promise<void> => {
    for (;;) {
      const run = left.shift();
      if (!run) return;
      expectNothingShown(await dynip(run.args, run));
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}
