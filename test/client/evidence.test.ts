/** What is said of pings that wait, and of pings that were not acknowledged. */
import { describe, expect, test } from "bun:test";

import { type ClientEvent, describeEvent, Evidence } from "../../src/client/evidence.ts";

const HOST = "vps.example.com";
const FOUR = "203.0.113.7";
const FOUR_TOO = "203.0.113.8";
const SIX = "2001:db8::7";
const BOTH = ["ipv4", "ipv6"];

const coded = (code: string) => Object.assign(new Error(code), { code });
const resolved: ClientEvent = { kind: "resolved", addresses: [FOUR, SIX] };
const unresolved: ClientEvent = { kind: "unresolved", error: coded("ENOTFOUND") };
const sent = (address: string): ClientEvent => ({ kind: "sent", address });
const unsent = (address: string): ClientEvent => ({
  kind: "unsent",
  address,
  error: coded("ENETUNREACH"),
});
const icmp = (address: string, code: string): ClientEvent => ({
  kind: "icmp",
  address,
  error: coded(code),
});
const unsigned = (address: string): ClientEvent => ({ kind: "unsigned", address, bytes: 109 });
const challenged = (address: string): ClientEvent => ({ kind: "challenged", address });
const acknowledged = (address: string): ClientEvent => ({ kind: "acknowledged", address });

function evidenceOf(events: readonly ClientEvent[], host = HOST): Evidence {
  const evidence = new Evidence(host, 28630);
  for (const event of events) evidence.add(event);
  return evidence;
}

test.each<[string, ClientEvent[], string]>([
  ["nothing has happened", [], '"vps.example.com" cannot be resolved yet'],
  ["a name is not resolved", [unresolved], '"vps.example.com" cannot be resolved yet'],
  ["nothing is sent yet", [resolved], "no answer yet from vps.example.com, port 28630"],
  [
    "a ping is not answered",
    [unresolved, resolved, sent(FOUR)],
    "no answer yet from vps.example.com (203.0.113.7), port 28630",
  ],
  [
    "two addresses are tried",
    [resolved, sent(FOUR), sent(FOUR), sent(FOUR_TOO)],
    "no answer yet from vps.example.com (203.0.113.7 and 203.0.113.8), port 28630",
  ],
  [
    "a family has no way out",
    [resolved, unsent(SIX)],
    "2001:db8::7 cannot be reached yet: the network is unreachable",
  ],
  [
    "one family is acknowledged, and the other has no way out",
    [resolved, sent(FOUR), acknowledged(FOUR), unsent(SIX)],
    "2001:db8::7 cannot be reached yet: the network is unreachable",
  ],
  [
    "one family is acknowledged, and the other not answered",
    [resolved, sent(FOUR), sent(SIX), acknowledged(SIX)],
    "no answer yet from vps.example.com (203.0.113.7), port 28630",
  ],
  [
    "the way out came up",
    [resolved, unsent(FOUR), sent(FOUR)],
    "no answer yet from vps.example.com (203.0.113.7), port 28630",
  ],
])("what it waits for when %s", (_when, events, words) => {
  expect(evidenceOf(events).waitingFor()).toBe(words);
});

test("a host that is an address is not said twice", () => {
  expect(evidenceOf([], FOUR).waitingFor()).toBe("no answer yet from 203.0.113.7, port 28630");
  expect(evidenceOf([sent(FOUR)], FOUR).waitingFor()).toBe(
    "no answer yet from 203.0.113.7, port 28630",
  );
});

describe("why there was no acknowledgement", () => {
  test.each<[string, ClientEvent[], string, string]>([
    ["nothing came", [sent(FOUR)], "nothing", "no answer from 203.0.113.7, port 28630"],
    [
      "nothing came from two addresses",
      [sent(FOUR), sent(SIX)],
      "nothing",
      "no answer from 203.0.113.7 and 2001:db8::7, port 28630",
    ],
    [
      "a closed port",
      [sent(FOUR), icmp(FOUR, "ECONNREFUSED"), sent(FOUR)],
      "refused",
      "no answer, and 203.0.113.7 says that nothing listens on UDP port 28630",
    ],
    [
      "a router",
      [sent(FOUR), icmp(FOUR, "EHOSTUNREACH")],
      "unreachable",
      "no answer, and the network says of 203.0.113.7: the host is unreachable",
    ],
    [
      "another program, or another key",
      [sent(FOUR), unsigned(FOUR)],
      "unsigned",
      "datagrams came back from 203.0.113.7 that are not signed with this key",
    ],
    [
      "a server that can accept nothing",
      [sent(FOUR), challenged(FOUR), sent(FOUR), unsigned(FOUR), icmp(FOUR, "ECONNREFUSED")],
      "challenges",
      "203.0.113.7 answered with a challenge and acknowledged nothing",
    ],
  ])("%s", (_what, events, kind, words) => {
    expect(evidenceOf([resolved, ...events]).silence(BOTH)).toEqual({ kind, words } as never);
  });

  test("each family has its own reason", () => {
    const evidence = evidenceOf([resolved, sent(FOUR), sent(SIX), icmp(SIX, "ECONNREFUSED")]);
    expect(evidence.silence(["ipv4"])).toEqual({
      kind: "nothing",
      words: "no answer from 203.0.113.7, port 28630",
    });
    expect(evidence.silence(["ipv6"])).toEqual({
      kind: "refused",
      words: "no answer, and 2001:db8::7 says that nothing listens on UDP port 28630",
    });
  });
});

test("each event in the words of --debug", () => {
  const table: [ClientEvent, string][] = [
    [resolved, "resolved to 203.0.113.7, 2001:db8::7"],
    [unresolved, "not resolved: ENOTFOUND"],
    [sent(FOUR), "sent to 203.0.113.7"],
    [unsent(SIX), "not sent to 2001:db8::7: the network is unreachable"],
    [icmp(FOUR, "ECONNREFUSED"), "the network says of 203.0.113.7: nothing listens on that port"],
    [icmp(FOUR, "EHOSTUNREACH"), "the network says of 203.0.113.7: the host is unreachable"],
    [unsigned(FOUR), "109 bytes from 203.0.113.7 that are not signed with this key"],
    [challenged(FOUR), "a challenge from 203.0.113.7"],
    [acknowledged(FOUR), "an acknowledgement from 203.0.113.7"],
  ];
  for (const [event, words] of table) expect(describeEvent(event)).toBe(words);
});
