import { expect, spyOn, test } from "bun:test";

import fc from "fast-check";

import { memberOf, membersOf } from "../../src/store/members.ts";
import { namesOfOneKeyHash } from "../colliding-names.ts";

const read = (text: string) => [...membersOf(text)].map(({ name, value }) => [name, value]);

test("the members of an object are what JSON.parse makes of it, however it is laid out", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue()),
      fc.constantFrom(0, 2, "\t", "\r\n"),
      (object, space) => {
        const text = JSON.stringify(object, undefined, space);
        const parsed = JSON.parse(text) as object;
        expect(Object.fromEntries(read(text))).toEqual(parsed);
        expect(read(text)).toHaveLength(Object.keys(parsed).length);
        for (const { start, end } of membersOf(text)) {
          const { name, value } = memberOf(text.slice(start, end));
          expect([[name, value]]).toEqual(
            Object.entries(JSON.parse(`{${text.slice(start, end)}}`)),
          );
        }
      },
    ),
  );
});

test("a text that JSON.parse refuses is refused, but for a comma behind the last member", () => {
  const text = '{"a": {"x":["}",1]}, "\\u00e9\\"": ["\\\\",null], "": true}';
  for (let at = 0; at < text.length; at++) {
    for (const replacement of ["", '"', ",", ":", "{", "}", "[", "]", "\\", "\n", " ", "0", "a"]) {
      const changed = text.slice(0, at) + replacement + text.slice(at + 1);
      let parsed: unknown;
      try {
        parsed = JSON.parse(changed.replace(/,(\s*\})$/, "$1"));
      } catch {
        expect(() => read(changed)).toThrow();
        continue;
      }
      expect(Object.fromEntries(read(changed))).toEqual(parsed as object);
    }
  }
});

test("no name becomes a key or a short string of JSON.parse, which attackers can make slow", () => {
  const names = ["nas", 'n"', ...namesOfOneKeyHash(100)];
  const text = JSON.stringify(Object.fromEntries(names.map((name) => [name, { ipv4: 1 }])));
  using parse = spyOn(JSON, "parse");
  expect(read(text).map(([name]) => name)).toEqual(names);
  expect(parse).toHaveBeenCalledTimes(names.length + 1); // a name with an escape as well
  for (const { value } of parse.mock.results) {
    if (typeof value === "string") expect(value.length).toBeGreaterThan(16);
    else expect(value).toEqual({ ipv4: 1 });
  }
});

test("one member is one member", () => {
  expect(memberOf(' "a" : 1 ')).toMatchObject({ name: "a", value: 1 });
  for (const text of ["", '"a"', '"a": 1, "b": 2', '"a": 1,', '{"a": 1}', '"a": 1 2']) {
    expect(() => memberOf(text)).toThrow();
  }
});
