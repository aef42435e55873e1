/** A visitor who walks about on the site, in seeded random order, in one tab or several. */

import type { Page } from "playwright-core";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "./random";
import type { Site } from "./site";
import { visitorScript, type VisitorBrowser } from "./visitor";

/** What a page tells of itself, by `tell`. */
export interface Told {
  /** Id of the document. */
  readonly page: string;
  /** Id of its tab. */
  readonly tab?: string;
  /** Unix ms by the page's clock. */
  readonly at: number;
  /** Counts what the document told. */
  readonly count: number;
  readonly persisted?: boolean;
  readonly data?: { readonly n: number; readonly sent: number };
}

const WEIGHTS = { link: 30, reload: 15, back: 15, forward: 10, post: 12, tab: 8, close: 8, away: 4, race: 4 };
export type Move = keyof typeof WEIGHTS;

const MOST_TABS = 3;

const SCRIPT = `
visitor.onsignal = (data) => tell("signal", { data, tab: sessionStorage.getItem("vestibule.tab") });
visitor.onconnect = () => tell("connect");
visitor.onerror = (error) => tell("error", { error });
addEventListener("pageshow", ({ persisted }) => tell("pageshow", { persisted }));
addEventListener("pagehide", ({ persisted }) => tell("pagehide", { persisted }));
`;

/** Script: a page tells why it lost its connection. */
export const LOST = `visitor.core.on("disconnected", ({ code }) => tell("lost", { code, url: location.href }));`;

export class Walker {
  readonly moves: Partial<Record<Move, number>> = {};
  /** Pages that came back from the back-forward cache. */
  restored = 0;
  private readonly tabs: Page[] = [];
  private count = 0;

  constructor(
    private readonly visitor: VisitorBrowser,
    private readonly site: Site,
    private readonly random: Random,
    visitorid: string,
  ) {
    const body = `<a id="link" href="/walk">on</a><form method="post"><button>post</button></form>`;
    visitor.put("/walk", { body, script: visitorScript({ visitorid }, "") + SCRIPT + "visitor.presence(); visitor.connect();" + LOST });
    site.page("/away", `<script src="/note.js"></script><script>addEventListener("pageshow", () => tell("pageshow"));</script>`);
  }

  async enter(): Promise<void> {
    await this.shown(async () => void this.tabs.push(await this.visitor.open("/walk")));
  }

  /** Changes the page once, in some way; resolves when the new page is shown. */
  async step(): Promise<Move> {
    const { random, tabs } = this;
    let move = random.weighted(WEIGHTS);
    if (move === "tab" && tabs.length >= MOST_TABS) move = "close";
    if (move === "close" && tabs.length === 1) move = "tab";
    const tab = random.one(tabs);
    if (move === "back" && !(await this.can(tab, "canGoBack"))) move = "link";
    if (move === "forward" && !(await this.can(tab, "canGoForward"))) move = "reload";
    this.moves[move] = (this.moves[move] ?? 0) + 1;
    if (move === "close") await this.close(tab);
    else await this.shown(() => this.change(move, tab));
    if (move === "away") {
      await sleep(random.below(1500));
      await this.shown(() => this.change(random.one(["back", "link"]), tab));
    }
    // Half the time on at once, before the page's socket is there.
    if (random.next() < 0.5) await sleep(random.below(200));
    return move;
  }

  private change(move: Move, tab: Page): Promise<unknown> {
    const to = this.address();
    switch (move) {
      case "reload":
        return this.run(tab, () => location.reload());
      case "back":
        return this.run(tab, () => history.back());
      case "forward":
        return this.run(tab, () => history.forward());
      case "post":
        return this.run(tab, (to) => {
          const form = document.querySelector("form") ?? document.body.appendChild(document.createElement("form"));
          form.method = "post";
          form.action = to;
          form.submit();
        }, to);
      case "tab":
        return this.open(tab, to);
      case "race":
        // A second link before the first has led anywhere.
        return this.run(tab, ([first, second]) => {
          location.href = first!;
          setTimeout(() => (location.href = second!), 20);
        }, [`${to}&wait=300`, this.address()]);
      default:
        return this.run(tab, (to) => {
          const link = document.body.appendChild(document.createElement("a"));
          link.href = to;
          link.click();
        }, move === "away" ? "/away" : to);
    }
  }

  /** By a script, which copies the tab's storage; by a link, or by hand, which do not. */
  private async open(tab: Page, to: string): Promise<void> {
    const way = this.random.below(3);
    if (way === 0) {
      this.tabs.push(await this.visitor.open(to));
      return;
    }
    const opened = this.visitor.context.waitForEvent("page");
    await this.run(tab, ([to, way]) => {
      if (way === "script") return void window.open(to);
      const link = document.body.appendChild(document.createElement("a"));
      link.href = to!;
      link.target = "_blank";
      link.click();
    }, [to, way === 1 ? "script" : "link"]);
    this.tabs.push(await opened);
  }

  private async close(tab: Page): Promise<void> {
    this.tabs.splice(this.tabs.indexOf(tab), 1);
    await tab.close();
  }

  private address(): string {
    // Some pages take their time, so that for a while there is none.
    const wait = this.random.next() < 0.15 ? this.random.below(900) : 0;
    return `/walk?n=${(this.count += 1)}${wait ? `&wait=${wait}` : ""}`;
  }

  private can(tab: Page, what: "canGoBack" | "canGoForward"): Promise<boolean> {
    return this.run(tab, (what) => (window as any).navigation[what], what);
  }

  /** Resolves when a page was shown because of `act`. */
  private async shown(act: () => Promise<unknown>): Promise<void> {
    const { told } = this.site;
    const from = told.entries.length;
    await act();
    const show = () => told.entries.slice(from).find(({ name }) => name === "pageshow");
    await told.until(() => show() !== undefined, "page shown", 20_000);
    if (show()?.data.persisted) this.restored += 1;
  }

  /** Runs `script` in the tab's page; again if the page before was just being left. */
  private async run<Arg, Result>(tab: Page, script: (arg: Arg) => Result, arg?: Arg): Promise<Result> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return (await tab.evaluate(script as any, arg)) as Result;
      } catch (error) {
        if (attempt > 20 || !/context was destroyed|Cannot find context/.test(String(error))) throw error;
      }
    }
  }
}
