/** Writes mdoc(7), the language of manual pages. Both mandoc and groff read it. */

/** A page of lines. Each line is a macro or escaped text. */
export function page(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}

/** A line with a macro and its arguments. */
export function macro(name: string, ...words: string[]): string {
  return [`.${name}`, ...words.map(escaped)].join(" ");
}

/** A macro with one argument, for the line of another macro. */
export function inline(name: string, word: string): string {
  return `${name} ${escaped(word)}`;
}

/** Running text. Each sentence begins a line, as mdoc(7) demands, and long lines are wrapped. */
export function text(words: string): string {
  return words
    .replaceAll("\n", " ")
    .split(/(?<=[.!?]) +(?=[A-Z])/)
    .flatMap(wrapped)
    .map((line) => escaped(line).replace(/^['.]/, "\\&$&"))
    .join("\n");
}

/** A list of terms with their meanings. A term consists of macros, a meaning is plain text. */
export function list(items: readonly (readonly [term: string, meaning: string])[]): string[] {
  return [
    ".Bl -tag -width Ds",
    ...items.flatMap(([term, meaning]) => [`.It ${term}`, text(meaning)]),
    ".El",
  ];
}

/** Lines that are displayed unchanged. */
export function literal(lines: string): string[] {
  return [
    ".Bd -literal -offset indent",
    // `\-` prints the ASCII hyphen, so that a command can be copied from the page.
    ...lines.split("\n").map((line) => escaped(line).replaceAll("-", "\\-")),
    ".Ed",
  ];
}

const WIDTH = 76;

function wrapped(sentence: string): string[] {
  const lines: string[] = [];
  for (const word of sentence.split(" ").filter(Boolean)) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= WIDTH) {
      lines[lines.length - 1] = `${line} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\e");
}
