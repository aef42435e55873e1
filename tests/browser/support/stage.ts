/** A server, a customer's site and a browser for the tests of one file. */

import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, afterEach, beforeAll } from "vitest";
import { AgentPage } from "./agent";
import { Diary, openBrowser } from "./browser";
import { Server } from "./server";
import { mintToken, type SettingsParts } from "./settings";
import { Site } from "./site";
import { VisitorBrowser } from "./visitor";

export interface StageOptions {
  readonly settings?: SettingsParts;
  /** Runs the server without settings; the demo pages then mint tokens by themselves. */
  readonly development?: boolean;
}

export class Stage {
  server!: Server;
  site!: Site;
  browser!: Browser;
  /** The agents' own, where the two sides look at one page. */
  private agents: Promise<Browser> | undefined;
  private people: { readonly context: BrowserContext; readonly diary: Diary }[] = [];
  private pages = 0;

  constructor(private readonly options: StageOptions) {}

  async open(): Promise<void> {
    this.site = await Site.start();
    const { development, settings } = this.options;
    this.server = await Server.start(development ? {} : { siteOrigin: this.site.origin, ...(settings && { settings }) });
    this.browser = await openBrowser();
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.browser?.close(), this.agents?.then((browser) => browser.close()), this.server?.dispose(), this.site?.stop()]);
  }

  /** A browser profile of its own; an agent's at another machine is in a browser of its own too. */
  async person(name: string, side: "here" | "elsewhere" = "here"): Promise<{ context: BrowserContext; diary: Diary }> {
    const browser = side === "here" ? this.browser : await (this.agents ??= openBrowser());
    const context = await browser.newContext();
    const diary = new Diary(name, context);
    const person = { context, diary };
    this.people.push(person);
    return person;
  }

  async visitor(name = "visitor"): Promise<VisitorBrowser> {
    const { context, diary } = await this.person(name);
    return new VisitorBrowser(context, diary, this.site, this.server.origin);
  }

  /** An agent's page. Without `token` a good one is made; `null` gives none. */
  async agent({ name = "agent", token }: { name?: string; token?: string | null } = {}): Promise<AgentPage> {
    const { context, diary } = await this.person(name);
    const given = token === undefined ? await this.token() : token;
    const path = `/agent-${(this.pages += 1)}`;
    return AgentPage.open(context, diary, { site: this.site, serverOrigin: this.server.origin, token: given ?? undefined, path });
  }

  /** A token that this server believes. */
  async token(): Promise<string> {
    if (!this.options.development) return mintToken();
    const answer = await fetch(`${this.server.origin}/demo/token`, { method: "POST" });
    return ((await answer.json()) as { token: string }).token;
  }

  /** Closes everybody's pages; tells what they told when the test failed. */
  async clear(failed: boolean): Promise<void> {
    const people = this.people.splice(0);
    if (failed) {
      const log = this.server.log.map((line) => `  server: ${line}`);
      console.error([...people.map(({ diary }) => diary.describe()), ...log].join("\n"));
    }
    await Promise.allSettled(people.map(({ context }) => context.close()));
  }
}

/** Opens a stage for the tests of this file, and clears it after each. */
export function useStage(options: StageOptions = {}): Stage {
  const stage = new Stage(options);
  beforeAll(async () => {
    try {
      await stage.open();
    } catch (error) {
      await stage.close();
      throw error;
    }
  });
  afterEach(({ task }) => stage.clear(task.result?.state === "fail"));
  afterAll(() => stage.close());
  return stage;
}
