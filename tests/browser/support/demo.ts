/** People on the server's own pages: the shop, the desk, the reference. */

import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Locator, Page } from "playwright-core";
import type { Diary } from "./browser";
import type { Stage } from "./stage";

const folder = process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "vestibule-pages-"));

/** Where pictures go: the folder that `SCREENSHOTS` names, or a temporary one. */
export function pictureFolder(): string {
  mkdirSync(folder, { recursive: true });
  return folder;
}

export class DemoPage {
  private constructor(
    readonly page: Page,
    readonly context: BrowserContext,
    readonly diary: Diary,
    private readonly origin: string,
  ) {}

  /** `prepare` sees the person's browser profile before the page is opened. */
  static async open(stage: Stage, person: string, path: string, prepare?: (context: BrowserContext) => Promise<unknown>): Promise<DemoPage> {
    const { context, diary } = await stage.person(person, path.startsWith("/demo/agent") ? "elsewhere" : "here");
    await prepare?.(context);
    const page = await context.newPage();
    await page.setViewportSize({ width: 1280, height: 860 });
    const demo = new DemoPage(page, context, diary, stage.server.origin);
    await demo.goto(path);
    return demo;
  }

  async goto(path: string): Promise<void> {
    await this.page.goto(this.origin + path);
  }

  /** Waits until something matches; gives the first. */
  async has(selector: string, text?: string | RegExp): Promise<Locator> {
    const all = this.page.locator(selector);
    const found = (text === undefined ? all : all.filter({ hasText: text })).first();
    await found.waitFor({ timeout: 15_000 });
    return found;
  }

  async click(selector: string): Promise<void> {
    await (await this.has(selector)).click();
  }

  /** Signs in to a desk that asks for a key. */
  async signIn(way: "partner" | "key", user: string, secret: string): Promise<void> {
    await this.click(`label:has(input[name=way][value=${way}])`);
    await this.page.fill("#user", user);
    await this.page.fill("#secret", secret);
    await this.click("[data-testid=sign-in]");
  }

  count(selector: string): Promise<number> {
    return this.page.locator(selector).count();
  }

  /** The value of an attribute of the first match. */
  async attribute(selector: string, name: string): Promise<string> {
    return (await (await this.has(selector)).getAttribute(name)) ?? "";
  }

  /** What the browser has against the page: errors, failed loads, broken policy. */
  get complaints(): readonly string[] {
    return this.diary.errors;
  }

  /** Pictures of the page in light and dark. */
  async picture(name: string, { fullPage = true } = {}): Promise<void> {
    for (const colorScheme of ["light", "dark"] as const) {
      await this.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await this.page.screenshot({ path: join(pictureFolder(), `${name}-${colorScheme}.png`), fullPage });
    }
    await this.page.emulateMedia({ colorScheme: "light" });
  }
}
