/** Chat in the frame: buttons, the panel, page changes, invitations, offers (`channelme.md` 4). */

import { join } from "node:path";
import type { FrameLocator } from "playwright-core";
import { expect, test } from "vitest";
import { ChatAgent } from "./support/chat-agent";
import { ConnectPage } from "./support/connect";
import { pictureFolder } from "./support/demo";
import { eventually } from "./support/journal";
import { GROUP } from "./support/settings";
import { useStage } from "./support/stage";

const stage = useStage();
/** Where no agent ever is. */
const quiet = useStage();

const LISTENS = `listen("~/site_connect/chat_button/#"); listen("~pagesession/#");`;
const bodyWith = (button: string): string => `<button id="chat" onclick="site_connect.publish('~pagesession/chat/trigger', '${button}')">Chat</button><input id="search">`;
const enabled = (button: string): string => `~/site_connect/chat_button/${button}/enabled`;
const disabled = (button: string): string => `~/site_connect/chat_button/${button}/disabled`;
const SHOW = "~pagesession/show_frame";
const MINIMIZE = "~pagesession/minimize_frame";
const HIDE = "~pagesession/hide_frame";

const panelOf = ({ page }: ConnectPage): FrameLocator => page.frameLocator("iframe");

/** What the visitor reads in the log. */
const log = (visitor: ConnectPage): Promise<string[]> => panelOf(visitor).locator("#log .said").allTextContents();

let count = 0;

async function open(button = "sales", where = stage): Promise<ConnectPage> {
  const visitor = await ConnectPage.open(where, { script: LISTENS, body: bodyWith(button) });
  await visitor.code();
  return visitor;
}

/** A visitor who has begun a chat with Ann. */
async function chatting(): Promise<{ visitor: ConnectPage; ann: ChatAgent; chat: string; button: string }> {
  const ann = await ChatAgent.open(stage, "Ann");
  // Of this test alone: an agent who is gone is waited for a while.
  const button = `sales-${(count += 1)}`;
  await ann.available(button);
  const visitor = await open(button);
  await visitor.journal.next(enabled(button));
  await visitor.page.click("#chat");
  const chat = await ann.claims(button);
  await panelOf(visitor).locator("#title", { hasText: "Ann" }).waitFor();
  return { visitor, ann, chat, button };
}

test("a button follows the agents who are available for it, and late subscribers hear how it stands", async () => {
  const visitor = await open();
  const ann = await ChatAgent.open(stage, "Ann");
  const bob = await ChatAgent.open(stage, "Bob");
  await ann.available("care");
  await visitor.journal.next(enabled("care"));
  await bob.available("care", "sales");
  await visitor.journal.next(enabled("sales"));
  await ann.available();
  await bob.available("care");
  await visitor.journal.next(disabled("sales"));
  expect(visitor.journal.names).not.toContain(disabled("care"));
  await visitor.page.evaluate(() => {
    for (const id of ["care", "sales", "nobody"]) for (const state of ["enabled", "disabled"]) (window as any).listen(`~/site_connect/chat_button/${id}/${state}`);
  });
  await visitor.journal.next(disabled("nobody"));
  const late = visitor.journal.names.slice(visitor.journal.names.indexOf("ack:~/site_connect/chat_button/care/enabled"));
  expect(late.filter((name) => name.startsWith("~/")).sort()).toEqual([enabled("care"), disabled("nobody"), disabled("sales")].sort());
  await bob.available();
  await visitor.journal.next(disabled("care"));
});

test("a click on a button begins a chat; both write, and it is minimized, counted, opened again, and ended", async () => {
  const { visitor, ann, chat, button } = await chatting();
  expect(await visitor.journal.next("~pagesession/chat/trigger")).toBe(button);
  await visitor.journal.next(SHOW);
  const panel = panelOf(visitor);
  // The focus went where one writes.
  await eventually(() => panel.locator("#text").evaluate((text) => text === document.activeElement && document.hasFocus()), (has) => has);
  await visitor.page.keyboard.type("Does the stool come in oak?");
  await visitor.page.keyboard.press("Enter");
  expect(await ann.hears()).toBe("Does the stool come in oak?");
  await ann.says(chat, "It does, and in <b>walnut</b>.");
  await eventually(() => log(visitor), (said) => said.includes("It does, and in <b>walnut</b>."));

  await visitor.page.keyboard.press("Escape");
  await visitor.journal.next(MINIMIZE);
  // Back where it was.
  expect(await visitor.page.evaluate(() => document.activeElement?.id)).toBe("chat");
  await ann.says(chat, "Shall I show you?");
  await ann.says(chat, "Are you there?");
  await panel.locator("#unread", { hasText: /^2$/ }).waitFor();
  await panel.locator("#restore").click();
  await visitor.journal.next(SHOW);
  expect(await log(visitor)).toEqual(["Does the stool come in oak?", "It does, and in <b>walnut</b>.", "Shall I show you?", "Are you there?"]);

  await panel.locator("#close").click();
  await panel.locator("#keep").click();
  await panel.locator("#close").click();
  await panel.locator("#end").click();
  await visitor.journal.next(HIDE);
  await ann.journal.next("chats", ({ put = [] }) => put.some((row: any) => row.chat === chat && row.status === "ended" && row.reason === "visitor"));
  expect(await visitor.page.locator("iframe").isVisible()).toBe(false);
  expect(visitor.visitor.diary.errors).toEqual([]);
});

