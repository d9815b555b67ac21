/** Passes mutated targets and headers of HTTP requests through what reads them, up to the answer. */
import {
  canonicalAddress,
  familyOf,
  isLoopback,
  isPrivate,
  isUnicast,
} from "../../src/protocol/address.ts";
import { isSignedName } from "../../src/protocol/message.ts";
import { formatResults, isOwn, parseReport } from "../../src/server/dyndns2.ts";
import { parseCredentials, parseTarget, sourceOf } from "../../src/server/http-request.ts";
import { must, type TargetKind } from "./target.ts";
import { TextTarget } from "./text-target.ts";

export const httpKind: TargetKind = {
  name: "HTTP request",
  share: 0.05,
  batch: 500,
  make: (seed) =>
    new TextTarget({ name: httpKind.name, seed, texts: TEXTS, tokens: TOKENS, check }),
};

/** A target, Authorization and X-Forwarded-For, a line each. */
function check(text: string): void {
  const [url = "", authorization = "", forwarded = ""] = text.split("\n");
  const { name, shownName } = parseCredentials(authorization);
  must(name === undefined || isSignedName(name), "a user is a signed name, or none");
  must(shownName === undefined || shownName === name, "the name that is shown is the name");
  must(shownName === undefined || !/[A-Z]/.test(shownName), "no password is shown as a name");
  for (const peer of ["127.0.0.1", "::1", "198.51.100.9"]) {
    const source = sourceOf(peer, forwarded === "" ? null : forwarded);
    must(canonicalAddress(source) === source, "the source is a canonical address");
    must(isLoopback(peer) || source === peer, "only a proxy on this machine names another");
    checkReport(url, source);
  }
}

function checkReport(url: string, source: string): void {
  const { path, query } = parseTarget(url);
  must(path === "" || path.startsWith("/"), "a path begins with a slash");
  const { hostnames, addresses } = parseReport(query, "nas", source);
  must(hostnames.length > 0, "there is a hostname");
  must(new Set(addresses.map(familyOf)).size === addresses.length, "one address in each family");
  for (const address of addresses) {
    must(canonicalAddress(address) === address && isUnicast(address), "an address is a host's");
    must(!isLoopback(address), "loopback is not recorded");
    must(!isPrivate(address) || address === source, "a private address is the source alone");
  }
  const results = hostnames.map((name) => (isOwn(name, "nas") ? "good" : "nohost"));
  const lines = formatResults(results, addresses).split("\n");
  must(lines.length === hostnames.length, "a line for each hostname");
  must(
    lines.every((line) => /^(?:nohost|good [0-9a-f:.,]*)$/.test(line)),
    "nothing of a hostname is in the answer",
  );
}

const BASIC = "Basic bmFzOnlLeFVHbUtpUk83VEJfU2dERWdBOFE=";
const TEXTS = [
  `http://dyn.example.com/nic/update?hostname=nas,nas.example.com&myip=203.0.113.7,2001:db8::7\n${BASIC}\n`,
  `/nic/update?hostname=&myip=<ipaddr>,<ip6addr>&myipv6=2001:db8:1:2::/64\n${BASIC}\n198.51.100.9, 203.0.113.8\n`,
  `/hosts/nas?family=ipv6\n${BASIC}\n2001:db8::9\n`,
];
const TOKENS = [
  ",",
  ".",
  "..",
  "%",
  "%00",
  "&myip=",
  "&hostname=",
  "nas.",
  "127.0.0.1",
  "::ffff:10.0.0.1",
  "fe80::1%25eth0",
  "://",
  "?",
  "#",
  "=",
  "==",
  "\u2028",
  "\ud800",
];
