/** A visitor who shows his page and agents who watch it, each in a browser profile of his own. */

import type { BrowserContext, Frame, Page } from "playwright-core";
import { readEnvelope } from "../../../sdk/cobrowse/envelope";
import { eventually } from "./journal";
import { GROUP } from "./settings";
import { html } from "./site";
import type { Stage } from "./stage";
import type { VisitorBrowser } from "./visitor";

export interface ShownParts {
  readonly head?: string;
  readonly body?: string;
  readonly script?: string;
}

/** Tells tests of the closed shadow roots: `sessionRoot` has dialog and bar, `launcherRoot` the button and the code. */
export const KEEP_ROOT = `{
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (options) {
    const root = attach.call(this, options);
    const mark = this.getAttribute("data-vestibule-session");
    if (mark !== null) window[(mark || "session") + "Root"] = root;
    return root;
  };
}`;

export interface ShowingOptions {
  /** Of a visitor who is there already. */
  readonly visitorid?: string;
  /** The visitor's pages load this in place of the recorder. */
  readonly bundle?: string | undefined;
}

let visitors = 0;

export class Showing {
  visitor!: VisitorBrowser;
  /** What the newest tab says to the session. */
  sent!: Tap;
  /** A session outlives its test by a while; the next visitor is somebody else. */
  readonly visitorid: string;
  private readonly bundle: string | undefined;
  private count = 0;

  constructor(
    private readonly stage: Stage,
    { visitorid, bundle }: ShowingOptions = {},
  ) {
    this.visitorid = visitorid ?? `visitor-${(visitors += 1)}`;
    this.bundle = bundle;
  }

  /** A page with the native SDK; gives its address. */
  put(path: string, { head = "", body, script = "" }: ShownParts): string {
    const { origin } = this.stage.server;
    const options = JSON.stringify({ server: origin, group: GROUP, visitorid: this.visitorid });
    const sdk = `<script type="module">
      import { Visitor } from "${origin}/sdk/visitor.js";
      window.visitor = new Visitor(${options});
      for (const name of ["connected", "sessionstart", "sessionevent", "sessionend", "error"]) visitor.on(name, (data) => note("visitor", name, data));
      visitor.connect().catch(() => {});
    </script>`;
    return this.stage.site.page(path, html({ head: head + sdk, script, ...(body !== undefined && { body }) }));
  }

  /** Opens a tab of the visitor, and waits until he is there. */
  async open(path: string, parts?: ShownParts, viewport?: { width: number; height: number }, colorScheme?: "light" | "dark"): Promise<Page> {
    if (!this.visitor) {
      this.visitor = await this.stage.visitor();
      await this.visitor.context.addInitScript(KEEP_ROOT);
      const { bundle } = this;
      if (bundle) {
        const headers = { "Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*" };
        await this.visitor.context.route("**/sdk/cobrowse.js", (route) => route.fulfill({ body: bundle, headers }));
      }
    }
    if (parts) this.put(path, parts);
    const page = await this.visitor.context.newPage();
    this.sent = new Tap(page, "sent");
    if (viewport) await page.setViewportSize(viewport);
    if (colorScheme) await page.emulateMedia({ colorScheme });
    await page.goto(this.stage.site.origin + path);
    await this.visitor.journal.next("connected");
    return page;
  }

  /** A new session with the visitor, or the running one; gives the link to watch it. */
  async link(body: object = {}): Promise<string> {
    const { server } = this.stage;
    const answer = await server.rest("POST", `/groups/${GROUP}/sessions`, await this.stage.token(), { visitorid: this.visitorid, ...body });
    if (answer.status !== 201) throw new Error(`no session: ${answer.status} ${JSON.stringify(answer.body)}`);
    return new URL(answer.body.watch_url, server.origin).href;
  }

  /** An agent opens the watch page. */
  async watch(link?: string, viewport = { width: 1400, height: 1000 }, prepare?: (context: BrowserContext) => Promise<unknown>): Promise<Watching> {
    const { context, diary } = await this.stage.person(`agent ${(this.count += 1)}`, "elsewhere");
    await prepare?.(context);
    const page = await context.newPage();
    const tap = new Tap(page, "received");
    await page.setViewportSize(viewport);
    await page.goto(link ?? (await this.link()));
    return new Watching(page, diary.errors, tap);
  }
}

