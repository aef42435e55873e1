/** A visitor's page that chats by the SDK, and agents at their desks. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { DemoPage } from "./support/demo";
import { eventually } from "./support/journal";
import { html } from "./support/site";
import { useStage } from "./support/stage";

const stage = useStage({ development: true });
let pages = 0;

/** A visitor on a page of the site. */
class Guest {
  private constructor(readonly page: Page) {}

  static async enter(visitorid: string): Promise<Guest> {
    const visitor = await stage.visitor(visitorid);
    const guest = new Guest(await visitor.context.newPage());
    await guest.goes(visitorid);
    return guest;
  }

  /** Loads a page; the one before is gone. */
  async goes(visitorid: string): Promise<void> {
    const server = stage.server.origin;
    const script = `import { Visitor } from "${server}/sdk/visitor.js";
      import { VisitorChat } from "${server}/sdk/chat.js";
      window.visitor = new Visitor(${JSON.stringify({ server, group: "12345", visitorid })});
      window.chat = new VisitorChat(visitor);
      visitor.presence();`;
    const head = `<title>Kettles</title><script type="module">${script}</script>`;
    await this.page.goto(stage.site.page(`/chat-${(pages += 1)}`, html({ head, body: "<h1>Kettles</h1>" })));
    await this.page.waitForFunction(() => (window as any).visitor?.state === "connected");
  }

  /** Runs a call on the chat. */
  call(name: string, ...parameters: unknown[]): Promise<any> {
    return this.page.evaluate(([name, parameters]) => (window as any).chat[name as string](...(parameters as unknown[])), [name, parameters] as const);
  }

  async stands(status: string): Promise<any> {
    await this.page.waitForFunction((status) => (window as any).chat.view?.status === status, status);
    return this.page.evaluate(() => (window as any).chat.view);
  }

  async reads(text: string): Promise<void> {
    await this.page.waitForFunction((text) => (window as any).chat.view?.messages.some((message: { text: string }) => message.text === text), text);
  }

  enabled(button: string, enabled: boolean): Promise<unknown> {
    return this.page.waitForFunction(([button, enabled]) => (window as any).chat.enabled.has(button) === enabled, [button, enabled] as const);
  }
}

async function desk(name = "desk"): Promise<DemoPage> {
  const page = await DemoPage.open(stage, name, "/demo/agent");
  await page.has("body[data-session=ready]");
  return page;
}

const card = (visitorid: string): string => `[data-chat-card=${visitorid}]`;

async function says(desk: DemoPage, visitorid: string, text: string): Promise<void> {
  await desk.page.fill(`${card(visitorid)} [data-field=chat]`, text);
  await desk.page.press(`${card(visitorid)} [data-field=chat]`, "Enter");
}

test("a visitor waits, an agent takes the chat, and it goes on from page to page", async () => {
  const agent = await desk();
  await agent.has("#chats-empty", /Nobody waits/);
  await agent.picture("desk-chat-empty", { fullPage: false });
  const ada = await Guest.enter("ada");
  await ada.enabled("sales", false);
  await agent.click("[data-button=sales]");
  await ada.enabled("sales", true);
  await ada.call("open", "sales");
  await ada.call("say", "Does the kettle whistle? My card is 4111 1111 1111 1111.");
  const waits = await agent.has("#chat-queue li", /whistle/);
  expect(await waits.textContent()).toContain("•••• •••• •••• ••••");
  await agent.has("#chats-count", "1");
  await agent.picture("desk-chat-waiting", { fullPage: false });
  await agent.click("[data-action=claim-chat]");
  await ada.stands("open");
  await agent.has(`${card("ada")}[data-chat=open] [data-from=visitor]`, /whistle/);
  await says(agent, "ada", "It does, and it sings.");
  await ada.reads("It does, and it sings.");
  await agent.has(`${card("ada")} [data-from=agent]`, /sings/);
  await ada.goes("ada");
  await ada.reads("It does, and it sings.");
  await ada.call("typing");
  await agent.has(`${card("ada")} .chat-line`, /typing/);
  await ada.call("say", "Then I take two.");
  await agent.has(`${card("ada")} [data-from=visitor]`, /two/);
  await agent.picture("desk-chat-open", { fullPage: false });
  await agent.page.setViewportSize({ width: 390, height: 844 });
  await agent.picture("desk-chat-narrow");
  await agent.page.setViewportSize({ width: 1280, height: 860 });
  // The desk is loaded anew: the chat is still his, with all that was said.
  await agent.goto("/demo/agent?visitorid=ada");
  await agent.has(`${card("ada")}[data-chat=open] [data-from=visitor]`, /two/);
  expect(await agent.count(`${card("ada")} .chat-message`)).toBe(3);
  expect(await agent.page.isChecked("[data-button=sales]")).toBe(true);
  await ada.call("close");
  await agent.has(`${card("ada")}[data-chat=ended] .chat-note`, /closed the chat/);
  await agent.picture("desk-chat-ended", { fullPage: false });
  await agent.click("[data-action=dismiss-chat]");
  await agent.has(`${card("ada")}[data-chat=none] [data-action=invite]`);
  await agent.page.uncheck("[data-button=sales]");
  await ada.enabled("sales", false);
  expect(agent.complaints).toEqual([]);
});

