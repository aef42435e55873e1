/** A visitor on a page with `site_connect`, on another origin than the server's and the frame's. */

import type { Frame, Page } from "playwright-core";
import { KEEP_ROOT } from "./cobrowse";
import { eventually, type Journal } from "./journal";
import { GROUP } from "./settings";
import { html } from "./site";
import type { Stage } from "./stage";
import type { VisitorBrowser } from "./visitor";

/** The documented ways to put the script into a page. */
export const uses = {
  /** The element names the partner, and its text becomes the code. */
  static: (origin: string) => ({ body: `<h1 id="one">One</h1><b id="wwwchannelme" data-code="${GROUP}">0000</b><script src="${origin}/site_connect.js"></script>` }),
  /** The script's tag names the partner; the page shows the template's text itself. */
  template: (origin: string) => ({
    body: `<h1 id="one">One</h1><script id="wwwchannelme" type="text/template"></script><script src="${origin}/siteconnect.js" data-code="${GROUP}" defer></script>`,
  }),
  /** The page calls `start()` when it has changed. */
  started: (origin: string) => ({ body: `<h1 id="one">One</h1><main><b id="wwwchannelme">0000</b></main><script src="${origin}/siteconnect.js" data-no-init></script>` }),
};

/** Functions that every test page has. */
const LISTEN = `
  window.listen = (filter) => site_connect.subscribe(filter, (topic, message) => note("connect", topic, message), () => note("connect", "ack:" + filter));
`;

export interface ConnectParts {
  readonly use?: keyof typeof uses;
  readonly script?: string;
  readonly head?: string;
  readonly body?: string;
  readonly path?: string;
}

let count = 0;

export class ConnectPage {
  /** What the page heard, by topic. */
  readonly journal: Journal;

  private constructor(
    readonly visitor: VisitorBrowser,
    readonly page: Page,
    /** What the script told the developer. */
    readonly warnings: readonly string[],
  ) {
    this.journal = visitor.diary.journal("connect");
  }

  static put(stage: Stage, { use = "static", script = "", head = "", body = "", path = `/connect-${(count += 1)}` }: ConnectParts = {}): string {
    const parts = uses[use](stage.server.origin);
    return stage.site.page(path, html({ head, body: parts.body + body, script: LISTEN + script }));
  }

  static async open(stage: Stage, parts: ConnectParts = {}, prepare: (page: Page) => Promise<unknown> = async () => {}): Promise<ConnectPage> {
    const visitor = await stage.visitor();
    await visitor.context.addInitScript(KEEP_ROOT);
    const page = await visitor.context.newPage();
    const warnings: string[] = [];
    page.on("console", (message) => message.type() === "warning" && message.text().startsWith("site_connect:") && warnings.push(message.text()));
    const address = ConnectPage.put(stage, parts);
    await prepare(page);
    await page.goto(address);
    return new ConnectPage(visitor, page, warnings);
  }

  /** Subscribes, and waits until that is in force. */
  async listen(filter: string): Promise<string> {
    const id = await this.page.evaluate((filter) => (window as any).listen(filter), filter);
    await this.journal.next(`ack:${filter}`);
    return id;
  }

  publish(topic: string, message?: unknown): Promise<void> {
    return this.page.evaluate(([topic, message]) => (window as any).site_connect.publish(topic, message), [topic, message] as const);
  }

  call(name: "start" | "stop_session" | "unsubscribe", ...given: unknown[]): Promise<void> {
    return this.page.evaluate(([name, given]) => void (window as any).site_connect[name](...given), [name, given] as const);
  }

  /** The code that the page shows, as soon as there is one. */
  async code(other?: string): Promise<string> {
    const text = await eventually(() => this.page.textContent("#wwwchannelme"), (text) => /^\d{6}$/.test(text ?? "") && text !== other);
    return text as string;
  }

  /** The frame's document. */
  async frame(): Promise<Frame> {
    const found = (): Frame | undefined => this.page.frames().find((frame) => new URL(frame.url()).pathname === "/site_connect/frame");
    return (await eventually(found, (frame) => frame !== undefined)) as Frame;
  }
}
