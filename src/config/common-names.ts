/** Hostnames that many machines have. Two machines with one name are one host to a server. Pure. */

/** Whether a hostname is one that systems come with, such as `raspberrypi.local`; case does not matter. */
export function isCommonName(hostname: string): boolean {
  const [, name, domain] = /^([^.]*)(?:\.(.*))?$/.exec(hostname.toLowerCase())!;
  return NAMES.includes(name!) && (domain === undefined || DOMAINS.includes(domain));
}

const NAMES: readonly string[] = [
  "alpine",
  "archlinux",
  "debian",
  "fedora",
  "homeassistant",
  "localhost",
  "openwrt",
  "raspberrypi",
  "ubuntu",
];

/** What home networks, and systems by themselves, add to a name. */
const DOMAINS: readonly string[] = ["home", "lan", "local", "localdomain"];
