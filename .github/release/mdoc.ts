/** Writes mdoc(7), the language of manual pages, as mandoc and groff both read it. */

/** A page: lines, each of which is a macro or text that is escaped already. */
export function page(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}

/** A macro's line. */
export function macro(name: string, ...words: string[]): string {
  return [`.${name}`, ...words.map(escaped)].join(" ");
}

/** Words that stand on the line of another macro. */
export function inline(name: string, word: string): string {
  return `${name} ${escaped(word)}`;
}

/** Running text: each sentence begins a line, as typesetters want it, and no line is long. */
export function text(words: string): string {
  return words
    .replaceAll("\n", " ")
    .split(/(?<=[.!?]) +(?=[A-Z])/)
    .flatMap(wrapped)
    .map((line) => escaped(line).replace(/^['.]/, "\\&$&"))
    .join("\n");
}

/** A list of terms, each with what it means; a term is words of macros, its meaning is text. */
export function list(items: readonly (readonly [term: string, meaning: string])[]): string[] {
  return [
    ".Bl -tag -width Ds",
    ...items.flatMap(([term, meaning]) => [`.It ${term}`, text(meaning)]),
    ".El",
  ];
}

/** Lines that are shown as they are. */
export function literal(lines: string): string[] {
  return [
    ".Bd -literal -offset indent",
    // A hyphen is typeset as a minus, which can be copied to a command line.
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
