/**
 * Draws the output of `bun run demo` as a terminal: an SVG of real text, in any monospaced font. Pure.
 */
import { xmlText } from "../../src/schedule/quoting.ts";

const COLUMNS = 92;
const FONT_SIZE = 14;
/** The character width of the widest font below, in ems. */
const ADVANCE = 0.603;
const LINE_HEIGHT = 20;
const MARGIN = 20;
const BAR_HEIGHT = 36;
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

/** Draws the output of the demo. Each step is `$ command`, its meaning and its output. */
export function drawTerminal(output: string, title: string): string {
  const lines = output
    .replaceAll(/^(\$ .*)\n {2}(# .*)$/gm, "$1  $2")
    .trim()
    .split("\n")
    .map((line) => line.replace(/^ {2}/, ""))
    .flatMap((line) => wrap(spans(line)));
  const width = Math.ceil(COLUMNS * ADVANCE * FONT_SIZE) + 2 * MARGIN;
  const height = BAR_HEIGHT + lines.length * LINE_HEIGHT + MARGIN;
  const buttons = ["#ff5f57", "#febc2e", "#28c840"].map(
    (fill, index) => `<circle cx="${MARGIN + 20 * index}" cy="18" r="6" fill="${fill}"/>`,
  );
  const texts = lines.flatMap((line, index) => {
    if (line.length === 0) return [];
    const y = BAR_HEIGHT + index * LINE_HEIGHT + FONT_SIZE;
    return [`<text x="${MARGIN}" y="${y}" xml:space="preserve">${line.map(tspan).join("")}</text>`];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${xmlText(title)}</title>
<rect width="${width}" height="${height}" rx="10" fill="#0d1117"/>
${buttons.join("")}
<g font-family="${FONTS}" font-size="${FONT_SIZE}">
${texts.join("\n")}
</g>
</svg>
`;
}

function spans(line: string): Span[] {
  const step = /^(\$ )(.*?)(  # .*)$/.exec(line);
  if (step) {
    return [
      { style: "prompt", text: step[1]! },
      { style: "command", text: step[2]! },
      { style: "comment", text: step[3]! },
    ];
  }
  const logged = /^(\d{4}-\S+Z )(.*)$/.exec(line);
  if (!logged) return [{ style: "output", text: line }];
  return [
    { style: "time", text: logged[1]! },
    { style: "output", text: logged[2]! },
  ];
}

/** Breaks a line at the width of the terminal, as terminals do. */
function wrap(line: Span[]): Span[][] {
  const lines: Span[][] = [[]];
  let column = 0;
  for (const { style, text } of line) {
    for (let at = 0; at < text.length;) {
      if (column === COLUMNS) {
        lines.push([]);
        column = 0;
      }
      const part = text.slice(at, at + COLUMNS - column);
      lines.at(-1)!.push({ style, text: part });
      at += part.length;
      column += part.length;
    }
  }
  return lines;
}

function tspan({ style, text }: Span): string {
  const weight = style === "command" ? ' font-weight="bold"' : "";
  return `<tspan fill="${COLOURS[style]}"${weight}>${xmlText(text)}</tspan>`;
}
