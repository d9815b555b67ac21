/**
 * Tells notices by a POST to a URL: JSON, see notices.ts. A redirect is not followed, and no more than a
 * line of the answer is read. Messages show only the host of the URL: its path often is a secret.
 */
import { bodyOf, type Notice } from "./notices.ts";
import type { Told, Way } from "./notice-queue.ts";

export interface UrlParts {
  /** `dynip/0.3.0`. */
  userAgent: string;
  /** How long an answer is waited for, in milliseconds. */
  limit?: number;
}

/** Makes the way. @param url http or https: Bun's `fetch` reads files, too */
export function urlWay(url: string, { userAgent, limit = LIMIT_MS }: UrlParts): Way {
  return {
    what: `POST to ${new URL(url).host}`,
    batch: 1000,
    pauses: [10_000, 50_000],
    tell: (notices, signal) => post(url, notices, { userAgent, limit }, signal),
  };
}

async function post(
  url: string,
  notices: readonly Notice[],
  { userAgent, limit }: Required<UrlParts>,
  stop: AbortSignal,
): Promise<Told> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(limit)]);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "User-Agent": userAgent,
        "Accept-Encoding": "identity",
      },
      body: JSON.stringify(bodyOf(notices)),
      redirect: "manual",
      signal,
    });
    const line = await firstLine(response);
    const status = `${response.status} ${response.statusText.slice(0, MAX_LINE_BYTES)}`.trim();
    const hint = response.status >= 300 && response.status < 400 ? ", a redirect" : "";
    return { isTold: response.ok, answer: `${status}${hint}${line === "" ? "" : `: ${line}`}` };
  } catch (error) {
    const isLate = error instanceof Error && error.name === "TimeoutError";
    const answer = isLate ? `no answer within ${limit / 1000} seconds` : reason(error);
    return { isTold: false, answer };
  }
}

/** The first line of an answer. The rest is not read: it may never end. */
async function firstLine(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (!reader) return "";
  try {
    const { value } = await reader.read();
    const text = new TextDecoder().decode(value?.subarray(0, MAX_LINE_BYTES));
    return text
      .trim()
      .split(/[\r\n]/, 1)[0]!
      .trim();
  } catch {
    return ""; // the status is what counts
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Not the message of the error: some of Bun's have the URL. */
function reason(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === "string" ? (REASONS[code] ?? code) : String(name);
}

/** The words for the codes of Bun's `fetch`; others, such as CERT_HAS_EXPIRED, are shown as they are. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "it cannot be reached",
  ENOTFOUND: "its name is not known",
  Malformed_HTTP_Response: "it does not speak HTTP",
  ECONNRESET: "it closed the connection",
  EPROTO: "it does not speak HTTPS",
};

const LIMIT_MS = 20_000;
const MAX_LINE_BYTES = 200;
