/** A folder with a configuration for a signing server of this machine. */
import { chmod } from "node:fs/promises";

import { encodeKey } from "../../src/protocol/message.ts";
import { newSetup } from "../e2e/dynip.ts";

export const SECRET = new Uint8Array(32).fill(7);

/** @param server more lines for its section */
export async function newSignedSetup(server = "") {
  const setup = await newSetup({ server: `server_ip = "127.0.0.1"\n${server}` });
  const text = await Bun.file(setup.config).text();
  await Bun.write(setup.config, `secret = "${encodeKey(SECRET)}"\n${text}`);
  await chmod(setup.config, 0o600);
  return setup;
}
