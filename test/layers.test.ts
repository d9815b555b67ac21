/** The house: which folder may import which, and what lives in one file alone. */
import { expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";

const SRC = join(import.meta.dir, "..", "src");

/** A room: a folder of src/, or a file that lies beside the folders. */
interface Room {
  /** The rooms or files that its files may import, beside those of its own. */
  values: readonly string[];
  /** The same, for types alone. */
  types?: readonly string[];
}

const MAY_IMPORT: Readonly<Record<string, Room>> = {
  "cli.ts": { values: ["commands"] },
  "host.ts": { values: [], types: ["protocol"] },
  "name-map.ts": { values: [] },
  protocol: { values: [] },
  schedule: { values: [] },
  system: { values: ["protocol/address.ts"] },
  config: {
    values: ["protocol", "system/errors.ts", "system/redact.ts"],
    types: ["system/log.ts"],
  },
  client: { values: ["protocol", "system/errors.ts"], types: ["system/udp.ts"] },
  store: { values: ["host.ts", "name-map.ts", "protocol", "system"] },
  server: {
    values: ["config/duration.ts", "host.ts", "name-map.ts", "protocol"],
    types: ["system"],
  },
  commands: {
    values: ["client", "config", "host.ts", "protocol", "schedule", "server", "store", "system"],
  },
};

/** Modules that are not ours, and the one file or folder that may import each. */
const PACKAGES: Readonly<Record<string, string>> = {
  citty: "commands",
  "consola/core": "system/log.ts",
  "smol-toml": "config/config.ts",
  "bun:ffi": "system/setsockopt.ts",
  "bun:sqlite": "store/lock.ts",
};

/** Rooms and files without input, output, clock or randomness, and the modules that each may use. */
const PURE: Readonly<Record<string, readonly string[]>> = {
  "host.ts": [],
  "name-map.ts": [],
  protocol: ["node:buffer"], // isUtf8 alone
  schedule: [],
  "config/common-names.ts": [],
  "config/config.ts": ["smol-toml"],
  "config/duration.ts": [],
  "config/keys.ts": [],
  "config/old-conf.ts": [],
  "config/readers.ts": [],
  "config/template.ts": [],
  "server/dyndns2.ts": [],
  "server/http-request.ts": [],
  "server/news.ts": [],
  "server/notices.ts": [],
  "server/page.ts": [],
  "server/page-style.ts": [],
  "server/questions.ts": [],
  "server/registry.ts": [],
  "server/watch.ts": [],
  "store/format.ts": [],
  "store/host-table.ts": [],
  "store/look-alikes.ts": [],
  "store/members.ts": [],
  "store/name-index.ts": [],
  "store/seal.ts": ["node:zlib"], // crc32 alone
  "system/redact.ts": [],
};

/** Whether a file is one of these, or lies in one of these folders. */
function isIn(file: string, rooms: readonly string[]): boolean {
  return rooms.some((room) => file === room || file.startsWith(`${room}/`));
}

/** The room that a file belongs to. */
function roomOf(file: string): string {
  return file.includes("/") ? file.slice(0, file.indexOf("/")) : file;
}

/** The file of src/ that an import statement names. */
function targetOf(file: string, from: string): string {
  return relative(SRC, join(SRC, dirname(file), from)).replaceAll("\\", "/");
}

interface Import {
  from: string;
  typeOnly: boolean;
}

interface Source {
  file: string;
  /** Without comments. */
  code: string;
  imports: Import[];
}

const sources: Source[] = await Promise.all(
  [...new Bun.Glob("**/*.ts").scanSync(SRC)].map(async (path) => {
    const file = path.replaceAll("\\", "/");
    const code = (await Bun.file(join(SRC, path)).text()).replace(
      /\/\*[^]*?\*\/|^\s*\/\/.*$/gm,
      "",
    );
    const imports: Import[] = [];
    for (const [, clause, from] of code.matchAll(
      /^(?:import|export)\b([^;"']*?)from\s+"([^"]+)"/gm,
    )) {
      const names =
        /\{([^}]*)\}/
          .exec(clause!)?.[1]
          ?.split(",")
          .filter((name) => name.trim()) ?? [];
      const typeOnly =
        clause!.trim().startsWith("type ") ||
        (names.length > 0 && names.every((name) => name.trim().startsWith("type ")));
      imports.push({ from: from!, typeOnly });
    }
    for (const [, from] of code.matchAll(/\bimport\("([^"]+)"\)/g)) {
      imports.push({ from: from!, typeOnly: false });
    }
    return { file, code, imports };
  }),
);

test("every file of src/ lies in a room of the table, and no room is empty", () => {
  const rooms = new Set(sources.map(({ file }) => roomOf(file)));
  expect([...rooms].sort()).toEqual(Object.keys(MAY_IMPORT).sort());
});

test("what the tables name is there", () => {
  const named = [...Object.values(PACKAGES), ...Object.keys(PURE)];
  for (const { values, types = [] } of Object.values(MAY_IMPORT)) named.push(...values, ...types);
  const missing = named.filter((name) => !sources.some(({ file }) => isIn(file, [name])));
  expect(missing).toEqual([]);
});

test("the import statements are all seen: as many as the word stands in the code", () => {
  for (const { file, code, imports } of sources) {
    const statements = code.match(/^import\b|^export .* from "|\bimport\(/gm)?.length ?? 0;
    expect(`${file}: ${imports.length}`).toBe(`${file}: ${statements}`);
  }
});

test("imports follow the arrows", () => {
  const wrong: string[] = [];
  for (const { file, imports } of sources) {
    const { values, types = [] } = MAY_IMPORT[roomOf(file)]!;
    for (const { from, typeOnly } of imports) {
      if (!from.startsWith(".")) continue;
      const target = targetOf(file, from);
      if (file === "commands/definition.ts" && target === "../package.json") continue;
      const allowed = [roomOf(file), ...values, ...(typeOnly ? types : [])];
      if (!isIn(target, allowed)) {
        wrong.push(`${file} imports ${typeOnly ? "types of " : ""}${target}`);
      }
    }
  }
  expect(wrong).toEqual([]);
});

test("no file imports itself by way of others", () => {
  const reached = (file: string, seen = new Set<string>()): Set<string> => {
    for (const { from } of sources.find((source) => source.file === file)!.imports) {
      if (!from.startsWith(".") || from.endsWith(".json")) continue;
      const target = targetOf(file, from);
      if (!seen.has(target)) reached(target, seen.add(target));
    }
    return seen;
  };
  for (const { file } of sources) expect([...reached(file)]).not.toContain(file);
});

test("packages live in one room each, and there are no others", () => {
  const wrong: string[] = [];
  for (const { file, imports } of sources) {
    for (const { from } of imports) {
      if (from.startsWith(".") || from.startsWith("node:")) continue;
      const room = PACKAGES[from];
      if (room === undefined || !isIn(file, [room])) wrong.push(`${file} imports ${from}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("package.json names the three runtime dependencies and no other", async () => {
  const { dependencies } = await Bun.file(join(SRC, "..", "package.json")).json();
  expect(Object.keys(dependencies).sort()).toEqual(["citty", "consola", "smol-toml"]);
});

test("the pure files know no clock, no randomness, no file, no process", () => {
  const wrong: string[] = [];
  for (const { file, code, imports } of sources) {
    const room = Object.keys(PURE).find((name) => isIn(file, [name]));
    if (room === undefined) continue;
    const allowed = PURE[room]!;
    for (const { from } of imports) {
      if (!from.startsWith(".") && !allowed.includes(from)) wrong.push(`${file} imports ${from}`);
    }
    const impure =
      /\bDate\.now|new Date\(\)|performance\.|Math\.random|\bprocess\.|\bBun\.(?!CryptoHasher|hash)/.exec(
        code,
      );
    if (impure) wrong.push(`${file} uses ${impure[0]}`);
  }
  expect(wrong).toEqual([]);
});

test("no file asks whether it is the entry: on Windows Bun 1.4.5 says of an executable's that it is not", () => {
  expect(sources.filter(({ code }) => code.includes("import.meta.main"))).toEqual([]);
});

test("Bun's UDP socket is named in system/udp.ts alone", () => {
  expect(sources.filter(({ code }) => code.includes("udpSocket")).map(({ file }) => file)).toEqual([
    "system/udp.ts",
  ]);
});

test("Bun's HTTP server is named in server/http.ts alone, which is loaded only where it is on", () => {
  const naming = sources.filter(({ code }) => code.includes("Bun.serve")).map(({ file }) => file);
  expect(naming).toEqual(["server/http.ts"]);
  const loading = sources.filter(({ file, imports }) =>
    imports.some(({ from, typeOnly }) => !typeOnly && targetOf(file, from) === "server/http.ts"),
  );
  expect(loading.map(({ file }) => file)).toEqual(["commands/serve-http.ts"]);
  const serveHttp = loading[0]!.code;
  expect(serveHttp).toContain('await import("../server/http.ts")');
});

test("nothing logs around the log, and nothing but the entry ends the process", () => {
  const wrong = sources.filter(({ code }) => /\bconsole\./.test(code)).map(({ file }) => file);
  expect(wrong).toEqual([]);
  const setsExitCode = sources.filter(({ code }) => code.includes("process.exit"));
  expect(setsExitCode.map(({ file }) => file)).toEqual(["cli.ts"]);
});

test("the entry point is a table of contents: under 40 lines", async () => {
  const lines = (await Bun.file(join(SRC, "cli.ts")).text()).split("\n").length;
  expect(lines).toBeLessThan(40);
});
