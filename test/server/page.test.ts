/** The page as text. In a browser: test/e2e/browser.test.ts. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";

import type { Host, Sighting } from "../../src/host.ts";
import type { Move } from "../../src/server/history.ts";
import { MAX_ROWS, type PageRow, renderPage, STYLE_HASH } from "../../src/server/page.ts";

const NOW = Date.parse("2026-11-24T20:16:05.250Z");
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const sighting = (seenAgo: number, stay: number, address = "192.0.2.1"): Sighting => ({
  address,
  since: NOW - stay,
  lastSeen: NOW - seenAgo,
});

/** A signed host that pinged a minute ago, unless told otherwise. */
function row(
  name: string,
  { isSilent = false, moves = [], ...host }: Partial<PageRow> & Host = {},
): PageRow {
  return { name, isSilent, moves, host: { counter: 1, ipv4: sighting(MINUTE, HOUR), ...host } };
}

/** Everything that the host's only sighting is said to be. */
function shownOf(seenAgo: number, stay: number, isSilent = false, host: Host = {}): string {
  const shown = row("nas", { isSilent, ipv4: sighting(seenAgo, stay), ...host });
  return /<div class="place">[^]*?<\/div>/.exec(render([shown]))![0];
}

function render(rows: readonly PageRow[], total = rows.length, isReader = true): string {
  return renderPage({ rows, total, viewer: "phone", isReader, now: NOW });
}

/** What a person reads, tag by tag. */
function textsOf(html: string): string[] {
  const body = html.replace(/^[^]*<body>/, "");
  return body.split(/<[^>]*>/).flatMap((part) => part.trim() || []);
}

const namesOf = (html: string): string[] =>
  [...html.matchAll(/<h3>(.*?)<\/h3>/g)].map((m) => m[1]!);

describe("a name is text, whatever it is made of", () => {
  test.each([
    ["<img/onerror=x>", "&#60;img/onerror=x&#62;"],
    ["</h3><script>alert(1)</script>", "&#60;/h3&#62;&#60;script&#62;alert(1)&#60;/script&#62;"],
    [`"'&amp;`, "&#34;&#39;&#38;amp;"],
    ["büro", "büro"],
  ])("%s", (name, expected) => {
    expect(namesOf(render([row(name)]))).toEqual([expected]);
  });

  test("no character of it begins or ends a tag, an entity or an attribute", () => {
    const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index));
    const [shown] = namesOf(render([row(printable.join(""))]));
    expect(shown!.replace(/&#\d+;/g, "")).not.toMatch(/[&<>"']/);
    const read = shown!.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
    expect(read).toBe(printable.join(""));
  });
});

describe("when", () => {
  test.each([
    [0, "seen just now"],
    [59 * SECOND, "seen just now"],
    [MINUTE, "seen 60 seconds ago"],
    [4 * MINUTE, "seen 4 minutes ago"],
    [26 * HOUR, "seen 26 hours ago"],
    [400 * DAY, "seen 400 days ago"],
    // The server's clock was set back.
    [-59 * SECOND, "seen just now"],
    [-3 * HOUR, "seen 3 hours ahead of the clock"],
  ])("a host that was seen %d ms ago", (ago, words) => {
    expect(textsOf(shownOf(ago, ago))).toContain(words);
  });

  test.each([
    [4 * MINUTE, "silent for 4 minutes"],
    [3 * DAY, "silent for 3 days"],
    [0, "silent for under a minute"],
    [-3 * HOUR, "seen 3 hours ahead of the clock"],
  ])("a silent host that was seen %d ms ago", (ago, words) => {
    expect(textsOf(shownOf(ago, ago, true))).toContain(words);
  });

  test.each([
    [20 * SECOND, "there for under a minute", "24 Nov, 20:15 UTC"],
    [26 * HOUR, "there for 26 hours", "23 Nov, 18:16 UTC"],
    [299 * DAY, "there for 299 days", "29 Jan, 20:16 UTC"],
    [412 * DAY, "there for 412 days", "8 Oct 2025"],
    [-2 * HOUR, "there, ahead of the clock", "24 Nov, 22:16 UTC"],
  ])("a host that is there for %d ms", (stay, words, since) => {
    const texts = textsOf(shownOf(0, stay));
    expect(texts).toContain(words);
    expect(texts.slice(texts.indexOf("since"))).toEqual(["since", since]);
  });

  test("every time has its exact one for programs, and for a pointer", () => {
    const shown = shownOf(4 * MINUTE, 26 * HOUR);
    const times = [...shown.matchAll(/<time datetime="(.*?)" title="(.*?)">/g)];
    expect(times.map(([, iso, title]) => [iso, title])).toEqual([
      ["2026-11-24T20:12:05.250Z", "2026-11-24 20:12:05 UTC"],
      ["2026-11-23T18:16:05.250Z", "2026-11-23 18:16:05 UTC"],
    ]);
  });
});

