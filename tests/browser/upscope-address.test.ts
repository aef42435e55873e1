/** `/cobrowse?id=`, in the seed's own frame: who is signed in is led to the visitor's page, others sign in. */

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { agree, Showing } from "./support/cobrowse";
import { Desktop, frameTag } from "./support/desktop";
import { API_KEY } from "./support/settings";
import { useStage, type Stage } from "./support/stage";

/** The seed's address, but for the host; its visitor is there. */
const SEED = "https://acmechat.com/cobrowse?id=VISITOR123";
const BODY = { body: `<h1 id="one">One</h1>` };

const address = (stage: Stage): string => SEED.replace("https://acmechat.com", stage.server.origin);

async function visitor(stage: Stage): Promise<Page> {
  return new Showing(stage, { visitorid: "VISITOR123" }).open("/one", BODY);
}

describe("in development mode", () => {
  const stage = useStage({ development: true });

  test("the seed's frame shows the visitor's page", async () => {
    expect(frameTag(SEED)).toBe(`<iframe src="https://acmechat.com/cobrowse?id=VISITOR123" id="upscope-iframe"/>`);
    const tab = await visitor(stage);
    const desktop = await Desktop.open(stage, address(stage));
    await desktop.status("pendingRequest");
    await agree(tab);
    await desktop.status("viewerReady");
    await desktop.sees("#one");
    expect(desktop.statuses).toEqual(["waiting", "pendingRequest", "active", "snapshotReceived", "viewerReady"]);
    await desktop.instruct({ action: "endSession" });
    await desktop.status("terminated");
  });
});

describe("with settings", () => {
  const stage = useStage();

  test("an agent signs in by a key of the group, once a tab", async () => {
    const tab = await visitor(stage);
    const { context } = await stage.person("agent");
    const page = await context.newPage();
    await page.goto(address(stage));
    await page.getByLabel("Your name").fill("Ann");
    await page.getByLabel("API key").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("The server does not accept this key.").waitFor();
    await page.getByLabel("API key").fill(API_KEY);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(/\/watch\/12345$/);
    await agree(tab);
    await page.locator(".picture.shown").waitFor();
    // The tab is signed in: another address needs no key, and a visitor who is not there is waited for.
    await page.goto(`${stage.server.origin}/cobrowse?id=nobody`);
    await page.getByText("Waiting for the visitor").waitFor();
    await page.goto(`${stage.server.origin}/cobrowse`);
    await page.getByText("No visitor is named").waitFor();
  });
});
