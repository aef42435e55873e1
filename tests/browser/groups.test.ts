/** A server with several groups, none of which is the one of requests that name none: how agents come in all the same. */

import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { DemoPage } from "./support/demo";
import { API_KEY, GROUP } from "./support/settings";
import { useStage } from "./support/stage";

const OTHER = { id: "777", key: "the-other-groups-api-key", partner: "the-other-group’s-partner-key" };

const stage = useStage({
  settings: {
    otherGroups: [
      { id: OTHER.id, visitor_origins: ["http://other.test"], agent_origins: ["http://desk.test"], api_keys: [OTHER.key], partner_id: "acme", partner_key: OTHER.partner },
    ],
  },
});

function loginKey(user: string): string {
  const expiry = Math.floor(Date.now() / 1000) + 600;
  const signature = createHmac("sha256", OTHER.partner).update(`acme${user}1${expiry}`).digest("base64url");
  return `$1$${expiry}$${signature}`;
}

test("the desk asks for the group beside the key", async () => {
  const agent = await DemoPage.open(stage, "desk", "/demo/agent");
  await agent.has("body[data-session=asking]");
  await agent.has("#group-field");
  await agent.has("#group-hint", "facades.default_group");
  await agent.picture("desk-sign-in-group");
  await agent.signIn("key", "Grace", OTHER.key);
  await agent.has("#sign-in-error", "The group is needed, too.");
  await agent.page.fill("#group-id", GROUP);
  await agent.signIn("key", "Grace", OTHER.key);
  await agent.has("#sign-in-error", "does not accept this key for this group");
  await agent.page.fill("#group-id", OTHER.id);
  await agent.signIn("key", "Grace", OTHER.key);
  await agent.has("body[data-session=ready]");
  await agent.has("#group", OTHER.id);
  await agent.has("#roster-empty");
  // The panels' own connections are for the same group.
  await agent.page.fill("#reach-id", "nobody");
  await agent.click("[data-testid=reach]");
  await agent.has("[data-panel=nobody][data-standing=gone]");
  await agent.click("#sign-out");
  await agent.has("body[data-session=asking]");
  // Its partner goes by another id than the group.
  await agent.signIn("partner", "grace", loginKey("grace"));
  await agent.has("body[data-session=ready]");
  expect(agent.complaints, "one about the wrong key").toHaveLength(1);
});

test("an address that names the group needs no field", async () => {
  const agent = await DemoPage.open(stage, "desk", `/demo/agent?group=${OTHER.id}`);
  await agent.has("body[data-session=asking]");
  await agent.has("#group", OTHER.id);
  expect(await agent.page.locator("#group-field").isVisible()).toBe(false);
  await agent.signIn("key", "Grace", OTHER.key);
  await agent.has("body[data-session=ready]");
  expect(agent.complaints).toEqual([]);
});

test("the page that leads to a visitor asks for it, too, and is kept for that group", async () => {
  const { context } = await stage.person("agent");
  const page = await context.newPage();
  const { origin } = stage.server;
  await page.goto(`${origin}/cobrowse?id=nobody`);
  await page.getByLabel("Your name").fill("Ann");
  await page.getByLabel("API key").fill(API_KEY);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("The group is needed, too.").waitFor();
  await page.getByLabel("Group").fill(GROUP);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Waiting for the visitor").waitFor();
  await page.goto(`${origin}/cobrowse?id=nobody`);
  await page.getByText("Waiting for the visitor").waitFor();
  // Who is signed in to one group is not to another.
  await page.goto(`${origin}/cobrowse?id=nobody&group=${OTHER.id}`);
  await page.getByLabel("API key").fill(OTHER.key);
  await page.getByLabel("Your name").fill("Ann");
  expect(await page.getByLabel("Group").isVisible()).toBe(false);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Waiting for the visitor").waitFor();
});

test("only agents' pages of the group that is named may frame it", async () => {
  const ancestors = async (query: string): Promise<string | undefined> => {
    const { headers } = await fetch(`${stage.server.origin}/cobrowse?id=nobody${query}`);
    return /frame-ancestors ([^;]*)/.exec(headers.get("content-security-policy") ?? "")?.[1];
  };
  expect(await ancestors("")).toBe("'none'");
  expect(await ancestors(`&group=${OTHER.id}`)).toContain("http://desk.test");
  expect(await ancestors(`&group=${GROUP}`)).not.toContain("http://desk.test");
  expect(await ancestors("&group=99")).toBe("'none'");
  expect(await ancestors("&group=%22;")).toBe("'none'");
});
