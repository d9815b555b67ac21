/** The page at `/` that shows where the hosts are, as HTML without script. Pure. */
import type { Host } from "../host.ts";

/** One host on the page. */
export interface PageRow {
  readonly name: string;
  readonly host: Host;
  /** Whether the host has not pinged for longer than it should. */
  readonly isSilent: boolean;
}

/** What the page shows. */
export interface PageView {
  readonly rows: readonly PageRow[];
  /** How many hosts the viewer may see. */
  readonly total: number;
  /** The signed name that asks. */
  readonly viewer: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The page's only style, as a source for the header Content-Security-Policy (CSP level 3, 2.3.1). */
export const STYLE_HASH = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";

/** The page as HTML. */
export function renderPage({ rows, total, viewer }: PageView): string {
  const items = rows.map(({ name, host }) => {
    const addresses = [host.ipv4?.address, host.ipv6?.address].filter(Boolean).join(" ");
    return `<li>${text(name)} <code>${addresses}</code></li>\n`;
  });
  return `<!doctype html>\n<title>${total} hosts - dynip</title>\n<ul>\n${items.join("")}</ul>\n<p>Signed in as ${text(viewer)}.</p>\n`;
}

function text(raw: string): string {
  return raw.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}