test("an agent invites a visitor of the list, by keyboard, and is declined and then accepted", async () => {
  const agent = await desk();
  const bea = await Guest.enter("bea");
  await agent.click("[data-visitor=bea] button");
  await agent.page.focus(`${card("bea")} [data-field=chat]`);
  await agent.page.keyboard.type("May I help?");
  await agent.page.keyboard.press("Enter");
  expect((await bea.stands("invited")).messages[0].text).toBe("May I help?");
  await agent.has(`${card("bea")}[data-chat=invited]`);
  await agent.picture("desk-chat-invited", { fullPage: false });
  await bea.call("answer", false);
  await agent.has(`${card("bea")}[data-chat=ended] .chat-note`, /declined/);
  await agent.click(`${card("bea")} [data-action=dismiss-chat]`);
  await says(agent, "bea", "And now?");
  await bea.stands("invited");
  await bea.call("answer", true);
  await agent.has(`${card("bea")}[data-chat=open]`);
  // Something comes while the agent looks at somebody else.
  await agent.page.fill("#reach-id", "nobody");
  await agent.click("[data-testid=reach]");
  await bea.call("say", "Are you there?");
  await agent.has("#chat-own .unread", /^1/);
  await eventually(() => agent.page.title(), (title) => title.startsWith("(1)"));
  await agent.click("#chat-own button");
  await agent.page.locator("#chat-own .unread").waitFor({ state: "detached" });
  await agent.click(`${card("bea")} [data-action=release-chat]`);
  await bea.stands("waiting");
  await agent.click(`${card("bea")} [data-action=take-chat]`);
  await agent.click(`${card("bea")} [data-action=end-chat]`);
  expect((await bea.stands("ended")).reason).toBe("agent");
  await bea.page.close();
  expect(agent.complaints).toEqual([]);
});

test("an offer is a button that joins the session, and one that leads nowhere says so", async () => {
  const agent = await desk();
  await agent.click("[data-button=support]");
  const cleo = await Guest.enter("cleo");
  await cleo.enabled("support", true);
  await cleo.call("open", "support");
  await agent.click("[data-action=claim-chat]");
  await cleo.stands("open");
  const code = await cleo.page.evaluate(async () => {
    const { visitor, chat } = window as any;
    const entered = new Promise<{ code: string }>((resolve) => visitor.on("sessionentered", resolve));
    await visitor.startSession({ agreed: true, withcode: true, digits: 9 });
    const { code } = await entered;
    await chat.say(`{start:${code}}`);
    return code;
  });
  expect(code).toMatch(/^\d{9}$/);
  const offer = await agent.has(`${card("cleo")} .chat-offer`, /offers to show/);
  expect(await offer.textContent()).not.toContain(code);
  await agent.picture("desk-chat-offer", { fullPage: false });
  const [watching] = await Promise.all([agent.context.waitForEvent("page"), agent.click("[data-action=join-offer]")]);
  await watching.waitForURL(/\/watch\//);
  await watching.close();
  await cleo.page.evaluate(() => (window as any).visitor.endSession());
  await cleo.call("say", "{start:000000000}");
  await agent.page.locator("[data-action=join-offer]").nth(1).click();
  await agent.has(`${card("cleo")} .chat-offer .form-error`, /leads to no session/);
  // The browser says so too: it counts the refusal.
  expect(agent.complaints.filter((complaint) => !complaint.includes("404"))).toEqual([]);
});
