/**
 * The file system as the client log uses it: node's, passed in, so that a test can put a disk in its
 * place that refuses, or a machine that loses power at any step.
 */
import * as promises from "node:fs/promises";

export type Files = Pick<
  typeof promises,
  "lstat" | "open" | "readFile" | "realpath" | "rename" | "rm" | "stat"
>;

export const realFiles: Files = promises;
