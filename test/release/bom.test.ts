/** The bill of materials and the licences of a release name exactly the installed packages. */
import { expect, test } from "bun:test";

import { billOfMaterials, thirdPartyLicences } from "../../.github/release/bom.ts";
import { dependencies, version } from "../../package.json";

const SOURCE = { commit: "c6a8c1f", time: Date.UTC(2026, 10, 22, 17, 20, 34) / 1000 };

interface Part {
  name: string;
  version: string;
  purl: string;
  licenses: [{ license: { id: string } }];
}

test("the bill of materials names dynip, the Bun inside it, and every run-time package", async () => {
  const bom = JSON.parse(await billOfMaterials(SOURCE));
  expect(bom).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6" });
  expect(bom.metadata).toMatchObject({
    timestamp: "2026-11-22T17:20:34.000Z",
    component: {
      name: "dynip",
      version,
      purl: `pkg:generic/dynip@${version}`,
      licenses: [{ license: { id: "BSD-2-Clause" } }],
      properties: [{ name: "commit", value: "c6a8c1f" }],
    },
  });
  const found = bom.components.map(({ name, version: of, purl, licenses }: Part) => [
    `${name}@${of}`,
    purl,
    licenses[0].license.id,
  ]);
  const npm = (name: string, of: string) => [`${name}@${of}`, `pkg:npm/${name}@${of}`];
  expect(found).toEqual([
    [...npm("bun", Bun.version), "MIT"],
    [...npm("citty", dependencies.citty), "MIT"],
    [...npm("consola", dependencies.consola), "MIT"],
    [...npm("smol-toml", dependencies["smol-toml"]), "BSD-3-Clause"],
  ]);
});

test("the same source makes the same bill of materials", async () => {
  expect(await billOfMaterials(SOURCE)).toBe(await billOfMaterials(SOURCE));
});

test("the licence texts of all packages are in a release", async () => {
  const text = await thirdPartyLicences();
  expect(text).toContain(`bun ${Bun.version} (MIT)`);
  expect(text).toContain("JavaScriptCore");
  for (const [name, of] of Object.entries(dependencies)) expect(text).toContain(`${name} ${of} (`);
  expect(text.match(/copyright notice/gi)!.length).toBeGreaterThanOrEqual(3);
});
