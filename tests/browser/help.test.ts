/** A visitor of the shop asks for an agent, and agents at their desks answer. */

import { expect, test } from "vitest";
import { DemoPage } from "./support/demo";
import { useStage } from "./support/stage";

const stage = useStage({ development: true });
const BADGE = "#presence-badge[data-presence-state=connected]";

async function shop(): Promise<DemoPage> {
  const page = await DemoPage.open(stage, "shop", "/demo/");
  await page.has(BADGE);
  return page;
}

async function desk(name = "desk"): Promise<DemoPage> {
  const page = await DemoPage.open(stage, name, "/demo/agent");
  await page.has("body[data-session=ready]");
  return page;
}

test("the wish is seen at every desk, outlasts a page change, and is taken once", async () => {
  const [ann, bea] = [await desk("ann"), await desk("bea")];
  const visitor = await shop();
  await visitor.click("#ask-help");
  await visitor.has("#help-line[data-help=pending]", /with you soon/);
  for (const page of [ann, bea]) await page.has("#queue-list li", /Harbour & Pine/);
  await ann.picture("desk-queue");
  await visitor.goto("/demo/lantern");
  await visitor.has("#help-line[data-help=pending]", /with you soon/);
  await visitor.picture("shop-asks", { fullPage: false });
  await ann.click("[data-action=claim]");
  await visitor.has("#help-line[data-help=accepted]", "Demo agent is coming.");
  // The visitor's panel opens for whoever took him, and the wish is at no desk any more.
  await ann.has("[data-panel][data-standing=connected]");
  for (const page of [ann, bea]) await page.page.locator("#queue").waitFor({ state: "hidden" });
  await visitor.click("#help-line button");
  await visitor.goto("/demo/");
  await visitor.has("#help-line[data-help=accepted]");
  for (const page of [ann, bea, visitor]) expect(page.complaints).toEqual([]);
});

test("an agent may decline, and the visitor may think better of it", async () => {
  const agent = await desk();
  const visitor = await shop();
  await visitor.click("#ask-help");
  await agent.click("[data-action=decline]");
  await visitor.has("#help-line[data-help=unavailable]", /Nobody is free/);
  expect(await visitor.page.locator("#ask-help").isVisible()).toBe(true);
  await visitor.click("#ask-help");
  await agent.has("#queue-list li");
  await visitor.has("#help-line[data-help=pending]");
  await visitor.click("#help-line button");
  await agent.page.locator("#queue").waitFor({ state: "hidden" });
  await visitor.page.locator("#help-line").waitFor({ state: "hidden" });
  expect(agent.complaints).toEqual([]);
});
