/** One visitor with several tabs: which of them has the focus, and what a tab's end means. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { eventually } from "./support/journal";
import { setVisibility } from "./support/page";
import { GROUP, mintToken } from "./support/settings";
import { useStage } from "./support/stage";
import type { VisitorBrowser } from "./support/visitor";

const stage = useStage();

/** Puts a page that tells to a journal of its own, named by the query: `?first`. */
function putPage(visitor: VisitorBrowser, visitorid: string): void {
  const script = `
    const events = ["signal", "error", "connect", "focus", "blur"];
    window.visitor = noteAll(location.search.slice(1), new GLANCE.Presence.Visitor({ visitorid: "${visitorid}" }), events);
    visitor.connect();`;
  visitor.put(`/${visitorid}`, { script });
}

async function twoTabs(visitorid: string) {
  const visitor = await stage.visitor(visitorid);
  putPage(visitor, visitorid);
  const first = await visitor.open(`/${visitorid}?first`);
  const one = visitor.diary.journal("first");
  await one.next("connect");
  const second = await visitor.open(`/${visitorid}?second`);
  const two = visitor.diary.journal("second");
  await two.next("connect");
  await one.next("blur");
  return { visitor, first, second, one, two };
}

interface Tab {
  readonly tab: string;
  readonly page: string;
  readonly focus: boolean;
  readonly visible: boolean;
}

async function tabsOf(visitorid: string): Promise<Tab[]> {
  const { body } = await stage.server.rest("GET", `/groups/${GROUP}/visitors/${visitorid}`, mintToken());
  return body.tabs ?? [];
}

const focusWindow = (page: Page) => page.evaluate(() => window.dispatchEvent(new Event("focus")));

test("the tab with the latest activity has the focus and gets the signals", async () => {
  const { first, one, two } = await twoTabs("tabbed");
  const agent = await (await stage.agent()).watch({ visitorid: "tabbed" });
  expect(one.names).toEqual(["focus", "connect", "blur"]);
  expect(two.names).toEqual(["focus", "connect"]);
  await agent.signal("to the second");
  expect(await two.next("signal")).toBe("to the second");
  await focusWindow(first);
  await one.next("focus", undefined);
  await two.next("blur");
  await agent.signal("to the first");
  expect(await one.next("signal")).toBe("to the first");
  expect([one.all("signal"), two.all("signal")]).toEqual([["to the first"], ["to the second"]]);
  expect((await tabsOf("tabbed")).map(({ focus }) => focus).sort()).toEqual([false, true]);
});

test("a visible tab goes before a hidden one, whatever was active last", async () => {
  const { first, second, one, two } = await twoTabs("hiding");
  const agent = await (await stage.agent()).watch({ visitorid: "hiding" });
  await setVisibility(second, "hidden");
  await two.next("blur");
  await one.next("focus", undefined);
  await agent.signal(1);
  await one.next("signal");
  await setVisibility(first, "hidden");
  expect(await agent.journal.next("visibility")).toEqual({ visibility: "hidden" });
  await setVisibility(second, "visible");
  await agent.journal.next("visibility", ({ visibility }) => visibility === "visible");
  await two.next("focus");
  await agent.signal(2);
  await two.next("signal");
  // The visitor had a visible page all the while that the second tab alone was hidden.
  expect(agent.journal.all("visibility").map(({ visibility }) => visibility)).toEqual(["hidden", "visible"]);
  expect([one.all("signal"), two.all("signal")]).toEqual([[1], [2]]);
});

test("a signal to all tabs reaches each of them once", async () => {
  const { one, two } = await twoTabs("everywhere");
  const path = `/groups/${GROUP}/visitors/everywhere/signals`;
  const { status } = await stage.server.rest("POST", path, mintToken(), { data: "to all", target: "all" });
  expect(status).toBe(202);
  for (const journal of [one, two]) expect(await journal.next("signal")).toBe("to all");
  const agent = await (await stage.agent()).make({ visitorid: "everywhere" });
  await agent.signal("to one");
  await two.next("signal", (data) => data === "to one");
  expect([one.all("signal"), two.all("signal")]).toEqual([["to all"], ["to all", "to one"]]);
});

test("closing a tab is no leave; the other gets the focus and the signals", async () => {
  const { second, one } = await twoTabs("closing");
  const agent = await (await stage.agent()).watch({ visitorid: "closing" });
  expect(agent.journal.all("visitorsock")).toEqual([{ connected: true, sockets: 2 }]);
  await second.close();
  expect(await agent.journal.next("visitorsock", ({ sockets }) => sockets === 1)).toEqual({ connected: false, sockets: 1 });
  await one.next("focus", undefined);
  await agent.signal("to the one left");
  await one.next("signal");
  expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
});

const superseded = () => stage.server.figure('vestibule_closes_total{code="superseded"}');

test("a tab that a page opened has copied its storage and is a tab of its own", async () => {
  const closes = await superseded();
  const { first, visitor } = await twoTabs("opener");
  const opened = visitor.context.waitForEvent("page");
  await first.evaluate(() => void window.open("/opener?third"));
  const third = await opened;
  await visitor.diary.journal("third").next("connect");
  const storages = await Promise.all([first, third].map((page) => page.evaluate(() => sessionStorage.getItem("vestibule.tab"))));
  expect(storages[0]).toMatch(/^[0-9a-f]{16}$/);
  expect(storages[1]).not.toBe(storages[0]);
  expect(new Set((await tabsOf("opener")).map(({ tab }) => tab)).size).toBe(3);
  expect(await superseded()).toBe(closes);
});

test("a copy that could not be told takes a new tab id when it is superseded", async () => {
  const closes = await superseded();
  const visitor = await stage.visitor("copied");
  putPage(visitor, "copied");
  const first = await visitor.open("/copied?first");
  const one = visitor.diary.journal("first");
  await one.next("connect");
  const storage = await first.evaluate(() => sessionStorage.getItem("vestibule.tab"));
  const second = await visitor.context.newPage();
  // What a browser leaves that restores a tab: its storage, without the mark of a living page.
  await second.addInitScript((tab) => sessionStorage.setItem("vestibule.tab", tab as string), storage);
  await second.goto(`${stage.site.origin}/copied?second`);
  await visitor.diary.journal("second").next("connect");
  // The first comes back under a new id, and both stay.
  await one.next("connect");
  const tabs = await eventually(() => tabsOf("copied"), (found) => found.length === 2);
  expect(new Set(tabs.map(({ tab }) => tab)).size).toBe(2);
  expect(await superseded()).toBe(closes + 1);
  expect(await first.evaluate(() => sessionStorage.getItem("vestibule.tab"))).not.toBe(storage);
  expect([...one.all("error"), ...visitor.diary.errors]).toEqual([]);
});

test("two objects on one page, and a frame, disturb nobody", async () => {
  const closes = await superseded();
  const visitor = await stage.visitor("framed");
  putPage(visitor, "framed");
  const page = await visitor.open("/framed?first");
  const one = visitor.diary.journal("first");
  await one.next("connect");
  await page.evaluate(() => {
    const { GLANCE, noteAll } = window as any;
    noteAll("again", new GLANCE.Presence.Visitor({ visitorid: "framed" }), ["signal", "connect"]).connect();
    const frame = document.createElement("iframe");
    frame.src = "/framed?frame";
    document.body.append(frame);
  });
  await visitor.diary.journal("frame").next("connect");
  const tabs = await eventually(() => tabsOf("framed"), (found) => found.length === 2);
  expect(tabs).toHaveLength(2);
  expect(await superseded()).toBe(closes);
  expect(visitor.diary.errors).toEqual([]);
});
