/**
 * The page at `/` that shows where the hosts are: one HTML document without script, for a phone and for
 * a desk. Pure.
 *
 * It asks for nothing beside itself. It has no icon link: under `default-src 'none'` Chromium blocks
 * every icon that a page names, with a message, and asks for none where no icon is named.
 */
import { describeAge } from "../config/duration.ts";
import type { Host, Sighting } from "../host.ts";
import type { Move } from "./history.ts";
import { STYLE } from "./page-style.ts";
import { lastSeenOf } from "./watch.ts";

/** One host on the page. */
export interface PageRow {
  readonly name: string;
  readonly host: Host;
  /** Whether the host has not pinged for longer than it should. */
  readonly isSilent: boolean;
  /** Its last moves, oldest first; none where there is no history. */
  readonly moves: readonly Move[];
}

/** What the page shows. */
export interface PageView {
  /**
   * Hosts that the viewer may see, every silent one among them, in any order. At most
   * {@link MAX_ROWS} are shown.
   */
  readonly rows: readonly PageRow[];
  /** How many hosts the viewer may see. */
  readonly total: number;
  /** The signed name that asks. */
  readonly viewer: string;
  /** Whether the viewer is in `readers`; any other sees itself alone. */
  readonly isReader: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** How many hosts the page shows at most. */
export const MAX_ROWS = 1000;

/** The page's only style, as a source for the header Content-Security-Policy (CSP level 3, 2.3.1). */
export const STYLE_HASH = `'sha256-${new Bun.CryptoHasher("sha256").update(STYLE).digest("base64")}'`;

/** The page as HTML. Silent hosts come first, the last that fell silent on top; the others by name. */
export function renderPage({ rows, total, viewer, isReader, now }: PageView): string {
  const silent = rows.filter(({ isSilent }) => isSilent).sort(bySilence);
  const reporting = rows.filter(({ isSilent }) => !isSilent).sort(byName);
  const shownSilent = silent.slice(0, MAX_ROWS);
  const shownReporting = reporting.slice(0, MAX_ROWS - shownSilent.length);
  const shown = shownSilent.length + shownReporting.length;
  const parts = [
    head(total, silent.length),
    `<header><h1>${headline(total, silent.length)}</h1>`,
    `<p>dynip, as of ${timeElement(now, now)}</p></header>\n<main>\n`,
    total === 0 ? nothingYet() : "",
    section("silent", "Silent", shownSilent, silent.length, now),
    section("reporting", "Reporting", shownReporting, total - silent.length, now),
    total > shown ? leftOut(total, shown) : "",
    isReader ? "" : onlyItself(viewer),
    `</main>\n<footer><p>Signed in as <b>${text(viewer)}</b>. `,
    "This page refreshes itself every minute.</p></footer>\n</body>\n</html>\n",
  ];
  return parts.join("");
}

function head(total: number, silent: number): string {
  const title = silent === 0 ? count(total) : `${silent} silent of ${total}`;
  // Without format-detection iOS makes telephone numbers of IPv4 addresses.
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title} - dynip</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="format-detection" content="telephone=no">
<meta http-equiv="refresh" content="60">
<style>${STYLE}</style>
</head>
<body>
`;
}

function headline(total: number, silent: number): string {
  if (total === 0) return "No hosts yet";
  if (silent === 0) return total > 1 ? `${count(total)}, none silent` : count(total);
  return `${count(total)}, <em>${total === 1 ? "" : `${silent} `}silent</em>`;
}

/** Says how the first host gets here. */
function nothingYet(): string {
  return `<div class="empty">
<p>A machine appears here when it has pinged this server once:</p>
<ol>
<li>On the server, make a file for it, here nas:
<kbd class="command">dynip init --name nas --server SERVER</kbd></li>
<li>Carry <kbd>nas.toml</kbd> to the machine, as <kbd>dynip.toml</kbd>.</li>
<li>There, tell this server: <kbd class="command">dynip ping</kbd></li>
</ol>
</div>
`;
}

function onlyItself(viewer: string): string {
  return `<p class="more">${text(viewer)} sees only itself. To see every host, add it to <kbd>readers</kbd>
under <kbd>[server]</kbd> in the server’s configuration, and restart the server.</p>
`;
}

/** @param all how many hosts belong in the section, shown or not */
function section(
  id: string,
  title: string,
  rows: readonly PageRow[],
  all: number,
  now: number,
): string {
  if (rows.length === 0) return "";
  // Safari takes a list without bullets for none, unless it has the role.
  return `<section class="${id}" aria-labelledby="${id}">
<h2 id="${id}">${title} <span>${all}</span></h2>
<ul role="list">
${rows.map((row) => item(row, now)).join("")}</ul>
</section>
`;
}

function item({ name, host, isSilent, moves }: PageRow, now: number): string {
  const isPlain = host.counter === undefined;
  const places = [host.ipv4, host.ipv6].map((sighting) =>
    sighting ? place(sighting, { isPlain, isSilent, now }) : "",
  );
  return `<li><h3>${text(name)}</h3><div>${places.join("")}${history(moves, now)}</div></li>\n`;
}

/** The last moves, newest first. That a host is new says no more than the rest of its row. */
function history(moves: readonly Move[], now: number): string {
  if (moves.every(({ previous }) => previous === undefined)) return "";
  const lines = moves.toReversed().map(({ time, address, previous, how }) => {
    const where = previous === undefined ? `at ${address}` : `from ${previous} to ${address}`;
    const source = how === "proven" ? "" : ` <small>${how}</small>`;
    return `<div role="listitem">${timeElement(time, now)} ${where}${source}</div>`;
  });
  return `
<details><summary>Last moves</summary><div role="list">${lines.join("")}</div></details>`;
}

/** One address, and what is known of it. The address stands alone, so that a tap selects nothing else. */
function place(
  { address, since, lastSeen, claimed }: Sighting,
  { isPlain, isSilent, now }: { isPlain: boolean; isSilent: boolean; now: number },
): string {
  const seen = timeElement(lastSeen, now, seenWords(now - lastSeen, isSilent));
  const how = isPlain
    ? "<b>plain: can be forged</b>"
    : claimed
      ? "claimed by dyndns2"
      : "proven by ping";
  const size = address.length > LARGE_CHARACTERS ? ' class="long"' : "";
  return `<div class="place"><code${size}>${address}</code>
<p>${seen} <small>${how}</small></p>
<p>${stayWords(now - since)} <small>since ${timeElement(since, now)}</small></p></div>`;
}

/** @param age milliseconds; negative where the server's clock was set back */
function seenWords(age: number, isSilent: boolean): string {
  if (age <= -MINUTE_MS) return `seen ${inWords(-age)} ahead of the clock`;
  if (isSilent) return `silent for ${inWords(age)}`;
  return age < MINUTE_MS ? "seen just now" : `seen ${inWords(age)} ago`;
}

/** @param stay milliseconds; negative where the server's clock was set back */
function stayWords(stay: number): string {
  return stay <= -MINUTE_MS ? "there, ahead of the clock" : `there for ${inWords(stay)}`;
}

/** The page is up to a minute old, so it tells no shorter time. */
function inWords(milliseconds: number): string {
  return milliseconds < MINUTE_MS ? "under a minute" : describeAge(milliseconds / 1000);
}

/** @param words by default the day, with the hour if it is of the last ten months */
function timeElement(time: number, now: number, words = dayAndHour(time, now)): string {
  const iso = new Date(time).toISOString();
  const full = `${iso.slice(0, -5).replace("T", " ")} UTC`;
  return `<time datetime="${iso}" title="${full}">${words}</time>`;
}

function dayAndHour(time: number, now: number): string {
  const date = new Date(time);
  const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
  if (Math.abs(now - time) > RECENT_MS) return `${day} ${date.getUTCFullYear()}`;
  return `${day}, ${date.toISOString().slice(-13, -8)} UTC`;
}

function leftOut(total: number, shown: number): string {
  return `<p class="more">${total - shown} more of ${total} hosts are not shown here. <a href="hosts">All of them, as JSON</a></p>\n`;
}

function count(hosts: number): string {
  return hosts === 1 ? "1 host" : `${hosts} hosts`;
}

function bySilence(one: PageRow, other: PageRow): number {
  return lastSeenOf(other.host) - lastSeenOf(one.host) || byName(one, other);
}

function byName(one: PageRow, other: PageRow): number {
  return one.name < other.name ? -1 : 1;
}

/** `value` as text of an HTML document. */
function text(value: string): string {
  return value.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** As many fit in one line of a phone in large type. */
const LARGE_CHARACTERS = 24;
const MINUTE_MS = 60_000;
/** Within it a day needs no year. */
const RECENT_MS = 300 * 86_400_000;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
