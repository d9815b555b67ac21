/**
 * A headless Chromium, driven over the DevTools protocol (https://chromedevtools.github.io/devtools-protocol).
 * It has a fresh profile in a temporary folder, reaches this machine alone, and ends with its scope.
 */
import { startProcess } from "./processes.ts";
import { temporaryFolder } from "./temporary.ts";
import { WAIT_MS, within } from "./waiting.ts";

/** The browser's path; undefined where there is none. */
export const CHROMIUM = ["chromium", "chromium-browser", "google-chrome"]
  .map((name) => Bun.which(name))
  .find((path) => path !== null);

/** For the name of a test that is skipped. */
export const WITHOUT_CHROMIUM = CHROMIUM ? "" : " (skipped: there is no Chromium)";

/** An event of the protocol. */
export interface BrowserEvent {
  readonly method: string;
  // The protocol's JSON: each reader knows the shape that it asks for.
  readonly params: Record<string, unknown>;
}

/** A tab. */
export interface Tab {
  /** What has happened in it so far. */
  readonly events: readonly BrowserEvent[];
  /** Waits until an event, after the first `from` of them, is such a one. */
  happened(what: string, isIt: (event: BrowserEvent) => boolean, from?: number): Promise<void>;
  /**
   * Calls a method of the protocol.
   * @throws Error when the browser refuses it, or does not answer within {@link WAIT_MS}
   */
  call<T = unknown>(method: string, params?: object): Promise<T>;
  /** The value of an expression in the page, or what its promise resolves to. It must be JSON. */
  evaluate<T>(expression: string): Promise<T>;
  /**
   * Opens a page and waits until it is loaded.
   * @param until "networkIdle": until nothing more was asked for in half a second, an icon among it
   */
  open(url: string, until?: "load" | "networkIdle"): Promise<void>;
  /** @returns a PNG of what the window shows */
  screenshot(): Promise<Uint8Array<ArrayBuffer>>;
  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Browser {
  readonly pid: number;
  /** The folder of its profile, which every one of its processes has in its command line. */
  readonly profile: string;
  newTab(): Promise<Tab>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts a browser; only where there is one. */
export async function openBrowser(deadline: number): Promise<Browser> {
  const folder = await temporaryFolder();
  const run = startProcess([CHROMIUM!, ...FLAGS, `--user-data-dir=${folder.path}`], { deadline });
  const dispose = async () => {
    await run[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  try {
    const [, url] = await run.said(/DevTools listening on (ws:\S+)/, WAIT_MS);
    const connection = await connect(url!);
    return {
      pid: run.pid,
      profile: folder.path,
      newTab: () => newTab(connection),
      async [Symbol.asyncDispose]() {
        // All its processes end when it closes itself; a signal leaves some behind for a moment.
        await connection.call("Browser.close").catch(() => {});
        await within(WAIT_MS, "the browser's end", run.exited).catch(() => {});
        connection.close();
        await dispose();
      },
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

const FLAGS: readonly string[] = [
  "--headless",
  "--remote-debugging-port=0",
  // It shows our own pages alone, and root has no sandbox.
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-extensions",
  "--disable-sync",
  "--hide-scrollbars",
  "--force-color-profile=srgb",
  "--font-render-hinting=none",
  "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
  "about:blank",
];

interface Connection {
  call<T = unknown>(method: string, params?: object, session?: string): Promise<T>;
  /** Tells of the events of a tab. */
  listen(session: string, listener: (event: BrowserEvent) => void): void;
  close(): void;
}

interface Message extends BrowserEvent {
  readonly id?: number;
  readonly sessionId?: string;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

async function connect(url: string): Promise<Connection> {
  const socket = new WebSocket(url);
  const opened = Promise.withResolvers<void>();
  const waiting = new Map<number, (message: Message) => void>();
  const listeners = new Map<string, (event: BrowserEvent) => void>();
  let lastId = 0;
  socket.onopen = () => opened.resolve();
  socket.onerror = () => opened.reject(new Error(`cannot connect to ${url}`));
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.id === undefined) listeners.get(message.sessionId ?? "")?.(message);
    else waiting.get(message.id)?.(message);
  };
  await within(WAIT_MS, "the DevTools connection", opened.promise);
  return {
    async call<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
      const id = ++lastId;
      const answered = Promise.withResolvers<Message>();
      waiting.set(id, answered.resolve);
      socket.send(JSON.stringify({ id, method, params, sessionId }));
      const { result, error } = await within(WAIT_MS, method, answered.promise);
      waiting.delete(id);
      if (error) throw new Error(`${method}: ${error.message}`);
      return result as T;
    },
    listen: (session, listener) => listeners.set(session, listener),
    close: () => socket.close(),
  };
}

async function newTab(connection: Connection): Promise<Tab> {
  const { targetId } = await connection.call<{ targetId: string }>("Target.createTarget", {
    url: "about:blank",
  });
  const target = { targetId, flatten: true };
  const { sessionId } = await connection.call<{ sessionId: string }>(
    "Target.attachToTarget",
    target,
  );
  const events: BrowserEvent[] = [];
  let heard = Promise.withResolvers<void>();
  connection.listen(sessionId, (event) => {
    events.push(event);
    heard.resolve();
    heard = Promise.withResolvers();
  });
  const call = <T>(method: string, params?: object): Promise<T> =>
    connection.call<T>(method, params, sessionId);
  const happened = async (what: string, isIt: (event: BrowserEvent) => boolean, from = 0) => {
    const hearing = async (): Promise<void> => {
      while (!events.slice(from).some(isIt)) await heard.promise;
    };
    await within(WAIT_MS, what, hearing());
  };
  for (const domain of ["Page", "Runtime", "Log", "Audits", "Network"]) {
    await call(`${domain}.enable`);
  }
  await call("Page.setLifecycleEventsEnabled", { enabled: true });
  return {
    events,
    happened,
    call,
    async evaluate<T>(expression: string): Promise<T> {
      const { result, exceptionDetails } = await call<{
        result: { value: T };
        exceptionDetails?: { text: string };
      }>("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
      if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`);
      return result.value;
    },
    async open(url, until = "load") {
      const from = events.length;
      const { loaderId } = await call<{ loaderId: string }>("Page.navigate", { url });
      const isThere = ({ method, params }: BrowserEvent) =>
        method === "Page.lifecycleEvent" &&
        params["name"] === until &&
        params["loaderId"] === loaderId;
      await happened("the page", isThere, from);
    },
    async screenshot() {
      const { data } = await call<{ data: string }>("Page.captureScreenshot", { format: "png" });
      return Uint8Array.fromBase64(data);
    },
    async [Symbol.asyncDispose]() {
      await connection.call("Target.closeTarget", { targetId });
    },
  };
}
