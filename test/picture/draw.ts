/**
 * Draws the output of `bun run demo` as terminals, one for each machine: an SVG of real text, in any
 * monospaced font. Pure.
 */
import { xmlText } from "../../src/schedule/quoting.ts";

const COLUMNS = 92;
const FONT_SIZE = 14;
/** The character width of the widest font below, in ems. */
const ADVANCE = 0.603;
const LINE_HEIGHT = 20;
const MARGIN = 20;
const BAR_HEIGHT = 36;
const GAP = 12;
const WIDTH = Math.ceil(COLUMNS * ADVANCE * FONT_SIZE) + 2 * MARGIN;
const FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

type Style = "prompt" | "command" | "comment" | "time" | "output";

const COLOURS: Readonly<Record<Style, string>> = {
  prompt: "#7ee787",
  command: "#f0f6fc",
  comment: "#8b949e",
  time: "#8b949e",
  output: "#c9d1d9",
};

interface Span {
  style: Style;
  text: string;
}

/** One terminal. */
interface Pane {
  title: string;
  lines: Span[][];
}

/**
 * Draws the output of the demo.
 * @param output each line begins with the name of a machine and ` | `, as {@link panesOf} reads it
 * @param titles the titles of the terminals, from top to bottom, by machine
 */
export function drawTerminals(
  output: string,
  titles: Readonly<Record<string, string>>,
  title: string,
): string {
  const panes = panesOf(output, titles);
  let top = 0;
  const drawn = panes.map((pane) => {
    const svg = drawPane(pane, top);
    top += heightOf(pane) + GAP;
    return svg;
  });
  const height = top - GAP;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>${xmlText(title)}</title>
<g font-family="${FONTS}" font-size="${FONT_SIZE}">
${drawn.join("\n")}
</g>
</svg>
`;
}

/** Sorts the lines of the output by machine. An empty line comes before what a user types. */
function panesOf(output: string, titles: Readonly<Record<string, string>>): Pane[] {
  const lines = output.split("\n").map((line) => /^(\S+) +\| (.*)$/.exec(line));
  return Object.entries(titles).map(([machine, title]) => {
    const texts = lines.flatMap((line) => (line?.[1] === machine ? [line[2]!] : []));
    const spaced = texts.flatMap((text, index) => {
      const isTyped = /^[$#] /.test(text) && index > 0 && !texts[index - 1]!.startsWith("# ");
      return isTyped ? ["", text] : [text];
    });
    return { title, lines: spaced.flatMap((text) => wrap(spans(text))) };
  });
}

function heightOf({ lines }: Pane): number {
  return BAR_HEIGHT + lines.length * LINE_HEIGHT + MARGIN;
}

function drawPane(pane: Pane, top: number): string {
  const buttons = ["#ff5f57", "#febc2e", "#28c840"].map(
    (fill, index) => `<circle cx="${MARGIN + 20 * index}" cy="${top + 18}" r="6" fill="${fill}"/>`,
  );
  const texts = pane.lines.flatMap((line, index) => {
    if (line.length === 0) return [];
    const y = top + BAR_HEIGHT + index * LINE_HEIGHT + FONT_SIZE;
    return [`<text x="${MARGIN}" y="${y}" xml:space="preserve">${line.map(tspan).join("")}</text>`];
  });
  return `<rect y="${top}" width="${WIDTH}" height="${heightOf(pane)}" rx="10" fill="#0d1117"/>
${buttons.join("")}
<text x="${WIDTH / 2}" y="${top + 23}" text-anchor="middle" fill="${COLOURS.comment}">${xmlText(pane.title)}</text>
${texts.join("\n")}`;
}

function spans(line: string): Span[] {
  const step = /^(\$ )(.*?)(  # .*)?$/.exec(line);
  if (step) {
    return [
      { style: "prompt", text: step[1]! },
      { style: "command", text: step[2]! },
      ...(step[3] === undefined ? [] : [{ style: "comment" as const, text: step[3] }]),
    ];
  }
  if (line.startsWith("# ")) return [{ style: "comment", text: line }];
  const logged = /^(\d{4}-\S+Z )(.*)$/.exec(line);
  if (!logged) return line === "" ? [] : [{ style: "output", text: line }];
  return [
    { style: "time", text: logged[1]! },
    { style: "output", text: logged[2]! },
  ];
}

/** Breaks a line that is wider than the terminal behind a space or a comma, or else at the edge. */
function wrap(line: Span[]): Span[][] {
  const lines: Span[][] = [[]];
  let column = 0;
  for (const { style, text } of line) {
    for (const word of text.match(/[^ ,]*[ ,]*/g)!) {
      for (let rest = word; rest !== "";) {
        if (column > 0 && column + rest.trimEnd().length > COLUMNS) {
          lines.push([]);
          column = 0;
        }
        const part = rest.slice(0, COLUMNS);
        const last = lines.at(-1)!.at(-1);
        if (last?.style === style) last.text += part;
        else lines.at(-1)!.push({ style, text: part });
        column += part.length;
        rest = rest.slice(COLUMNS);
      }
    }
  }
  return lines;
}

function tspan({ style, text }: Span): string {
  const weight = style === "command" ? ' font-weight="bold"' : "";
  return `<tspan fill="${COLOURS[style]}"${weight}>${xmlText(text)}</tspan>`;
}
