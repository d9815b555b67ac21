/** Reads CHANGELOG.md: `## VERSION (YYYY-MM-DD)`, then what is new in it. */

export interface ChangelogEntry {
  /** When the version was released, `YYYY-MM-DD`; undefined while it has not been. */
  date: string | undefined;
  /** What is new in it: Markdown. */
  notes: string;
}

/** The entry of one version, or undefined where there is none. */
export function changelogEntry(changelog: string, version: string): ChangelogEntry | undefined {
  for (const section of changelog.split(/^## /m).slice(1)) {
    const [heading = "", ...lines] = section.split("\n");
    const [, found, aside] = /^(\S+)(?: \((.*)\))?\s*$/.exec(heading) ?? [];
    if (found !== version) continue;
    return { date: isDate(aside) ? aside : undefined, notes: lines.join("\n").trim() };
  }
  return undefined;
}

function isDate(text: string | undefined): boolean {
  if (!text || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.valueOf()) && date.toISOString().startsWith(text);
}
