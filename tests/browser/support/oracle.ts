/** A customer's page that was written for another product's `Cobrowse` object: one script tag, and listeners. */

import type { BrowserContext, Page } from "playwright-core";
import { KEEP_ROOT, Showing, Watching } from "./cobrowse";
import { eventually, type Entry, type Journal } from "./journal";
import { GROUP, mintToken } from "./settings";
import { html } from "./site";
import type { Stage } from "./stage";

export const SITE_CODE = "SC12345678:EU:1";

/** Notes each event with all of its properties; `undefined` stands as a text. */
const LISTEN = `
for (const name of Object.keys(Cobrowse.Events)) {
  Cobrowse.Events[name].listen((event) => note("cobrowse", name, Object.fromEntries(Object.entries(event).map(([key, value]) => [key, value === undefined ? "undefined" : value]))));
}`;

export interface PageParts {
  readonly body?: string;
  readonly script?: string;
  /** Of the script's address, behind the group. */
  readonly query?: string;
}

export class Shopper {
  private constructor(
    private readonly stage: Stage,
    readonly context: BrowserContext,
    /** What the events told, on all pages. */
    readonly journal: Journal,
    readonly complaints: readonly string[],
  ) {}

  static async come(stage: Stage): Promise<Shopper> {
    const { context, diary } = await stage.person("shopper");
    await context.addInitScript(KEEP_ROOT);
    return new Shopper(stage, context, diary.journal("cobrowse"), diary.errors);
  }

  put(path: string, { body, script = "", query = "" }: PageParts = {}): string {
    const head = `<script src="${this.stage.server.origin}/cobrowse/launcher.js?groupid=${GROUP}${query}"></script>`;
    return this.stage.site.page(path, html({ head, script: LISTEN + script, body: body ?? `<h1 id="page">${path}</h1><a href="/two">two</a>` }));
  }

  /** Opens a tab on a page, and waits until it knows whether there is a session. */
  async open(path: string, parts?: PageParts): Promise<ShopPage> {
    const address = parts ? this.put(path, parts) : this.stage.site.origin + path;
    const page = new ShopPage(await this.context.newPage());
    await page.tab.goto(address);
    await page.leaves("INIT");
    return page;
  }

  /** The events so far: a state by its name, another event by its own. */
  get story(): string[] {
    return this.journal.entries.map(({ name, data }: Entry) => (name === "StateChanged" ? data.state : name));
  }
}

export class ShopPage {
  constructor(readonly tab: Page) {}

  start(params?: object): Promise<{ result: boolean; description: string }> {
    return this.tab.evaluate((given) => (window as any).Cobrowse.API.Session.start(given), params);
  }

  stop(params?: object): Promise<{ result: boolean; description: string }> {
    return this.tab.evaluate((given) => (window as any).Cobrowse.API.Session.stop(given), params);
  }

  /** What a page reads off the session. The journal has by then what listeners were to be told of it, each in a task of its own. */
  session(): Promise<{ state: string; accessCode: string | undefined; mode: string | null; previousState: string | undefined }> {
    return this.tab.evaluate(async () => {
      const { Session } = (window as any).Cobrowse.API;
      const read = { state: Session.getState(), accessCode: Session.accessCode, mode: Session.mode, previousState: Session.previousState };
      await new Promise((resolve) => setTimeout(() => setTimeout(resolve)));
      return read;
    });
  }

  async is(state: string): Promise<void> {
    await eventually(() => this.session(), (session) => session.state === state);
  }

  async leaves(state: string): Promise<void> {
    await eventually(() => this.session(), (session) => session.state !== state);
  }

  /** Polls for the code, as pages do. */
  async code(): Promise<string> {
    const { accessCode } = await eventually(() => this.session(), ({ accessCode }) => accessCode !== undefined);
    return accessCode!;
  }

  /** The text of a part of button, panel or question; nothing when it is not to be seen. */
  drawn(part: string): Promise<string | undefined> {
    return this.tab.evaluate((name) => {
      const element = (window as any).launcherRoot?.querySelector(`[part~="${name}"]`);
      return element?.checkVisibility() ? element.textContent : undefined;
    }, part);
  }
}

/** An agent who joins by what the visitor reads out, or by what a chat calls the session. */
export async function joins(stage: Stage, by: { code: string } | { reference: string }, name = "Ann"): Promise<Watching> {
  const token = mintToken({ name, subject: name.toLowerCase() });
  const answer = await stage.server.rest("POST", `/groups/${GROUP}/sessions`, token, by);
  if (answer.status !== 201) throw new Error(`no session: ${answer.status} ${JSON.stringify(answer.body)}`);
  return new Showing(stage).watch(new URL(answer.body.watch_url, stage.server.origin).href);
}
