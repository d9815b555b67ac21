/** Lists the packages inside an executable and their licences, read from `node_modules`. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { dependencies, license, name, version } from "../../package.json";
import type { Source } from "./source.ts";

const MODULES = join(import.meta.dir, "..", "..", "node_modules");

/** The bill of materials as CycloneDX 1.6 (ECMA-424), in JSON. */
export async function billOfMaterials({ commit, time }: Source): Promise<string> {
  const parts = await Promise.all(partNames().map(readPart));
  const reference = (part: { name: string; version: string }) => `${part.name}@${part.version}`;
  const component = (type: string, part: Part, purl: string) => ({
    type,
    "bom-ref": reference(part),
    name: part.name,
    version: part.version,
    licenses: [{ license: { id: part.license } }],
    purl,
  });
  const whole = { name, version, license };
  const bom = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      timestamp: new Date(time * 1000).toISOString(),
      component: {
        ...component("application", whole, `pkg:generic/${reference(whole)}`),
        properties: [{ name: "commit", value: commit ?? "unknown" }],
      },
    },
    components: parts.map((part) =>
      component(part.name === "bun" ? "platform" : "library", part, `pkg:npm/${reference(part)}`),
    ),
    dependencies: [
      { ref: reference(whole), dependsOn: parts.map(reference) },
      ...parts.map((part) => ({ ref: reference(part) })),
    ],
  };
  return `${JSON.stringify(bom, undefined, 2)}\n`;
}

/** The licence texts of the packages, which must be in every archive. */
export async function thirdPartyLicences(): Promise<string> {
  const texts = await Promise.all(
    partNames().map(async (part) => {
      const { version: installed, license: id } = await readPart(part);
      const text = await readFile(join(MODULES, LICENCE_FILES[part] ?? `${part}/LICENSE`), "utf8");
      const heading = `${part} ${installed} (${id})`;
      return `${heading}\n${"=".repeat(heading.length)}\n\n${text.trim()}\n`;
    }),
  );
  return texts.join("\n\n");
}

/** Licence files with another name than `LICENSE`. Bun's also lists the libraries linked into it. */
const LICENCE_FILES: Readonly<Record<string, string>> = {
  bun: "bun-types/docs/project/license.mdx",
};

interface Part {
  name: string;
  version: string;
  /** An SPDX identifier. */
  license: string;
}

function partNames(): string[] {
  return ["bun", ...Object.keys(dependencies)];
}

async function readPart(part: string): Promise<Part> {
  const path = join(MODULES, part, "package.json");
  const { version: installed, license: id } = JSON.parse(await readFile(path, "utf8"));
  if (typeof installed !== "string" || typeof id !== "string") {
    throw new Error(`Cannot read "${path}": it has no version or no licence`);
  }
  return { name: part, version: installed, license: id };
}
