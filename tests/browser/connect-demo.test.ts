/** The demo's page that talks by `site_connect`, which a newcomer sees from `/`. */

import { join } from "node:path";
import { expect, test } from "vitest";
import { agree, KEEP_ROOT } from "./support/cobrowse";
import { DemoPage, pictureFolder } from "./support/demo";
import { eventually } from "./support/journal";
import { useStage } from "./support/stage";

const stage = useStage({ development: true });

test("from the first page a newcomer finds the code, types it at the desk, and both look at one page", async () => {
  const visitor = await DemoPage.open(stage, "visitor", "/");
  await visitor.context.addInitScript(KEEP_ROOT);
  await visitor.click(`a[href="/demo/connect"]`);
  await visitor.has("#code-box[data-code=live]");
  const code = (await (await visitor.has("#wwwchannelme")).textContent()) ?? "";
  expect(code).toMatch(/^\d{6}$/);
  await visitor.click("[data-testid=say]");
  await visitor.has(`#heard [data-topic="~/truck/0001/temperature"]`, "4.5");
  await visitor.picture("connect-page");

  const desk = await DemoPage.open(stage, "desk", "/demo/agent");
  await desk.has("body[data-session=ready]");
  await desk.page.fill("#reach-id", code);
  await desk.click("[data-testid=reach]");
  const opened = desk.context.waitForEvent("page");
  await desk.click("[data-action=view]");
  const watch = await opened;
  await agree(visitor.page);
  await watch.waitForFunction(() => document.body.dataset.standing === "live");
  await visitor.has(`#heard [data-topic="~pagesession/cobrowsing/start"]`);
  // What the picture still loads when the session ends is not to be had any more.
  await watch.waitForFunction(() => {
    const picture = document.querySelector<HTMLIFrameElement>(".picture.shown iframe")?.contentDocument;
    const styles = [...(picture?.querySelectorAll<HTMLLinkElement>("link[rel=stylesheet]") ?? [])];
    return styles.length > 0 && styles.every(({ sheet }) => sheet);
  });
  await visitor.click("#stop");
  await visitor.has(`#heard [data-topic="~pagesession/cobrowsing/stop"]`);
  await visitor.has("#code-left", "A new one");
  await eventually(() => visitor.page.textContent("#wwwchannelme"), (text) => text !== code);
  expect(visitor.complaints).toEqual([]);
  expect(desk.complaints).toEqual([]);
});

test("an agent at the desk is available, a visitor clicks the button, and they chat; the agent sees the page by an offer", async () => {
  const desk = await DemoPage.open(stage, "desk", "/demo/agent");
  await desk.has("body[data-session=ready]");
  await desk.click("#available [data-button=sales]");
  const visitor = await DemoPage.open(stage, "visitor", "/demo/connect");
  await visitor.click("[data-chat=sales]:enabled");
  await desk.click("[data-action=claim-chat]");
  await desk.page.fill("[data-field=chat]", "Good morning! Which order is it?");
  await desk.page.press("[data-field=chat]", "Enter");
  const panel = visitor.page.frameLocator("iframe");
  await panel.locator("#log .said", { hasText: "Which order is it?" }).waitFor();
  await panel.locator("#text").fill("The oak stool");
  await panel.locator("#send").click();
  await desk.has("[data-chat-card]", "The oak stool");
  for (const colorScheme of ["light", "dark"] as const) {
    await visitor.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await visitor.page.screenshot({ path: join(pictureFolder(), `connect-chat-${colorScheme}.png`) });
  }
  await panel.locator("#share").click();
  const opened = desk.context.waitForEvent("page");
  await desk.click("[data-action=join-offer]");
  const watch = await opened;
  await watch.waitForFunction(() => document.body.dataset.standing === "live");
  await visitor.has(`#heard [data-topic="~pagesession/cobrowsing/start"]`);
  expect(visitor.complaints).toEqual([]);
  expect(desk.complaints).toEqual([]);
});

test("an agent offers to look at the page together; the visitor shows it by a click, and the agent joins", async () => {
  const desk = await DemoPage.open(stage, "desk", "/demo/agent");
  await desk.has("body[data-session=ready]");
  await desk.click("#available [data-button=support]");
  const visitor = await DemoPage.open(stage, "visitor", "/demo/connect");
  await visitor.click("[data-chat=support]:enabled");
  await desk.click("[data-action=claim-chat]");
  await desk.page.fill("[data-field=chat]", "I am still writing");
  await desk.click("[data-action=offer-session]");
  await desk.has("[data-chat-card] .chat-offer", "You offered");
  // What he writes is left alone.
  expect(await desk.page.inputValue("[data-field=chat]")).toBe("I am still writing");
  await desk.page.locator("[data-chat-card]").scrollIntoViewIfNeeded();
  await desk.picture("desk-chat-offer", { fullPage: false });
  // Nobody is asked before somebody is there to see.
  await visitor.page.frameLocator("iframe").locator("[data-action=share]").click();
  const opened = desk.context.waitForEvent("page");
  await desk.click("[data-action=join-offer]");
  const watch = await opened;
  await watch.waitForFunction(() => document.body.dataset.standing === "live");
  await visitor.has(`#heard [data-topic="~pagesession/cobrowsing/start"]`);
  await watch.waitForFunction(() => document.querySelector("iframe")?.contentDocument?.querySelector("h1"));
  expect(visitor.complaints).toEqual([]);
  expect(desk.complaints).toEqual([]);
});
