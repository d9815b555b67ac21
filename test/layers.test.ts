/** The house: who may import whom, and what lives in one room alone. */
import { expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";

const SRC = join(import.meta.dir, "..", "src");

/** Files of src/ that a file may import; `types` for types alone. Commands may import all below. */
const MAY_IMPORT: Record<string, { values: string[]; types?: string[] }> = {
  "cli.ts": { values: ["commands/main.ts", "commands/root.ts"] },
  "client-log.ts": {
    values: [
      "atomic-file.ts",
      "client-log-format.ts",
      "client-log-reader.ts",
      "errors.ts",
      "files.ts",
      "group-commit.ts",
      "journal.ts",
      "lock.ts",
    ],
    types: ["host-table.ts", "log.ts", "registry.ts"],
  },
  "client-log-reader.ts": {
    values: [
      "atomic-file.ts",
      "client-log-format.ts",
      "client-log-scanner.ts",
      "errors.ts",
      "host-table.ts",
    ],
    types: ["files.ts", "journal.ts", "registry.ts"],
  },
  "client-log-format.ts": {
    values: ["address.ts", "protocol.ts", "time-text.ts"],
    types: ["registry.ts"],
  },
  "client-log-scanner.ts": {
    values: ["address.ts", "protocol.ts", "time-text.ts"],
    types: ["registry.ts"],
  },
  "config.ts": { values: ["address.ts", "errors.ts", "protocol.ts"] },
  "config-file.ts": { values: ["config.ts", "errors.ts"] },
  "cookie.ts": { values: [] },
  "cron.ts": { values: ["quoting.ts"] },
  "duration.ts": { values: [] },
  "files.ts": { values: [] },
  "group-commit.ts": { values: ["client-log-format.ts"], types: ["host-table.ts", "registry.ts"] },
  "host-table.ts": { values: ["address.ts", "name-index.ts"], types: ["registry.ts"] },
  "name-index.ts": { values: [] },
  "launchd.ts": { values: ["quoting.ts"] },
  "next-steps.ts": { values: ["cron.ts", "launchd.ts", "quoting.ts", "systemd.ts"] },
  "quoting.ts": { values: [] },
  "systemd.ts": { values: ["quoting.ts"] },
  "windows-task.ts": { values: ["quoting.ts"] },
  "journal.ts": { values: ["atomic-file.ts", "errors.ts", "files.ts"] },
  "registry.ts": { values: ["address.ts"] },
  "server.ts": {
    values: ["address.ts", "protocol.ts"],
    types: ["client-log.ts", "cookie.ts", "log.ts", "registry.ts", "udp.ts"],
  },
  "client.ts": {
    values: ["address.ts", "errors.ts", "exchange.ts", "protocol.ts"],
    types: ["udp.ts"],
  },
  "exchange.ts": { values: ["address.ts", "protocol.ts"], types: ["udp.ts"] },
  "receive-buffer.ts": { values: [] },
  "udp.ts": { values: ["address.ts", "errors.ts", "receive-buffer.ts"] },
  "address.ts": { values: [] },
  "atomic-file.ts": { values: ["errors.ts", "files.ts"] },
  "errors.ts": { values: [] },
  "keyring.ts": { values: ["protocol.ts"] },
  "lock.ts": { values: [] },
  "log.ts": { values: [] },
  "old-conf.ts": { values: [] },
  "protocol.ts": { values: [] },
  "secrets.ts": { values: ["errors.ts", "protocol.ts"], types: ["log.ts"] },
  "setup.ts": { values: [] },
  "time-text.ts": { values: [] },
};
const COMMANDS = ["commands/init.ts", "commands/print.ts", "commands/serve.ts", "commands/ping.ts"];
for (const command of COMMANDS) {
  MAY_IMPORT[command] = {
    values: [
      ...Object.keys(MAY_IMPORT).filter((file) => file !== "cli.ts"),
      "commands/main.ts",
      "commands/print.ts",
    ],
  };
}
MAY_IMPORT["commands/root.ts"] = {
  values: ["commands/init.ts", "commands/serve.ts", "commands/ping.ts"],
  types: ["commands/main.ts"],
};
MAY_IMPORT["commands/main.ts"] = {
  values: ["config-file.ts", "errors.ts", "log.ts", "protocol.ts"],
};

/** Modules that are not ours, for the files that may use them; node: modules for those not pure. */
const PACKAGES: Record<string, (file: string) => boolean> = {
  citty: (file) => file === "commands/main.ts",
  "consola/core": (file) => file === "log.ts",
  "smol-toml": (file) => file === "config.ts",
  "bun:ffi": (file) => file === "receive-buffer.ts",
  "bun:sqlite": (file) => file === "lock.ts",
};

/** Files that do no input or output, know no clock and no randomness, and what they may use. */
const PURE: Record<string, string[]> = {
  "address.ts": [],
  "client-log-format.ts": [],
  "client-log-scanner.ts": ["node:buffer"], // isUtf8 alone
  "config.ts": ["smol-toml"],
  "cookie.ts": [],
  "cron.ts": [],
  "duration.ts": [],
  "host-table.ts": [],
  "name-index.ts": [],
  "keyring.ts": [],
  "launchd.ts": [],
  "next-steps.ts": [],
  "old-conf.ts": [],
  "protocol.ts": ["node:buffer"], // isUtf8 alone
  "registry.ts": [],
  "setup.ts": [],
  "time-text.ts": [],
  "quoting.ts": [],
  "systemd.ts": [],
  "windows-task.ts": [],
};

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

test("every file of src/ has its row in the table, and every row its file", () => {
  expect(sources.map(({ file }) => file).sort()).toEqual(Object.keys(MAY_IMPORT).sort());
});

test("the import statements are all seen: as many as the word stands in the code", () => {
  for (const { file, code, imports } of sources) {
    const statements = code.match(/^import\b|\bimport\(/gm)?.length ?? 0;
    expect(`${file}: ${imports.length}`).toBe(`${file}: ${statements}`);
  }
});

test("imports follow the arrows", () => {
  const wrong: string[] = [];
  for (const { file, imports } of sources) {
    const { values, types = [] } = MAY_IMPORT[file]!;
    for (const { from, typeOnly } of imports) {
      if (!from.startsWith(".")) continue;
      const target = relative(SRC, join(SRC, dirname(file), from)).replaceAll("\\", "/");
      if (file === "commands/root.ts" && target === "../package.json") continue;
      const allowed = values.includes(target) || (typeOnly && types.includes(target));
      if (!allowed) wrong.push(`${file} imports ${typeOnly ? "types of " : ""}${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("no file imports itself by way of others", () => {
  const reached = (file: string, seen = new Set<string>()): Set<string> => {
    for (const { from } of sources.find((source) => source.file === file)!.imports) {
      if (!from.startsWith(".") || from.endsWith(".json")) continue;
      const target = relative(SRC, join(SRC, dirname(file), from)).replaceAll("\\", "/");
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
      if (!PACKAGES[from]?.(file)) wrong.push(`${file} imports ${from}`);
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
    const allowed = PURE[file];
    if (!allowed) continue;
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

test("Bun's UDP socket is named in udp.ts alone", () => {
  expect(sources.filter(({ code }) => code.includes("udpSocket")).map(({ file }) => file)).toEqual([
    "udp.ts",
  ]);
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