test("what was refused stands in the field again, before what was begun since", async () => {
  const { visitor } = await chatting();
  const panel = panelOf(visitor);
  const long = "x".repeat(5_000);
  await panel.locator("#text").fill(long);
  await panel.locator("#text").press("Enter");
  await panel.locator("#trouble", { hasText: "too long" }).waitFor();
  expect(await panel.locator("#text").inputValue()).toBe(long);
  expect(await log(visitor)).not.toContain(long);
  // Where it was copied there may be what nobody sees.
  await panel.locator("#text").fill("shor\u0000ter");
  await panel.locator("#text").press("Enter");
  await eventually(() => log(visitor), (said) => said.includes("shorter"));
  expect(await panel.locator("#text").inputValue()).toBe("");
  expect(await panel.locator("#trouble").textContent()).toBe("");
});

test("the chat survives page changes and reloads, and is on the visitor's other pages too", async () => {
  const { visitor, ann, chat } = await chatting();
  await ann.says(chat, "Good morning");
  await eventually(() => log(visitor), (said) => said.length === 1);
  await visitor.page.goto(ConnectPage.put(stage, { path: "/chat-two", script: LISTENS }));
  await eventually(() => log(visitor), (said) => said.join() === "Good morning");
  await visitor.page.locator("iframe").waitFor({ state: "visible" });
  await panelOf(visitor).locator("#text").fill("From another page");
  await panelOf(visitor).locator("#send").click();
  expect(await ann.hears()).toBe("From another page");
  await visitor.page.reload();
  await eventually(() => log(visitor), (said) => said.join() === "Good morning,From another page");
  // A new tab has it minimized: the visitor did not open it there.
  const tab = await visitor.visitor.context.newPage();
  await tab.goto(stage.site.origin + "/chat-two");
  await tab.frameLocator("iframe").locator("#restore").click();
  await eventually(() => tab.frameLocator("iframe").locator("#log .said").allTextContents(), (said) => said.join() === "Good morning,From another page");
});

test("an agent who ends it leaves the last words to be read; a minimized frame goes at once", async () => {
  const { visitor, ann, chat, button } = await chatting();
  await ann.says(chat, "Good bye");
  await ann.ask({ type: "endchat", chat });
  await panelOf(visitor).locator("#status", { hasText: "The chat has ended" }).waitFor();
  expect(await log(visitor)).toContain("Good bye");
  expect(visitor.journal.names).not.toContain(HIDE);
  await panelOf(visitor).locator("#done").click();
  await visitor.journal.next(HIDE);

  await visitor.page.click("#chat");
  const next = await ann.claims(button);
  await visitor.publish(MINIMIZE);
  await visitor.journal.next(MINIMIZE);
  await ann.ask({ type: "endchat", chat: next });
  await visitor.journal.next(HIDE);
});

test("an agent's invitation shows itself without taking the focus, is accepted or declined", async () => {
  const ann = await ChatAgent.open(stage, "Ann");
  const visitor = await open();
  const code = await visitor.code();
  const found = await stage.server.rest("GET", `/groups/${GROUP}/visitors?uniqueid=${code}`, await stage.token());
  const { visitorid } = found.body.visitors[0];
  const panel = panelOf(visitor);
  await visitor.page.focus("#search");
  const invite = (): Promise<any> => ann.ask({ type: "invitechat", visitorid, text: "May I help you choose?" });
  const { chat } = (await invite()).chat;
  expect(await visitor.journal.next("~pagesession/proactive/trigger")).toEqual({ name: "Ann" });
  await visitor.journal.next(SHOW);
  await panel.locator("#log .said", { hasText: "May I help you choose?" }).waitFor();
  await visitor.page.keyboard.type("still mine");
  expect(await visitor.page.inputValue("#search")).toBe("still mine");
  await panel.locator("#accept").click();
  await panel.locator("#text").fill("Yes!");
  await panel.locator("#send").click();
  expect(await ann.hears()).toBe("Yes!");
  await ann.ask({ type: "endchat", chat });
  await panel.locator("#done").click();
  await visitor.journal.next(HIDE);

  await invite();
  await visitor.journal.next("~pagesession/proactive/trigger");
  await panel.locator("#decline").click();
  await visitor.journal.next(HIDE);
  await ann.journal.next("chats", ({ put = [] }) => put.some((row: any) => row.reason === "declined"));
});

