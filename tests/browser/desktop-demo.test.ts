/** The demo's desktop, which a newcomer sees from `/`: a call and a chat, each with a session in it. */

import type { Page } from "playwright-core";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KEEP_ROOT, press, Watching } from "./support/cobrowse";
import { DemoPage, pictureFolder } from "./support/demo";
import { begins, customer } from "./support/genesys";
import { useStage } from "./support/stage";

const stage = useStage({ development: true });

async function desktop(): Promise<DemoPage> {
  const page = await DemoPage.open(stage, "desktop", "/");
  await page.click(`a[href="/demo/desktop"]`);
  await page.has("body[data-desktop=ready]");
  return page;
}

/** The page in the desktop's frame. */
async function view({ page, complaints }: DemoPage): Promise<Watching> {
  const frame = await (await page.waitForSelector(".view iframe")).contentFrame();
  return new Watching(frame as unknown as Page, complaints);
}

const attached = async ({ page }: DemoPage): Promise<Record<string, string>> =>
  Object.fromEntries(await page.$$eval("#data [data-key]", (rows) => rows.map((row) => [row.getAttribute("data-key"), row.querySelector("td")?.textContent])));

async function pictures({ page }: DemoPage, name: string): Promise<void> {
  for (const [size, width, height] of [["large", 1440, 900], ["small", 390, 844]] as const) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.screenshot({ path: join(pictureFolder(), `${name}-${size}-${colorScheme}.png`), fullPage: size === "small" });
    }
  }
  await page.setViewportSize({ width: 1280, height: 860 });
  await page.emulateMedia({ colorScheme: "light" });
}

test("a call: the customer reads out the digits, the agent types them, and closes", async () => {
  const { showing, tab, token } = await customer(stage);
  const desk = await desktop();
  await pictures(desk, "desktop-free");
  await desk.click("#call");
  await desk.page.fill("#token", "12345");
  await desk.page.press("#token", "Enter");
  await desk.has("#join-error", "nine digits");
  await desk.page.fill("#token", "123456789");
  await desk.page.press("#token", "Enter");
  await desk.has("#join-error", "No session has this ID");
  await desk.page.fill("#token", token);
  await desk.page.press("#token", "Enter");
  await (await view(desk)).sees("#one");
  await desk.has(`[data-key=CoBrowseStartTime]`);
  expect(await attached(desk)).toMatchObject({ CoBrowseAssociated: "Yes", CoBrowseSessionsQuantity: "1" });
  await pictures(desk, "desktop-call");
  // He leaves, and begins another one in the same call.
  await press(tab, "stop");
  await desk.has("#over[data-why=exited]");
  await desk.page.fill("#token", await begins(tab));
  await desk.page.press("#token", "Enter");
  await (await view(desk)).sees("#one");
  await desk.has(`[data-key=CoBrowseSessionsQuantity]`, "2");
  await desk.click("[data-close=closed]");
  await desk.has("#over[data-why=closed]");
  const data = await attached(desk);
  expect(data).toMatchObject({ CoBrowseAssociated: "No", CoBrowseSessionsQuantity: "2", CoBrowseDuration: expect.stringMatching(/^\d+$/) });
  await showing.visitor.journal.next("sessionend");
  await showing.visitor.journal.next("sessionend");
  await desk.has("#free:not([hidden])");
  // Both are what the browser says of an answer 404.
  expect(desk.complaints.filter((complaint) => !complaint.includes("404"))).toEqual([]);
});

test("a chat: the customer's page sends the digits; a transfer and a time-out close the session", async () => {
  const desk = await desktop();
  const visitor = await DemoPage.open(stage, "visitor", "/demo/connect");
  for (const one of [desk, visitor]) one.page.setDefaultTimeout(6000);
  await visitor.context.addInitScript(KEEP_ROOT);
  await visitor.page.reload();
  await visitor.click("[data-chat=sales]:enabled");
  await desk.click("#queue [data-chat]");
  await desk.page.fill("#say-text", "Show me, please");
  await desk.page.press("#say-text", "Enter");
  const panel = visitor.page.frameLocator("iframe");
  await panel.locator("#log .said", { hasText: "Show me, please" }).waitFor();
  await panel.locator("#share").click();
  await (await view(desk)).sees("h1");
  await pictures(desk, "desktop-chat");
  await desk.click("[data-close=transferred]");
  await desk.has("#over[data-why=transferred]");
  expect(await attached(desk)).toMatchObject({ CoBrowseAssociated: "No", CoBrowseSessionsQuantity: "1" });
  await visitor.has(`#heard [data-topic="~pagesession/cobrowsing/stop"]`);

  // It waits for the next agent, who lets it time out.
  await desk.click("#queue [data-chat]");
  await panel.locator("#share").click();
  await (await view(desk)).sees("h1");
  await desk.has("[data-key=CoBrowseStartTime]");
  await desk.page.fill("#idle", "1");
  await desk.page.press("#idle", "Tab");
  await desk.has("#over[data-why=timedout]");
  expect(await attached(desk)).toMatchObject({ CoBrowseAssociated: "No", CoBrowseSessionsQuantity: "1" });
  await desk.has("#free:not([hidden])");
  expect(desk.complaints).toEqual([]);
  expect(visitor.complaints).toEqual([]);
});

test("slave.html by itself, in both sizes and lights", async () => {
  const { showing, token } = await customer(stage);
  const alone = await DemoPage.open(stage, "agent", "/cobrowse/slave.html");
  await alone.has("#sid");
  expect(await alone.page.evaluate(() => document.activeElement?.id)).toBe("sid");
  await pictures(alone, "slave-field");
  await alone.page.fill("#sid", "123456789");
  await alone.page.press("#sid", "Enter");
  await alone.has("#sid-error", "No session");
  await pictures(alone, "slave-wrong");
  await alone.page.fill("#sid", token);
  await alone.page.press("#sid", "Enter");
  const watching = new Watching(alone.page, alone.complaints);
  await watching.sees("#one");
  await pictures(alone, "slave-live");
  await alone.click("#end");
  await alone.click("#ending button[value=end]");
  await watching.standing("ended");
  await pictures(alone, "slave-ended");
  await showing.visitor.journal.next("sessionend");
});

test("the first page, in both sizes and lights", async () => {
  const home = await DemoPage.open(stage, "newcomer", "/");
  await home.has("#status[data-ready=yes]");
  await pictures(home, "home");
  await home.picture("home-whole");
  expect(await home.count(".doors a")).toBe(8);
  expect(home.complaints).toEqual([]);
});
