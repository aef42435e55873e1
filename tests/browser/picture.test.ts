/** The picture in the README: the desk, and the shop that its visitor sees. `UPDATE_IMAGES=1` writes it anew. */

import { mkdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { expect, test } from "vitest";
import { pictureFolder } from "./support/demo";
import { useStage } from "./support/stage";

const stage = useStage({ development: true });
const SCALE = 2;

const target = process.env.UPDATE_IMAGES
  ? resolve(import.meta.dirname, "../../docs/images/desk.png")
  : join(pictureFolder(), "desk-beside-shop.png");

interface Guest {
  readonly name?: string;
  readonly anonymous?: string;
  readonly path: string;
  readonly cart?: Readonly<Record<string, number>>;
}

async function open(width: number, height: number): Promise<{ context: BrowserContext; page: Page }> {
  const context = await stage.browser.newContext({ viewport: { width, height }, deviceScaleFactor: SCALE, reducedMotion: "reduce" });
  return { context, page: await context.newPage() };
}

/** Somebody on a page of the shop, with what is in his browser from earlier. */
async function guest({ name, anonymous, path, cart }: Guest, width = 430, height = 740): Promise<Page> {
  const { context, page } = await open(width, height);
  const stored = {
    ...(name && { "harbour-pine.visitor": name }),
    ...(anonymous && { "vestibule.anonymous.12345": `~${anonymous.padEnd(32, "0")}` }),
    ...(cart && { "harbour-pine.cart": JSON.stringify(cart) }),
  };
  await context.addInitScript((entries) => {
    for (const [key, value] of Object.entries(entries)) localStorage.setItem(key, value);
  }, stored);
  await page.goto(stage.server.origin + path);
  await page.locator("#presence-badge[data-presence-state=connected]").waitFor();
  return page;
}

test("the desk beside the shop", { timeout: 60_000 }, async () => {
  await guest({ anonymous: "5c0e41d7", path: "/demo/" });
  await guest({ name: "bruno", path: "/demo/cart", cart: { pack: 1, stool: 2 } });
  await guest({ anonymous: "e93b70aa", path: "/demo/spa?item=blanket", cart: { kettle: 1 } });
  await guest({ name: "chiara", path: "/demo/help" });
  const shop = await guest({ name: "ada", path: "/demo/mug", cart: { mug: 2 } });

  const { page: desk } = await open(1280, 860);
  await desk.goto(`${stage.server.origin}/demo/agent`);
  await desk.locator("#roster-count[data-count='5']").waitFor();
  await desk.locator("#roster [data-visitor=ada] button").click();
  const panel = desk.locator("[data-panel=ada]");
  await desk.locator("[data-panel=ada][data-standing=connected]").waitFor();
  await shop.goto(`${stage.server.origin}/demo/lantern`);
  await panel.locator("[data-page-url]", { hasText: "/demo/lantern" }).waitFor();
  await panel.locator("[data-field=message]").fill("Good morning! The lantern goes well with the mugs. Shall I put one aside?");
  await panel.locator("[data-action=signal]").click();
  await shop.locator("#notes .note").waitFor();
  await panel.locator("[data-result-of=signal][data-result=ok]").waitFor();
  await desk.locator("#roster [data-visitor=ada]", { hasText: "Skerry lantern" }).waitFor();
  await desk.mouse.move(640, 3);
  await desk.evaluate(() => (document.activeElement as HTMLElement).blur());

  const windows = await Promise.all([desk, shop].map(async (page) => (await page.screenshot()).toString("base64")));
  const { page: frame } = await open(1400, 900);
  await frame.setContent(composition(windows[0]!, windows[1]!));
  await frame.waitForFunction(() => [...document.images].every((image) => image.complete));
  mkdirSync(dirname(target), { recursive: true });
  await frame.screenshot({ path: target, scale: "css" });
  expect(statSync(target).size).toBeLessThan(350_000);
  for (const context of stage.browser.contexts()) await context.close();
});

function composition(desk: string, shop: string): string {
  return `<!doctype html><style>
    body { margin: 0; width: 1400px; height: 900px; background: #d9e4dc; position: relative; overflow: hidden; }
    figure { position: absolute; margin: 0; border-radius: 12px; overflow: hidden; background: #fff;
      box-shadow: 0 0 0 1px rgb(20 50 40 / 14%), 0 10px 28px rgb(20 50 40 / 24%); }
    figure::before { content: ""; display: block; height: 30px; background:
      radial-gradient(circle at 18px 15px, #c9584a 5px, transparent 5.5px),
      radial-gradient(circle at 36px 15px, #dfae4e 5px, transparent 5.5px),
      radial-gradient(circle at 54px 15px, #4f9d6b 5px, transparent 5.5px), #eceae3; }
    img { display: block; width: 100%; }
    .desk { left: 36px; top: 34px; width: 1120px; }
    .shop { right: 36px; bottom: 34px; width: 376px; }
  </style>
  <figure class="desk"><img src="data:image/png;base64,${desk}"></figure>
  <figure class="shop"><img src="data:image/png;base64,${shop}"></figure>`;
}
