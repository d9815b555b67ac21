/** A file in an archive, for every format of archive. */
export interface Entry {
  /** The path in the archive, in ASCII, with slashes. */
  name: string;
  bytes: Uint8Array;
  isExecutable: boolean;
}

/** The permissions of an entry. */
export function modeOf({ isExecutable }: Entry): number {
  return isExecutable ? 0o755 : 0o644;
}
