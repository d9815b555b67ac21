/** The list of all targets. */
import { configKind } from "./config-target.ts";
import { decodeKind } from "./decode-target.ts";
import { httpKind } from "./http-target.ts";
import { journalKind } from "./journal-target.ts";
import { logKind } from "./log-target.ts";
import { oldConfKind } from "./old-conf-target.ts";
import { replyKind } from "./reply-target.ts";
import { serverKind } from "./server-target.ts";
import type { TargetKind } from "./target.ts";

export const KINDS: readonly TargetKind[] = [
  decodeKind,
  serverKind,
  replyKind,
  logKind,
  journalKind,
  configKind,
  oldConfKind,
  httpKind,
];
