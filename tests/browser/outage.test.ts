/** What agents' pages say while the server that several nodes share is away, and that they stop saying it. */

import { join } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { agree, Showing } from "./support/cobrowse";
import { DemoPage, pictureFolder } from "./support/demo";
import { Interjection } from "./support/interject";
import { eventually } from "./support/journal";
import { useStage } from "./support/stage";

const AWAY = /cannot reach its records/;

const stage = useStage({ development: true });

/** Large and small, light and dark. */
async function pictures(page: Page, name: string): Promise<void> {
  for (const width of [1280, 400]) {
    await page.setViewportSize({ width, height: width === 400 ? 800 : 860 });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      expect(await page.evaluate(() => document.documentElement.scrollWidth), `${name} at ${width}`).toBeLessThanOrEqual(width);
      await page.screenshot({ path: join(pictureFolder(), `outage-${name}-${width}-${colorScheme}.png`) });
    }
  }
  await page.setViewportSize({ width: 1280, height: 860 });
  await page.emulateMedia({ colorScheme: "light" });
}

/** The page says it in a status, without taking the focus, and then takes it away. */
async function toldAndTakenBack(page: Page, interjection: Interjection, name: string): Promise<void> {
  const notice = page.locator("#outage");
  const height = async (): Promise<number> => (await notice.boundingBox())?.height ?? 0;
  expect([await notice.textContent(), await height()]).toEqual(["", 0]);
  const focused = await page.evaluate(() => document.activeElement?.id);
  interjection.say({ type: "degraded", degraded: true });
  await page.getByRole("status").filter({ hasText: AWAY }).waitFor();
  expect(await height()).toBeGreaterThan(20);
  expect(await page.evaluate(() => document.activeElement?.id)).toBe(focused);
  await pictures(page, name);
  interjection.say({ type: "degraded", degraded: false });
  await page.getByText(AWAY).waitFor({ state: "detached" });
  expect([await notice.textContent(), await height()]).toEqual(["", 0]);
}

describe("while what the nodes share is away", () => {
  test("the desk says so", async () => {
    let interjection!: Interjection;
    const desk = await DemoPage.open(stage, "desk", "/demo/agent", async (context) => {
      interjection = await Interjection.at(context, "/v1/agent");
    });
    await desk.has("body[data-session=ready]");
    await desk.has("#roster-empty");
    expect(interjection.count).toBe(1);
    await toldAndTakenBack(desk.page, interjection, "desk");
    expect(desk.complaints).toEqual([]);
  });

  test("the watch page says so, and shows the visitor's page beside it", { timeout: 60_000 }, async () => {
    const showing = new Showing(stage);
    const tab = await showing.open("/one", { body: `<h1 id="one">Walnut, and oiled</h1><p>As it was a moment ago.</p>` });
    let interjection!: Interjection;
    const agent = await showing.watch(undefined, { width: 1280, height: 860 }, async (context) => {
      interjection = await Interjection.at(context, "/v1/stream");
    });
    await agent.standing("asking");
    await agree(tab);
    await agent.sees("#one");
    await agent.standing("live");
    await toldAndTakenBack(agent.page, interjection, "watch");
    await agent.sees("#one");
    expect(agent.errors).toEqual([]);
  });

  test("the page that leads to a visitor says so, and asks again", async () => {
    await new Showing(stage, { visitorid: "VISITOR7" }).open("/two", { body: "<h1>Two</h1>" });
    const { context } = await stage.person("agent");
    // A node that knows of nobody may not have heard of him, and one that cannot look refuses.
    const empty = { status: 200, body: JSON.stringify({ visitors: [], count: 0, total: 0 }) };
    const refused = { status: 503, body: JSON.stringify({ code: "unready", retry_ms: 1_000, degraded: true }) };
    const answers = [empty, empty, refused, refused];
    let asked = 0;
    await context.route("**/v1/groups/*/visitors?*", (route) => {
      const answer = answers[asked];
      asked += 1;
      return answer ? route.fulfill({ ...answer, contentType: "application/json", headers: { "Vestibule-Degraded": "true" } }) : route.fallback();
    });
    const page = await context.newPage();
    await page.goto(`${stage.server.origin}/cobrowse?id=VISITOR7`);
    const notice = page.locator("#notice[aria-live=polite]", { hasText: AWAY });
    await notice.waitFor();
    await eventually(() => Promise.resolve(asked), (times) => times >= 3);
    await notice.waitFor();
    await page.waitForURL(/\/watch\/12345$/);
  });
});
