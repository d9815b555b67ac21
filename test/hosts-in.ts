/** The hosts in a client log, for tests that look at one. */
import type { Hosts } from "../src/host.ts";
import { decodeClientLog } from "../src/store/format.ts";

/** @throws ClientLogFormatError when the text is not a client log */
export function hostsIn(text: string): Hosts {
  const hosts: Hosts = new Map();
  decodeClientLog(text, hosts);
  return hosts;
}
