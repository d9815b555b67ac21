/** The words of notices, their JSON and the environment of a command. */
import { describe, expect, test } from "bun:test";

import type { Change, Host } from "../../src/host.ts";
import { newsOf } from "../../src/server/news.ts";
import {
  bodyOf,
  harmless,
  noticeOfDigest,
  noticeOfNews,
  testNotice,
  variablesOf,
} from "../../src/server/notices.ts";

const TIME = Date.UTC(2026, 10, 24, 12);
const MINUTE = 60_000;

function hostAt(address: string, counter?: number): Host {
  const family = address.includes(":") ? "ipv6" : "ipv4";
  return {
    [family]: { address, since: TIME, lastSeen: TIME },
    ...(counter !== undefined && { counter }),
  };
}

function changeOf(name: string, before: Host | undefined, now: Host): Change {
  const family = now.ipv6 && now.ipv6 !== before?.ipv6 ? "ipv6" : "ipv4";
  const how = now.counter === undefined ? "plain" : "proven";
  return { name, family, before, now, time: TIME, how };
}

describe("news", () => {
  const one = hostAt("192.0.2.1", 1);
  test.each([
    ["a host that is where it was", one, hostAt("192.0.2.1", 2), undefined],
    ["a new host", undefined, one, "new: new host nas at 192.0.2.1"],
    ["a new plain host", undefined, hostAt("192.0.2.1"), "new: new host nas at 192.0.2.1"],
    [
      "another address",
      one,
      hostAt("192.0.2.2", 2),
      "moved: nas moved from 192.0.2.1 to 192.0.2.2, from 192.0.2.1",
    ],
    [
      "a first address in the other family",
      one,
      { ...one, ...hostAt("2001:db8::1", 2) },
      "moved: nas is at 2001:db8::1, too",
    ],
    ["a first signature", hostAt("192.0.2.1"), one, "new: nas at 192.0.2.1 is signed from now on"],
    [
      "a first signature from elsewhere",
      hostAt("192.0.2.9"),
      one,
      "new: nas at 192.0.2.1 is signed from now on, from 192.0.2.9",
    ],
  ] as [string, Host | undefined, Host, string | undefined][])("%s", (_, before, now, expected) => {
    const news = newsOf(changeOf("nas", before, now));
    const { event, message, previous } = news ?? {};
    const from = previous === undefined ? "" : `, from ${previous}`;
    expect(news && `${event}: ${message}${from}`).toBe(expected);
  });
});

function newsNotice(name: string, before: Host | undefined, now: Host, isLast = false) {
  const change = changeOf(name, before, now);
  return noticeOfNews(change, newsOf(change, harmless(name))!, isLast);
}

test("a notice of a move, as JSON and as variables", () => {
  const notice = newsNotice("nas", hostAt("192.0.2.1", 1), hostAt("192.0.2.2", 2));
  const message = "nas moved from 192.0.2.1 to 192.0.2.2";
  const event = {
    event: "moved",
    name: "nas",
    family: "ipv4",
    address: "192.0.2.2",
    previous: "192.0.2.1",
    how: "proven",
    time: "2026-11-24T12:00:00.000Z",
  };
  expect(bodyOf([notice])).toEqual({
    title: "dynip: nas moved",
    message,
    text: message,
    content: message,
    events: [event],
  } as never);
  expect(variablesOf(notice)).toEqual({
    DYNIP_EVENT: "moved",
    DYNIP_NAME: "nas",
    DYNIP_NAMES: "nas",
    DYNIP_FAMILY: "ipv4",
    DYNIP_ADDRESS: "192.0.2.2",
    DYNIP_PREVIOUS: "192.0.2.1",
    DYNIP_HOW: "proven",
    DYNIP_TIME: "2026-11-24T12:00:00.000Z",
    DYNIP_MESSAGE: message,
  });
});