/** An agent's watch page. */
export class Watching {
  constructor(
    readonly page: Page,
    readonly errors: readonly string[],
    /** What reached it, and reaches it from now on. */
    readonly tap: Tap = new Tap(page, "received"),
  ) {}

  async standing(expected: string): Promise<void> {
    await this.page.waitForFunction((standing) => document.body.dataset.standing === standing, expected, { timeout: 10_000 });
  }

  /** Waits until a picture is shown in which `selector` is; gives its frame. */
  async sees(selector: string, limitMs = 10_000): Promise<Frame> {
    return eventually(() => this.picture(selector), (frame) => frame !== undefined, limitMs) as Promise<Frame>;
  }

  /** The frame of the picture that is shown, if it has `selector`. */
  async picture(selector: string): Promise<Frame | undefined> {
    const handle = await this.page.$(".picture.shown iframe");
    const frame = await handle?.contentFrame();
    const found = await frame?.$(selector).catch(() => null);
    return found ? (frame ?? undefined) : undefined;
  }

  /** The frame of the picture, as soon as `holds` in it. */
  async until(holds: string, limitMs = 10_000): Promise<Frame> {
    return eventually(
      async () => {
        const frame = await this.picture("html");
        return (await frame?.evaluate(holds).catch(() => false)) ? frame : undefined;
      },
      (frame) => frame !== undefined,
      limitMs,
    ) as Promise<Frame>;
  }
}

export type RootName = "sessionRoot" | "launcherRoot";

/** Presses a button of the session's dialog or bar, or of what begins a session, as the visitor does with his mouse. */
export async function press(page: Page, part: string, root: RootName = "sessionRoot"): Promise<void> {
  const centre = await eventually(
    () =>
      page.evaluate(
        ({ part, root }) => {
          const button = (window as unknown as Record<string, ShadowRoot | undefined>)[root]?.querySelector(`[part~="${part}"]`);
          const box = button?.getBoundingClientRect();
          return box?.width ? { x: box.x + box.width / 2, y: box.y + box.height / 2 } : undefined;
        },
        { part, root },
      ),
    (found) => found !== undefined,
  );
  await page.mouse.click(centre!.x, centre!.y);
}

/** Agrees by the keys alone: the dialog opens with the focus on the button that declines. */
export async function agree(page: Page): Promise<void> {
  const isAsked = (): boolean => document.activeElement?.hasAttribute("data-vestibule-session") ?? false;
  await eventually(() => page.evaluate(isAsked), (asked) => asked);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
}

/** What the bar says. */
export function barSays(page: Page): Promise<string | undefined> {
  return page.evaluate(() => (window as unknown as { sessionRoot?: ShadowRoot }).sessionRoot?.querySelector('[part="words"]')?.textContent ?? undefined);
}

/** What goes through a page's sockets of a session, inflated, and the text of its assets. */
export class Tap {
  private readonly parts: string[] = [];
  private readonly pending: Promise<unknown>[] = [];

  /** An agent's page is listened to for what reaches it, a visitor's for what leaves it for the session. */
  constructor(page: Page, way: "received" | "sent") {
    page.on("websocket", (socket) => {
      const isStream = new URL(socket.url()).pathname === "/v1/stream";
      const hear = ({ payload }: { payload: string | Buffer }): void => {
        // The visitor's other socket tells presence, which has rules of its own.
        const isPresence = !isStream && typeof payload === "string" && !/"type":"(?:enter|navigate)"/.test(payload);
        if (isPresence) return;
        if (typeof payload === "string") this.parts.push(payload);
        else this.hear(readEnvelope(new Uint8Array(payload), 1 << 26).then(({ payload: json }) => Buffer.from(json).toString()));
      };
      if (way === "received") socket.on("framereceived", hear);
      else socket.on("framesent", hear);
    });
    if (way === "sent") {
      page.on("request", (request) => {
        if (request.method() === "PUT") this.parts.push(request.postData() ?? "");
      });
      return;
    }
    page.on("response", (response) => {
      this.parts.push(response.url());
      if (response.url().includes("/watch/assets/")) this.hear(response.text());
    });
  }

  /** All of it, until now. */
  async text(): Promise<string> {
    await Promise.all(this.pending);
    return this.parts.join("\n");
  }

  private hear(text: Promise<string>): void {
    this.pending.push(text.then((part) => this.parts.push(part)).catch(() => {}));
  }
}
