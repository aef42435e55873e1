/** A visitor with a browser profile of his own, on pages of the customer's site. */

import type { BrowserContext, Page } from "playwright-core";
import type { Diary } from "./browser";
import type { Journal } from "./journal";
import { GROUP } from "./settings";
import { html, type Site } from "./site";

export interface VisitorPageParts {
  /** `data-` attributes of the script tag, without the prefix. */
  readonly tag?: Readonly<Record<string, string>>;
  /** `window.GLANCE_COBROWSE`, set before the script. */
  readonly globals?: object;
  /** Runs after the tag. */
  readonly script?: string;
  readonly body?: string;
}

export const visitorEvents = ["signal", "error", "uniqueid", "close", "connect", "focus", "blur"];

/** Script of a page that makes a visitor object as `window.visitor`, with all handlers noted in journal `visitor`. */
export function visitorScript(params: object, calls = "visitor.connect();"): string {
  const events = JSON.stringify(visitorEvents);
  return `window.visitor = noteAll("visitor", new GLANCE.Presence.Visitor(${JSON.stringify(params)}), ${events}); ${calls}`;
}

/** HTML of a customer's page with the visitor's tag. */
export function visitorHtml(serverOrigin: string, parts: VisitorPageParts): string {
  const attributes = Object.entries({ groupid: GROUP, ...parts.tag })
    .map(([name, value]) => ` data-${name}='${value}'`)
    .join("");
  const globals = parts.globals ? `<script>window.GLANCE_COBROWSE = ${JSON.stringify(parts.globals)};</script>\n` : "";
  const src = `${serverOrigin}/cobrowse/CobrowseJS.ashx?group=${GROUP}&site=staging&script=PresenceVisitor`;
  const tag = `<script id="glance-cobrowse" type="text/javascript" charset="UTF-8" src="${src}"${attributes}></script>`;
  return html({ head: globals + tag, ...parts });
}

export class VisitorBrowser {
  /** What visitor objects told on all of this person's pages. */
  readonly journal: Journal;

  constructor(
    readonly context: BrowserContext,
    readonly diary: Diary,
    private readonly site: Site,
    private readonly serverOrigin: string,
  ) {
    this.journal = diary.journal("visitor");
  }

  /** Puts a page on the site; gives its address. */
  put(path: string, parts: VisitorPageParts): string {
    return this.site.page(path, visitorHtml(this.serverOrigin, parts));
  }

  /** Opens a tab on a page. */
  async open(path: string, parts?: VisitorPageParts): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(parts ? this.put(path, parts) : this.site.origin + path);
    return page;
  }
}