test("a name from a plain ping calls nobody in a chat, and is exact in the events", () => {
  for (const name of ["@everyone", "<!channel>", "[x](http://evil.example)", "a&b;$(id)`x`"]) {
    const { title, message, content, text, events } = bodyOf([
      newsNotice(name, undefined, hostAt("192.0.2.1")),
    ]);
    for (const words of [title, message, content, text]) expect(words).not.toMatch(/[@<>[\]&`$]/);
    expect(message).toEndWith(" at 192.0.2.1 (by a plain ping, which anyone can forge)");
    expect(events[0]!.name).toBe(name);
  }
  const { message } = newsNotice("Kris-büro.1", undefined, hostAt("192.0.2.1"));
  expect(message).toStartWith("new host Kris-büro.1 at ");
});

test("an address that a router reports is said to be so", () => {
  const change = { ...changeOf("nas", undefined, hostAt("192.0.2.1", 0)), how: "claimed" as const };
  const { message, events } = noticeOfNews(change, newsOf(change)!, false);
  expect(message).toBe("new host nas at 192.0.2.1, as its router says");
  expect(events[0]!.how).toBe("claimed");
});

test("the last notice of a host on a day says so", () => {
  const { message } = newsNotice("nas", hostAt("192.0.2.1", 1), hostAt("192.0.2.2", 2), true);
  expect(message).toEndWith("; no more of it today: it was told too often");
});

describe("a digest", () => {
  const host = (name: string, minutes: number) => ({ name, lastSeen: TIME - minutes * MINUTE });
  const digest = (
    silent: ReturnType<typeof host>[],
    back: ReturnType<typeof host>[],
    isEveryone = false,
  ) => ({ time: TIME, silent, back, isEveryone });
  const addressOf = (name: string) => (name === "gone" ? undefined : "192.0.2.1");

  test.each([
    [digest([host("nas", 20)], []), "nas is silent: no ping for 20 minutes"],
    [
      digest([host("nas", 20), host("pi", 22)], [], true),
      "nas and pi are silent: no ping for 20 minutes or more; every host is silent, so this server " +
        "may be the one that is cut off",
    ],
    [digest([], [host("nas", 26 * 60)]), "nas is back at 192.0.2.1 after 26 hours"],
    [digest([], [host("gone", 20)]), "gone is back after 20 minutes"],
    [
      digest([host("nas", 20)], [host("pi", 300), host("cam", 300)]),
      "nas is silent: no ping for 20 minutes; pi and cam are back",
    ],
  ])("%j", (of, message) => {
    expect(noticeOfDigest(of, addressOf, false).message).toBe(message);
    expect(noticeOfDigest(of, addressOf, true).message).toBe(
      `${message}; this may have been told before`,
    );
  });

  test("has an event for each host, and the variables of the first kind", () => {
    const notice = noticeOfDigest(
      digest([host("nas", 20), host("gone", 21)], [host("pi", 300)]),
      addressOf,
      false,
    );
    const time = "2026-11-24T12:00:00.000Z";
    expect(notice.events).toEqual([
      {
        event: "silent",
        name: "nas",
        address: "192.0.2.1",
        last_seen: "2026-11-24T11:40:00.000Z",
        time,
      },
      { event: "silent", name: "gone", last_seen: "2026-11-24T11:39:00.000Z", time },
      {
        event: "back",
        name: "pi",
        address: "192.0.2.1",
        last_seen: "2026-11-24T07:00:00.000Z",
        time,
      },
    ]);
    const { DYNIP_EVENT, DYNIP_NAME, DYNIP_NAMES, DYNIP_ADDRESS } = variablesOf(notice);
    expect([DYNIP_EVENT, DYNIP_NAME, DYNIP_NAMES, DYNIP_ADDRESS]).toEqual([
      "silent",
      "",
      "nas gone",
      "",
    ]);
  });

  test("of ten thousand hosts with the longest names fits into messages and variables", () => {
    const many = Array.from({ length: 10_000 }, (_, index) =>
      host(`${index}`.padEnd(128, "x"), 20),
    );
    const notice = noticeOfDigest(digest(many, []), addressOf, false);
    expect(notice.message.length).toBeLessThan(2000);
    expect(notice.message).toContain(" and 9990 more are silent");
    expect(bodyOf([notice]).content.length).toBeLessThan(2000);
    expect(notice.events).toHaveLength(10_000);
    for (const value of Object.values(variablesOf(notice))) {
      expect(Buffer.byteLength(value)).toBeLessThan(32_767);
    }
  });
});

test("many notices in one message are counted where they do not fit", () => {
  const notices = Array.from({ length: 500 }, (_, index) =>
    newsNotice(`host-${index}`, undefined, hostAt("192.0.2.1", 1)),
  );
  const { title, content, events } = bodyOf(notices);
  expect(title).toBe("dynip: 500 notices");
  expect(content.length).toBeLessThan(2000);
  const lines = content.split("\n");
  expect(lines.at(-1)).toBe(`and ${500 - (lines.length - 1)} more`);
  expect(events).toHaveLength(500);
});

test("a test says that it is one", () => {
  expect(variablesOf(testNotice(TIME))).toMatchObject({ DYNIP_EVENT: "test", DYNIP_NAME: "" });
});

test("a million hosts that fall silent at once are one notice", () => {
  const silent = new Array(1_000_000).fill({ name: "nas", lastSeen: TIME - 20 * MINUTE });
  const digest = { time: TIME, silent, back: [], isEveryone: true };
  const notice = noticeOfDigest(digest, () => undefined, false);
  expect(notice.title).toBe("nas and 999999 more are silent");
  expect(notice.message).toContain("no ping for 20 minutes or more");
  expect(bodyOf([notice]).events).toHaveLength(10_000);
});
