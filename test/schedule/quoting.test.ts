import { expect, test } from "bun:test";

import fc from "fast-check";

import {
  powerShellWord,
  shellWord,
  systemdProgram,
  windowsWord,
  xmlText,
} from "../../src/schedule/quoting.ts";

test.each([
  ["/usr/local/bin/dynip", "/usr/local/bin/dynip"],
  ["/home/ann/my file", "'/home/ann/my file'"],
  ["/home/ann/Ann's", "'/home/ann/Ann'\\''s'"],
])("%j is the shell's word %s", (text, word) => {
  expect(shellWord(text)).toBe(word);
});

test.each([
  ["C:\\dynip\\dynip.exe", '"C:\\dynip\\dynip.exe"'],
  ["C:\\my folder\\", '"C:\\my folder\\\\"'],
  ['a"b', '"a\\"b"'],
  ['a\\"b', '"a\\\\\\"b"'],
])("%j is Windows's word %s", (text, word) => {
  expect(windowsWord(text)).toBe(word);
});

test.each([
  ["C:\\Program Files\\dynip\\dynip.exe", "'C:\\Program Files\\dynip\\dynip.exe'"],
  ["C:\\Ann's & $HOME `x`", "'C:\\Ann''s & $HOME `x`'"],
  ["C:\\Ann\u2019s", "'C:\\Ann\u2019\u2019s'"], // a quote, too, to PowerShell
])("%j is PowerShell's word %s", (text, word) => {
  expect(powerShellWord(text)).toBe(word);
});

test("CommandLineToArgvW reads Windows's words back, whatever characters they have", () => {
  const text = fc.string({ unit: fc.constantFrom("\\", '"', " ", "a", "é") });
  fc.assert(
    fc.property(fc.array(text), (words) => {
      expect(commandLineToArgv(words.map(windowsWord).join(" "))).toEqual(words);
    }),
  );
});

test.each([
  ["/usr/local/bin/dynip", "/usr/local/bin/dynip"],
  ["/opt/my dynip", '"/opt/my dynip"'],
  ["/opt/100%", "/opt/100%%"],
])("%j is systemd's program %s", (text, word) => {
  expect(systemdProgram(text)).toBe(word);
});

test("XML text is ASCII and has no markup", () => {
  expect(xmlText(`C:\\a & <b> "c" 'd' é🏠`)).toBe(
    "C:\\a &#38; &#60;b&#62; &#34;c&#34; &#39;d&#39; &#233;&#127968;",
  );
});

/** The arguments behind the program's, by the rules of Microsoft's CommandLineToArgvW. */
function commandLineToArgv(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let isQuoted = false;
  for (let at = 0; at < line.length;) {
    const slashes = /^\\*/.exec(line.slice(at))![0].length;
    const next = line[at + slashes];
    if (next === '"') {
      word = (word ?? "") + "\\".repeat(Math.floor(slashes / 2));
      if (slashes % 2 === 1) word += '"';
      else isQuoted = !isQuoted;
      at += slashes + 1;
    } else if (slashes > 0) {
      word = (word ?? "") + "\\".repeat(slashes);
      at += slashes;
    } else {
      if (next === " " && !isQuoted) {
        if (word !== undefined) words.push(word);
        word = undefined;
      } else word = (word ?? "") + next;
      at++;
    }
  }
  return word === undefined ? words : [...words, word];
}
