/**
 * What is at which path, for a request that has the password of a name:
 *
 *     /             the page
 *     /hosts        the client log as it is on disk, for readers
 *     /hosts/NAME   one address, as text
 *     /nic/update   reports of routers, see dyndns2.ts
 */
import type { HostStore } from "../host.ts";
import type { Announcer } from "./announce.ts";
import { formatResults, isOwn, parseReport, type Result } from "./dyndns2.ts";
import { isFromElsewhere, type Target } from "./http-request.ts";
import { limitPerMinute } from "./limit.ts";
import { type PageParts, PageTexts } from "./page-texts.ts";
import { mayKnow } from "./questions.ts";
import type { Recorder } from "./recorder.ts";

export interface RouteParts extends PageParts {
  hosts: PageParts["hosts"] & Pick<HostStore, "get" | "hashOf">;
  recorder: Pick<Recorder, "recordClaim">;
  announcer: Pick<Announcer, "reportedNowhere">;
  /** The client log's file. */
  clientLog: () => Blob & { exists(): Promise<boolean> };
}

/** A request whose password is right. */
export interface Visit {
  /** The signed name that it is from. */
  readonly user: string;
  readonly target: Target;
  readonly method: string;
  readonly headers: Pick<Headers, "get">;
  /** The address that it came from, canonical. */
  readonly source: string;
  /** Resolves to its body as text; to undefined where the connection ends before it. */
  readonly body: () => Promise<string | undefined>;
}

/** An answer, before the headers that all answers have. */
export interface Answer {
  readonly status: number;
  readonly body: string | Blob;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where reports go: there a program reads the body, elsewhere a person does. */
export const UPDATE_PATH = "/nic/update";

/** The answer to a report that was not recorded and may be sent again. */
const TRY_AGAIN: Answer = { status: 503, body: "911" };

/** Answers requests. */
export class Routes {
  readonly #parts: RouteParts;
  readonly #pages: PageTexts;
  readonly #mayReport: (key: number) => boolean;
  #isStopping = false;

  constructor(parts: RouteParts) {
    this.#parts = parts;
    this.#pages = new PageTexts(parts);
    this.#mayReport = limitPerMinute(REPORTS_PER_MINUTE, parts.monotonic);
  }

  /** Records nothing from now on; what was recorded is still answered. */
  stop(): void {
    this.#isStopping = true;
  }

  async answer(visit: Visit): Promise<Answer> {
    const { path } = visit.target;
    const isUpdate = path === UPDATE_PATH;
    if (!isUpdate && path !== "/" && path !== "/hosts" && !path.startsWith(HOST_PATH)) {
      return NOT_FOUND;
    }
    const methods = isUpdate ? ["GET", "POST"] : ["GET", "HEAD"];
    if (!methods.includes(visit.method)) {
      return { status: 405, body: "no such method\n", headers: { Allow: methods.join(", ") } };
    }
    if (isUpdate) return await this.#update(visit);
    if (path === "/") return await this.#page(visit);
    return path === "/hosts" ? await this.#log(visit) : this.#host(visit);
  }

  async #page({ user }: Visit): Promise<Answer> {
    const headers = { "Content-Type": "text/html; charset=utf-8" };
    return { status: 200, body: await this.#pages.of(user), headers };
  }

  async #log({ user }: Visit): Promise<Answer> {
    const { readers, clientLog } = this.#parts;
    const file = clientLog();
    if (!readers.has(user) || !(await file.exists())) return NOT_FOUND;
    return { status: 200, body: file, headers: { "Content-Type": "application/json" } };
  }

  #host({ user, target }: Visit): Answer {
    const { hosts, readers } = this.#parts;
    const family = target.query.get("family") ?? "ipv4";
    if (family !== "ipv4" && family !== "ipv6") {
      return { status: 400, body: "family is ipv4 or ipv6\n" };
    }
    const name = decoded(target.path.slice(HOST_PATH.length));
    const isForUser = name !== undefined && mayKnow(user, name, readers);
    const sighting = isForUser ? hosts.get(name)?.[family] : undefined;
    if (!sighting) return NOT_FOUND;
    const headers = { "Last-Modified": new Date(sighting.lastSeen).toUTCString() };
    return { status: 200, body: `${sighting.address}\n`, headers };
  }

  async #update({ user, target, method, headers, source, body }: Visit): Promise<Answer> {
    if (isFromElsewhere(headers)) return { status: 403, body: "badagent" };
    const { query } = target;
    if (method === "POST" && FORM.test(headers.get("content-type") ?? "")) {
      const form = await body();
      if (form === undefined) return TRY_AGAIN; // the client has closed the connection
      for (const [name, value] of new URLSearchParams(form)) query.append(name, value);
    }
    const { hostnames, addresses } = parseReport(query, user, source);
    const areOwn = hostnames.map((hostname) => isOwn(hostname, user));
    if (addresses.length === 0) this.#parts.announcer.reportedNowhere(user, source);
    let result: Result | undefined = "nohost";
    if (areOwn.includes(true)) result = await this.#record(user, addresses);
    if (result === undefined) return TRY_AGAIN;
    const results = areOwn.map((own) => (own ? result : "nohost"));
    const status = results.includes("nohost") ? 404 : 200;
    return { status, body: formatResults(results, addresses) };
  }

  /**
   * Records what a router says of a name, and waits until that is durable.
   * @returns undefined where it is not
   */
  async #record(name: string, addresses: readonly string[]): Promise<Result | undefined> {
    if (this.#isStopping || addresses.length === 0) return undefined;
    if (!this.#mayReport(this.#parts.hosts.hashOf(name))) return undefined;
    let isNews = false;
    const settled = addresses.map(
      (address) =>
        new Promise<boolean>((resolve) => {
          if (this.#parts.recorder.recordClaim(name, address, resolve)) isNews = true;
        }),
    );
    const areDurable = await Promise.all(settled);
    if (areDurable.includes(false)) return undefined;
    return isNews ? "good" : "nochg";
  }
}

/** The same for what is unknown and for what is not for this user: it tells neither. */
const NOT_FOUND: Answer = { status: 404, body: "not found\n" };

/**
 * How often a name is recorded in a minute. Each report ends the cookies of the name, so that a report
 * every millisecond would keep its pings out; and each costs the disk a flush.
 */
const REPORTS_PER_MINUTE = 60;

const HOST_PATH = "/hosts/";
const FORM = /^application\/x-www-form-urlencoded(?:;|$)/i;

/** A part of a path without its escapes; undefined where they are malformed. */
function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