describe("how an address was reported", () => {
  const claimed = { ...sighting(0, 0), claimed: true as const };

  test.each([
    ["by a signed ping", { counter: 7 }, "proven by ping"],
    ["by dyndns2", { counter: 0, ipv4: claimed }, "claimed by dyndns2"],
    ["by a plain ping", { counter: undefined }, "plain: can be forged"],
  ] as [string, Host, string][])("%s", (_, host, words) => {
    expect(textsOf(shownOf(0, 0, false, host))).toContain(words);
  });

  test("is said of each family by itself", () => {
    const ipv6 = { ...sighting(MINUTE, HOUR, "2001:db8::7"), claimed: true as const };
    const texts = textsOf(render([row("nas", { ipv6 })]));
    const said = texts.filter((part) => /proven|claimed|plain/.test(part));
    expect(said).toEqual(["proven by ping", "claimed by dyndns2"]);
  });
});

describe("the last moves of a host", () => {
  const move = (ago: number, address: string, previous?: string): Move => ({
    time: NOW - ago,
    name: "nas",
    family: "ipv4",
    address,
    ...(previous !== undefined && { previous }),
    how: "proven",
  });
  const shown = (...moves: Move[]) => {
    const details = /<details>([^]*?)<\/details>/.exec(render([row("nas", { moves })]))?.[1];
    return details?.split(/<[^>]*>/).filter((part) => part.trim() !== "");
  };

  test("are folded, newest first, with how they were reported where no ping proved it", () => {
    expect(
      shown(
        move(3 * DAY, "192.0.2.1"),
        { ...move(2 * DAY, "192.0.2.2", "192.0.2.1"), how: "claimed" },
        move(HOUR, "192.0.2.3", "192.0.2.2"),
      ),
    ).toEqual([
      "Last moves",
      "24 Nov, 19:16 UTC",
      " from 192.0.2.2 to 192.0.2.3",
      "22 Nov, 20:16 UTC",
      " from 192.0.2.1 to 192.0.2.2 ",
      "claimed",
      "21 Nov, 20:16 UTC",
      " at 192.0.2.1",
    ]);
  });

  test("are not shown of a host that is new, or where there is no history", () => {
    expect(shown(move(HOUR, "192.0.2.1"))).toBeUndefined();
    expect(shown()).toBeUndefined();
  });
});

test("an address stands alone in its element, IPv4 before IPv6", () => {
  const html = render([row("nas", { ipv6: sighting(MINUTE, HOUR, "2001:db8::7") })]);
  const addresses = [...html.matchAll(/<code[^>]*>(.*?)<\/code>/g)].map((match) => match[1]!);
  expect(addresses).toEqual(["192.0.2.1", "2001:db8::7"]);
});

describe("order and numbers", () => {
  const silent = (name: string, ago: number): PageRow =>
    row(name, { isSilent: true, ipv4: sighting(ago, ago) });

  test("silent hosts come first, the last that fell silent on top; the others go by name", () => {
    const rows = [
      row("b"),
      silent("x", 2 * DAY),
      row("a"),
      silent("y", HOUR),
      silent("w", 2 * DAY),
    ];
    expect(namesOf(render(rows))).toEqual(["y", "w", "x", "a", "b"]);
  });

  test("a host fell silent when it was last seen in any family", () => {
    const rows = [
      silent("x", DAY),
      row("y", {
        isSilent: true,
        ipv4: sighting(9 * DAY, 0),
        ipv6: sighting(HOUR, 0, "2001:db8::7"),
      }),
    ];
    expect(namesOf(render(rows))).toEqual(["y", "x"]);
  });

  test("the order of what is passed in stays as it was", () => {
    const rows = [row("b"), row("a")];
    render(rows);
    expect(rows.map(({ name }) => name)).toEqual(["b", "a"]);
  });

  test.each([
    [[row("a"), row("b")], "2 hosts", "2 hosts, none silent"],
    [[row("a")], "1 host", "1 host"],
    [[silent("a", DAY)], "1 silent of 1", "1 host, silent"],
    [[silent("a", DAY), row("b"), silent("c", DAY)], "2 silent of 3", "3 hosts, 2 silent"],
  ])("title and heading count them", (rows, title, heading) => {
    const html = render(rows);
    expect(html).toContain(`<title>${title} - dynip</title>`);
    expect(/<h1>(.*)<\/h1>/.exec(html)![1]!.replace(/<.*?>/g, "")).toBe(heading);
  });

  test("1,000 hosts are shown, silent ones first, and a line says how many are left out", () => {
    const rows = Array.from({ length: 1500 }, (_, index) => row(`host-${index}`));
    const html = render([...rows, silent("last", DAY)], 3000);
    expect(namesOf(html)).toHaveLength(MAX_ROWS);
    expect(namesOf(html)[0]).toBe("last");
    expect(html).toContain("2000 more of 3000 hosts are not shown");
    expect(textsOf(html).slice(0, 1)).toEqual(["3000 hosts,"]);
    expect(html).toContain("Reporting <span>2999</span>");
    expect(namesOf(render(rows.map((shown) => ({ ...shown, isSilent: true }))))).toHaveLength(
      MAX_ROWS,
    );
  });

  test("where all are shown, no line says otherwise", () => {
    expect(render([row("a")])).not.toContain("not shown");
  });
});

