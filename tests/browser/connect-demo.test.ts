/** The demo's page that talks by `site_connect`, which a newcomer sees from `/`. */

import { expect, test } from "vitest";
import { agree, KEEP_ROOT } from "./support/cobrowse";
import { DemoPage } from "./support/demo";
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
  await visitor.click("#stop");
  await visitor.has(`#heard [data-topic="~pagesession/cobrowsing/stop"]`);
  await visitor.has("#code-left", "A new one");
  await eventually(() => visitor.page.textContent("#wwwchannelme"), (text) => text !== code);
  expect(visitor.complaints).toEqual([]);
  expect(desk.complaints).toEqual([]);
});
