/** Reads CHANGELOG.md, which has a heading `## VERSION (YYYY-MM-DD)` for each version. */

export interface ChangelogEntry {
  /** The day of the release as `YYYY-MM-DD`; undefined before it. */
  date: string | undefined;
  /** The text under the heading, in Markdown. */
  notes: string;
}

/** The entry of a version; undefined when the changelog does not have it. */
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
