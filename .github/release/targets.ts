/** The systems that dynip is released for, by the names that Bun and the release files use. */

export const TARGETS = [
  "linux-x64",
  "linux-arm64",
  "linux-x64-musl",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
  "windows-x64",
  "windows-arm64",
] as const;

export type Target = (typeof TARGETS)[number];

export function isTarget(text: string): text is Target {
  return (TARGETS as readonly string[]).includes(text);
}

/** The name of a target's executable. */
export function executableName(name: string, target: Target): string {
  return target.startsWith("windows-") ? `${name}.exe` : name;
}

/**
 * The target that is the machine that this runs on.
 * @throws Error when dynip is not released for it
 */
export async function thisMachine(): Promise<Target> {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const isMusl = system === "linux" && (await Bun.file("/etc/alpine-release").exists());
  const name = `${system}-${process.arch}${isMusl ? "-musl" : ""}`;
  if (!isTarget(name)) throw new Error(`There is no dynip for ${name}`);
  return name;
}
