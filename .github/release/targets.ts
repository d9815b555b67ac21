/** The targets that dynip is released for. Bun and the files of a release use the same names. */

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

/** The file name of a target's executable. */
export function executableName(name: string, target: Target): string {
  return target.startsWith("windows-") ? `${name}.exe` : name;
}

/**
 * The target of this machine.
 * @throws Error when dynip is not released for this machine
 */
export async function thisMachine(): Promise<Target> {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const isMusl = system === "linux" && (await Bun.file("/etc/alpine-release").exists());
  const name = `${system}-${process.arch}${isMusl ? "-musl" : ""}`;
  if (!isTarget(name)) throw new Error(`dynip is not released for ${name}`);
  return name;
}
