/** An agent's page, with the tag as the interface's documentation prints it. */

import type { BrowserContext, Page } from "playwright-core";
import type { Diary } from "./browser";
import type { Journal } from "./journal";
import { GROUP } from "./settings";
import { html, type Site } from "./site";

export const agentEvents = [
  "visitorconn",
  "visitorsock",
  "presence",
  "terms",
  "visibility",
  "visitorsessionstart",
  "visitorsessionend",
  "visitorerror",
  "error",
];

export type Target = { readonly visitorid: string } | { readonly uniqueid: string };

/** How a call ended: `{ok: answer}` or `{fail: reason}`. */
export interface Outcome {
  readonly ok?: any;
  readonly fail?: any;
}

/** HTML of an agent's page: the documented snippet, then `script`. */
export function agentHtml(serverOrigin: string, script = "", attributes = ""): string {
  const head = `<meta id="glance-cobrowse" data-groupid="${GROUP}" ${attributes}/>
<script src="${serverOrigin}/cobrowse/CobrowseJS.ashx?groupid=${GROUP}&script=PresenceAgent" ></script>`;
  return html({ head, script });
}

export class AgentPage {
  private count = 0;

  constructor(
    readonly page: Page,
    readonly context: BrowserContext,
    readonly diary: Diary,
  ) {}

  /** Opens the page; `token` is given by `setToken`, unless it is undefined. */
  static async open(
    context: BrowserContext,
    diary: Diary,
    { site, serverOrigin, token, path }: { site: Site; serverOrigin: string; token: string | undefined; path: string },
  ): Promise<AgentPage> {
    const setToken = token === undefined ? "" : `GLANCE.Authorization.setToken(${JSON.stringify(token)});`;
    const page = await context.newPage();
    await page.goto(site.page(path, agentHtml(serverOrigin, setToken)));
    return new AgentPage(page, context, diary);
  }

  setToken(token: string): Promise<void> {
    return this.page.evaluate((given) => (window as any).GLANCE.Authorization.setToken(given), token);
  }

  /** Makes an agent object; it is not connected yet. */
  async make(target: Target & { readonly presenceserver?: string }): Promise<AgentObject> {
    const name = `agent${(this.count += 1)}`;
    await this.page.evaluate(
      ({ name, target, events }) => {
        const page = window as any;
        page[name] = page.noteAll(name, new page.GLANCE.Presence.Agent(target), events);
      },
      { name, target, events: agentEvents },
    );
    return new AgentObject(this.page, name, this.diary.journal(name));
  }

  /** Makes an agent object and connects it; resolves when the present state was told. */
  async watch(target: Target): Promise<AgentObject> {
    const agent = await this.make(target);
    await agent.connect();
    await agent.journal.next("visitorsock");
    return agent;
  }
}

/** A `GLANCE.Presence.Agent` in the page. */
export class AgentObject {
  constructor(
    private readonly page: Page,
    /** Its name as a global of the page, and of its journal. */
    readonly name: string,
    readonly journal: Journal,
  ) {}

  connect(): Promise<void> {
    return this.page.evaluate((name) => (window as any)[name].connect(), this.name);
  }

  disconnect(): Promise<void> {
    return this.page.evaluate((name) => (window as any)[name].disconnect(), this.name);
  }

  lookup(): Promise<Outcome> {
    return this.call("lookupVisitor", {});
  }

  signal(data: unknown): Promise<Outcome> {
    return this.call("signalVisitor", { data });
  }

  invoke(func: string, args?: unknown): Promise<Outcome> {
    return this.call("invokeVisitor", { func, ...(args !== undefined && { args }) });
  }

  /** Calls a method that answers by `onsuccess` or `onfail`. */
  call(method: string, params: object): Promise<Outcome> {
    return this.page.evaluate(
      ({ name, method, params }) =>
        new Promise<{ ok?: unknown; fail?: unknown }>((resolve) => {
          const onsuccess = (answer: unknown): void => resolve({ ok: answer ?? null });
          const onfail = (reason: unknown): void => resolve({ fail: reason });
          (window as any)[name][method]({ ...params, onsuccess, onfail });
        }),
      { name: this.name, method, params },
    );
  }
}
