import { expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";

import { decodeKey, encodeKey } from "../../src/protocol/message.ts";
import { findSecret, warnIfReadable } from "../../src/config/secrets.ts";
import { recordedLog } from "../recorded-log.ts";
import { temporaryFolder } from "../temporary.ts";

const key = (byte: number): string => encodeKey(new Uint8Array(32).fill(byte));
const configured = decodeKey(key(1))!;
const find = async (env: Record<string, string>, name: "secret" | "key" = "secret") => {
  const secret = await findSecret(name, configured, { env, log: recordedLog() });
  return secret && encodeKey(secret);
};

test("the environment overrides the configuration, and a file that it names does, too", async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file("secret"), `${key(3)}\n`, { mode: 0o600 });
  expect(await find({})).toBe(key(1));
  expect(await find({ DYNIP_SECRET: key(2) })).toBe(key(2));
  expect(await find({ DYNIP_SECRET_FILE: folder.file("secret") })).toBe(key(3));
  expect(await find({ DYNIP_KEY: key(2) })).toBe(key(1)); // a key is no secret
  expect(await find({ DYNIP_KEY: key(2) }, "key")).toBe(key(2));
  expect(await find({ DYNIP_KEY_FILE: folder.file("secret") }, "key")).toBe(key(3));
});

test("what is set and cannot be read is fatal, and is not quoted", async () => {
  await using folder = await temporaryFolder();
  await writeFile(folder.file("bad"), "hunter2");
  for (const [env, message] of [
    [{ DYNIP_SECRET: "hunter2" }, "DYNIP_SECRET is not 32 bytes in base64url (43 characters)"],
    [{ DYNIP_SECRET: "" }, "DYNIP_SECRET is not 32 bytes in base64url (43 characters)"],
    [
      { DYNIP_SECRET_FILE: folder.file("gone") },
      `"${folder.file("gone")}", which DYNIP_SECRET_FILE names: no such file or folder`,
    ],
    [
      { DYNIP_SECRET_FILE: folder.file("bad") },
      `"${folder.file("bad")}", which DYNIP_SECRET_FILE names, is not 32 bytes in base64url`,
    ],
    [
      { DYNIP_SECRET: key(2), DYNIP_SECRET_FILE: folder.file("bad") },
      "DYNIP_SECRET and DYNIP_SECRET_FILE are both set",
    ],
  ] as [Record<string, string>, string][]) {
    const error = await find(env).then(
      () => undefined,
      (error) => error,
    );
    expect(error).toMatchObject({ exitCode: 3 });
    expect(error.message).toStartWith(`Cannot read the secret: ${message}`);
    expect(error.message).not.toContain("hunter2");
  }
});

test.skipIf(process.platform === "win32")(
  "a file with a secret that everybody can read is worth a warning",
  async () => {
    await using folder = await temporaryFolder();
    const path = folder.file("dynip.toml");
    await writeFile(path, "");
    for (const [mode, lines] of [
      [0o600, 0],
      [0o640, 0], // a group of its own is how /etc holds such files
      [0o644, 2],
    ] as const) {
      await chmod(path, mode);
      const log = recordedLog();
      await warnIfReadable(path, log);
      expect(log.lines).toHaveLength(lines);
    }
  },
);