test("nobody there is said in the panel, and the page's own trigger may be wrong", async () => {
  const visitor = await open("sales", quiet);
  await visitor.page.click("#chat");
  await visitor.journal.next(SHOW);
  await panelOf(visitor).locator("#trouble", { hasText: "Nobody is there just now" }).waitFor();
  await visitor.publish("~pagesession/chat/trigger", { not: "a button" });
  await panelOf(visitor).locator("#trouble", { hasText: "Nobody is there just now" }).waitFor();
  await panelOf(visitor).locator("#close").click();
  await visitor.journal.next(HIDE);
});

test("an offer of either side begins the session of its code", async () => {
  const { visitor, ann, chat } = await chatting();
  const panel = panelOf(visitor);
  await panel.locator("#share").click();
  const text = await ann.hears();
  expect(text).toMatch(/^\{start:\d{9}\}$/);
  await panel.locator("#log .said", { hasText: "You offered to show this page." }).waitFor();
  const joined = await stage.server.rest("POST", `/groups/${GROUP}/sessions`, await stage.token(), { code: text.slice(7, 16) });
  expect(joined.status).toBe(201);
  await visitor.call("stop_session");
  await panel.locator("#share:enabled").waitFor();

  await ann.says(chat, "{start:123456789}");
  await panel.locator("[data-action=share]").click();
  await panel.locator("#share:disabled").waitFor();
  expect((await log(visitor)).join()).not.toContain("start:");
});

test("the panel is drawn in light and dark, and reads well to those who hear it", async () => {
  const { visitor, ann, chat } = await chatting();
  const panel = panelOf(visitor);
  await panel.locator("#text").fill("Hello! I ordered a stool in oak last week, and it came in walnut.");
  await panel.locator("#send").click();
  await ann.hears();
  for (const text of ["Good morning! I am sorry about that.", "I look it up, one moment please.", "{start:123456789}"]) await ann.says(chat, text);
  await panel.locator("[data-action=share]").waitFor();
  await ann.ask({ type: "typing", chat });
  await panel.locator("#typing", { hasText: "Ann is typing" }).waitFor();
  expect(await panel.locator("#log").getAttribute("role")).toBe("log");
  expect(await panel.getByLabel("Your message").count()).toBe(1);
  for (const name of ["Minimize", "End chat", "Send", "Show my page"]) expect(await panel.getByRole("button", { name, exact: true }).count(), name).toBe(1);
  for (const colorScheme of ["light", "dark"] as const) {
    await visitor.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await visitor.page.addStyleTag({ content: `:root { color-scheme: ${colorScheme}; }` });
    await visitor.page.locator("iframe").screenshot({ path: join(pictureFolder(), `chat-${colorScheme}.png`) });
  }
  await visitor.page.setViewportSize({ width: 340, height: 480 });
  await visitor.page.screenshot({ path: join(pictureFolder(), "chat-small.png") });
  await visitor.publish(MINIMIZE);
  await visitor.journal.next(MINIMIZE);
  await ann.says(chat, "Found it");
  await panel.locator("#unread", { hasText: "1" }).waitFor();
  await visitor.page.screenshot({ path: join(pictureFolder(), "chat-pill.png") });
});

test("the panel speaks the page's language, and the page's own words", async () => {
  const words = JSON.stringify({ send: "Ab die Post", "status.waiting": "<b>Gleich</b>" });
  const ann = await ChatAgent.open(stage, "Ann");
  await ann.ask({ type: "available", buttons: ["sales"] });
  const script = `document.documentElement.lang = "de-DE"; document.querySelector("script[src*=site_connect]").dataset.words = ${JSON.stringify(words)};`;
  const visitor = await ConnectPage.open(stage, { script });
  await visitor.code();
  expect(await visitor.page.locator("iframe").getAttribute("title")).toBe("Kontakt");
  await visitor.publish("~pagesession/chat/trigger", "sales");
  const panel = panelOf(visitor);
  await panel.locator("#status", { hasText: "<b>Gleich</b>" }).waitFor();
  for (const name of ["Verkleinern", "Chat beenden", "Ab die Post", "Meine Seite zeigen"]) expect(await panel.getByRole("button", { name, exact: true }).count(), name).toBe(1);
  expect(await panel.getByLabel("Ihre Nachricht").count()).toBe(1);
  expect(await panel.locator("html").getAttribute("lang")).toBe("de");
  expect(visitor.warnings).toEqual([]);
  await visitor.page.screenshot({ path: join(pictureFolder(), "chat-german.png") });
});