test("without hosts it says how the first one gets here", () => {
  const html = render([]);
  expect(html).toContain("<h1>No hosts yet</h1>");
  for (const words of ["dynip init --name nas", "nas.toml", "dynip ping"]) {
    expect(html).toContain(words);
  }
});

describe("who sees every host", () => {
  const HINT = "phone sees only itself. To see every host, add it to ";

  test.each([[[]], [[row("phone")]]])("is said to a viewer that sees only itself: %#", (rows) => {
    expect(textsOf(render(rows, rows.length, false))).toContain(HINT.trim());
  });

  test("is not said to a reader", () => {
    for (const rows of [[], [row("phone")]]) expect(render(rows)).not.toContain("sees only itself");
  });
});

describe("it asks for nothing and runs nothing", () => {
  const html = render([row("nas"), row("attic", { isSilent: true })], 2000);

  test("no script, no style but one, nothing to fetch", () => {
    expect(html).not.toMatch(/<script|<img|<link|<iframe|<object|<form|\son\w+=|\sstyle=|\ssrc=/i);
    expect(html).not.toMatch(/url\(|@import|https?:/i);
    expect(html.match(/<style>/g)).toHaveLength(1);
    expect([...html.matchAll(/href="(.*?)"/g)].map((match) => match[1]!)).toEqual(["hosts"]);
  });

  test("the style's hash is that of the text between its tags", () => {
    const style = /<style>([^]*?)<\/style>/.exec(html)![1]!;
    expect(STYLE_HASH).toBe(`'sha256-${createHash("sha256").update(style).digest("base64")}'`);
  });

  test("it refreshes itself each minute", () => {
    expect(html).toContain('<meta http-equiv="refresh" content="60">');
  });

  test("it is one document in English, and every tag in it is closed", () => {
    expect(html).toStartWith('<!doctype html>\n<html lang="en">');
    const open: string[] = [];
    for (const [, slash, tag] of html.matchAll(/<(\/?)([a-z0-9]+)[^>]*>/g)) {
      if (tag === "meta") continue;
      if (slash) expect(open.pop()).toBe(tag!);
      else open.push(tag!);
    }
    expect(open).toEqual([]);
  });
});

describe("contrast is at least 7 : 1 (WCAG 2.2, 1.4.6)", () => {
  const html = render([]);
  const schemes = [...html.matchAll(/:root\{(.*?)\}/g)].map(
    (match) => new Map(match[1]!.split(";").map((pair) => pair.split(":") as [string, string])),
  );

  test.each(["light", "dark", "printed"])("%s", (scheme) => {
    const colours = schemes[["light", "dark", "printed"].indexOf(scheme)]!;
    for (const ink of ["--ink", "--soft", "--alarm"]) {
      for (const paper of ["--page", "--box", "--glow"]) {
        const ratio = contrast(colours.get(ink)!, colours.get(paper)!);
        expect(`${ink} on ${paper}: ${ratio >= 7}`).toBe(`${ink} on ${paper}: true`);
      }
    }
  });
});

/** The contrast ratio of two colours (WCAG 2.2, "contrast ratio"). */
function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [
    number,
    number,
  ];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const digits = colour.length === 4 ? colour.replace(/[0-9a-f]/g, "$&$&") : colour;
  const [red, green, blue] = digits
    .match(/[0-9a-f]{2}/g)!
    .map((pair) => Number.parseInt(pair, 16) / 255)
    .map((share) => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}
