/** Names with several addresses, for runs of the binary: see `hosts` in {@link RunOptions}. */
import { hasIPv6 } from "../temporary.ts";
import { whyNoNamespace } from "../faults/namespace.ts";

/** Why no run can be given a hosts file with both families here; undefined where one can. */
export const whyNoHosts: string | undefined =
  whyNoNamespace() ?? ((await hasIPv6()) ? undefined : "needs IPv6");

/** For the name of a test that is skipped. */
export const WITHOUT_HOSTS = whyNoHosts === undefined ? "" : ` (skipped: ${whyNoHosts})`;

/** Names below `.test` (RFC 6761), and their addresses. No server listens on 127.0.0.2. */
const HOSTS = `127.0.0.1 both.test
::1 both.test
127.0.0.2 four-dead.test
::1 four-dead.test
127.0.0.2 first-dead.test
127.0.0.3 first-dead.test
255.255.255.255 refused.test
::1 refused.test
`;

/** Writes the hosts file to a folder; its path. */
export async function writeHosts(folder: { file(name: string): string }): Promise<string> {
  const path = folder.file("hosts");
  await Bun.write(path, HOSTS);
  return path;
}
