/** The workflows pin everything that they use, and each job has only the permissions it needs. */
import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { TARGETS } from "../../.github/release/targets.ts";
import { devDependencies } from "../../package.json";

const FOLDER = join(import.meta.dir, "..", "..", ".github", "workflows");

/** The permissions of jobs that need more than reading the source. */
const MAY_WRITE: Record<string, Record<string, string>> = {
  "release.yml attest": { "id-token": "write", attestations: "write" },
  "release.yml publish": { contents: "write" },
};

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
}

interface Job {
  needs?: string | string[];
  permissions?: Record<string, string>;
  uses?: string;
  steps?: Step[];
  environment?: string;
  container?: unknown;
  services?: unknown;
  "timeout-minutes"?: number;
  strategy?: { matrix: { include: { target: string }[] } };
}

interface Workflow {
  file: string;
  text: string;
  on: Record<string, unknown>;
  permissions: Record<string, string>;
  jobs: Record<string, Job>;
}

const workflows: Workflow[] = await Promise.all(
  [...new Bun.Glob("*.yml").scanSync(FOLDER)].sort().map(async (file) => {
    const text = await readFile(join(FOLDER, file), "utf8");
    return { ...(Bun.YAML.parse(text) as Omit<Workflow, "file" | "text">), file, text };
  }),
);
const jobs = workflows.flatMap((workflow) =>
  Object.entries(workflow.jobs).map(([name, job]) => ({
    name: `${workflow.file} ${name}`,
    job,
    workflow,
  })),
);
const release = workflows.find(({ file }) => file === "release.yml")!;

test("there are two workflows: the gate and the release", () => {
  expect(workflows.map(({ file }) => file)).toEqual(["ci.yml", "release.yml"]);
});

test("every action is pinned to one commit, with its version in a comment", () => {
  const pins = new Map<string, string>();
  for (const { text } of workflows) {
    for (const [, used] of text.matchAll(/\buses: (.*)$/gm)) {
      if (used!.startsWith("./.github/workflows/")) continue;
      expect(used).toMatch(/^actions\/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
      const [action, pin] = used!.split("@") as [string, string];
      expect(`${action}@${pins.get(action) ?? pin}`).toBe(used!);
      pins.set(action, pin);
    }
  }
  expect([...pins.keys()].sort()).toEqual([
    "actions/attest-build-provenance",
    "actions/checkout",
    "actions/download-artifact",
    "actions/upload-artifact",
  ]);
});

test("the pins above are those of all actions in the steps", () => {
  const used = jobs.flatMap(({ job }) => [job.uses, ...(job.steps ?? []).map(({ uses }) => uses)]);
  const written = workflows.flatMap(({ text }) => text.match(/\buses: /g) ?? []);
  expect(used.filter(Boolean)).toHaveLength(written.length);
});

describe.each(jobs)("the job $name", ({ name, job, workflow }) => {
  test("has the permissions that it needs, and no other", () => {
    const granted = job.permissions ?? workflow.permissions;
    expect(granted).toEqual(MAY_WRITE[name] ?? { contents: "read" });
  });

  test("has a time limit", () => {
    if (job.uses === undefined) expect(job["timeout-minutes"]).toBeLessThanOrEqual(20);
  });

  test("does not leave its token in the checkout", () => {
    for (const { uses, with: inputs } of job.steps ?? []) {
      if (!uses?.startsWith("actions/checkout@")) continue;
      expect(inputs).toEqual({ "persist-credentials": false });
    }
  });

  test("puts no expression into a shell script, where a tag's name could run commands", () => {
    for (const { run } of job.steps ?? []) expect(run ?? "").not.toContain("${{");
  });

  test("runs only images that are pinned by digest", () => {
    expect([job.container, job.services]).toEqual([undefined, undefined]);
    for (const { uses, run } of job.steps ?? []) {
      expect(uses ?? "").not.toStartWith("docker://");
      const images = (run ?? "").match(/\S+:\S+@sha256:[0-9a-f]{64}(?= )/g) ?? [];
      expect(images).toHaveLength((run ?? "").match(/\b(docker|podman)\b/g)?.length ?? 0);
    }
  });

  test("runs the version of Bun in package.json", () => {
    for (const { run } of job.steps ?? []) {
      for (const [, version] of (run ?? "").matchAll(/\bbun@(\S+)/g)) {
        expect(version).toBe(devDependencies.bun);
      }
    }
  });
});

test("a workflow as a whole may only read", () => {
  expect(workflows.map(({ permissions }) => permissions)).toEqual([{ contents: "read" }, {}]);
});

test("a release names the repository that publishes it, and its Debian packages are installed first", () => {
  const commands = (job: string) =>
    (release.jobs[job]!.steps ?? []).map(({ run }) => run ?? "").join("\n");
  expect(commands("build")).toContain(' --repository "$GITHUB_REPOSITORY"');
  expect(commands("notes")).toContain('notes.ts "$GITHUB_REF_NAME" "$GITHUB_REPOSITORY"');
  expect(commands("start")).toContain("sudo dpkg --install dist/dynip_");
});

test("only the tag of a version starts a release", () => {
  expect(release.on).toEqual({ push: { tags: ["v*"] } });
});

test("a release is attested and published after the gate and the tests of every executable", () => {
  const before = (name: string): string[] => {
    const direct = [release.jobs[name]!.needs ?? []].flat();
    return [...direct, ...direct.flatMap(before)];
  };
  expect(new Set(before("attest"))).toEqual(
    new Set(["check", "start", "build", "darwin", "notes"]),
  );
  expect(before("publish")).toContain("attest");
});

test("only the job that publishes may write to the repository, in an environment of its own", () => {
  const writing = jobs.filter(({ job }) => job.permissions?.["contents"] === "write");
  expect(writing.map(({ name }) => name)).toEqual(["release.yml publish"]);
  expect(jobs.filter(({ job }) => job.environment === "release")).toEqual(writing);
});

test("the end-to-end tests run on every target that a runner has", () => {
  const started = release.jobs["start"]!.strategy!.matrix.include.map(({ target }) => target);
  expect(started).toEqual(TARGETS.filter((target) => !target.endsWith("-musl")));
});
