/** The text of the configurations that `dynip init` writes, from the tables of keys.ts. Pure. */
import { type Key, type Keys, SECTIONS, SWITCHES, TOP_LEVEL } from "./keys.ts";

/** A value of the file. It is not checked here. */
type Value = string | number | boolean | readonly string[];

/** Values of a section's keys; a key without one gets its example, or else its default. */
type SectionValues<Section extends keyof typeof SECTIONS> = {
  readonly [Name in keyof (typeof SECTIONS)[Section]]?: Value | undefined;
};

type GivenValues = Readonly<Record<string, Value | undefined>>;

/** What the configuration of a server says. Its clients may share the file. */
export interface ConfigValues {
  secret: string;
  server: SectionValues<"server">;
  client: SectionValues<"client">;
}

/** A commented configuration of a server: TOML. */
export function configText({ secret, server, client }: ConfigValues): string {
  return fileText(
    "The configuration of dynip, in TOML. The server reads [server] and [notify], a client reads [client]; a " +
      "machine may do without the section that it does not read. Text behind a # is a comment.",
    [
      keysText(TOP_LEVEL, { secret }),
      sectionText("server", SECTIONS.server, server),
      ...Object.entries(SWITCHES).map(([section, text]) => switchText(section as Switch, text)),
      sectionText("notify", SECTIONS.notify, {}),
      sectionText("client", SECTIONS.client, client),
    ],
  );
}

/** What the configuration of one client says. Without a key it sends plain pings. */
export type ClientValues = SectionValues<"client">;

/** How a router reports the address of a client by HTTP. */
export interface RouterAccess {
  url: string;
  password: string;
}

/**
 * A commented configuration of one client, without the secret.
 * @param router undefined where it has no key
 */
export function clientConfigText(values: ClientValues, router?: RouterAccess): string {
  const head =
    values.key === undefined
      ? "The configuration of dynip for a client without a key: its pings are plain."
      : `The configuration of dynip for ${values.client_name}, and for no other machine.`;
  const parts = [sectionText("client", SECTIONS.client, values)];
  if (router) parts.push(routerText(`${values.client_name}`, router));
  return fileText(head, parts);
}

/** Comments alone: dynip does not read them. */
function routerText(user: string, { url, password }: RouterAccess): string {
  const text =
    "If the server has [http]: what to enter in a router that reports where it is by dyndns2 (DynDNS, " +
    "custom provider), and the name and password for the page and for scripts. They are valid as long as the key.";
  return `${comment(text)}\n#   URL       ${url}\n#   user      ${user}\n#   password  ${password}`;
}

function fileText(head: string, parts: readonly string[]): string {
  return `${[comment(head), ...parts].join("\n\n")}\n`;
}

function sectionText(section: string, keys: Keys, values: GivenValues): string {
  return `[${section}]\n${keysText(keys, values, section)}`;
}

type Switch = keyof typeof SWITCHES;

/** A section that is off: each line is a comment. */
function switchText(section: Switch, text: string): string {
  const keys = keysText(SECTIONS[section], {}).replace(/^(?!# |$)/gm, "# ");
  return `${comment(text)}\n# [${section}]\n${keys}`;
}

function keysText(keys: Keys, values: GivenValues, section?: string): string {
  const texts = Object.entries(keys).flatMap(([name, key]) => {
    const line =
      key.default instanceof Map
        ? `[${section}.${name}]\n# ${key.example}`
        : assignment(name, key, values[name]);
    return line === undefined ? [] : [`${comment(key.comment)}\n${line}`];
  });
  return texts.join("\n\n");
}

/** The line that gives a key its value or shows an example; undefined if there is neither. */
function assignment(name: string, key: Key<unknown>, given: Value | undefined): string | undefined {
  if (given === undefined && key.example !== undefined) return `# ${name} = ${key.example}`;
  const value = given ?? key.default;
  return value === undefined ? undefined : `${name} = ${toml(value)}`;
}

/** A text in lines of a comment, at most 100 characters wide. */
function comment(text: string): string {
  return text
    .match(/\S.{0,97}(?=\s|$)/g)!
    .map((line) => `# ${line}`)
    .join("\n");
}

/** A TOML value: JSON is TOML, except that TOML wants DEL escaped. */
function toml(value: unknown): string {
  return JSON.stringify(value).replaceAll("\x7f", "\\u007f");
}
