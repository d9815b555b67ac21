/** What goes into an archive, whatever its format. */
export interface Entry {
  /** The path in the archive: ASCII, with slashes. */
  name: string;
  bytes: Uint8Array;
  isExecutable: boolean;
}

/** The permissions of an entry. */
export function modeOf({ isExecutable }: Entry): number {
  return isExecutable ? 0o755 : 0o644;
}
