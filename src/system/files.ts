/**
 * What the client log uses of the file system. It is passed in, so that a test can replace it by a disk
 * that fails, or by one that loses power at any step.
 */
import * as promises from "node:fs/promises";

export type Files = Pick<
  typeof promises,
  "lstat" | "open" | "readFile" | "realpath" | "rename" | "rm" | "stat"
>;

export const realFiles: Files = promises;
