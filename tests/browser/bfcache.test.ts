/** Pages that carry the SDK stay fit for the back-forward cache, and go on when they come back from it. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { travel } from "./support/page";
import { html } from "./support/site";
import { useStage } from "./support/stage";
import { visitorScript, type VisitorBrowser } from "./support/visitor";

const stage = useStage();

const LIFE = `
for (const name of ["pageshow", "pagehide"]) addEventListener(name, ({ persisted }) => tell(name, { persisted, path: location.pathname }));
`;

interface Hello {
  readonly tab: string;
  readonly page: string;
  readonly seen?: readonly string[];
}

/** Tells what a page's sockets say; the driver does not see those of a page that came back from the cache. */
const WIRE = `{
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) {
    const frame = JSON.parse(text);
    if (frame.type === "hello") tell("hello", { frame });
    return send.call(this, text);
  };
}`;

function hellos(): Hello[] {
  return stage.site.inOrder("hello").map(({ frame }) => frame);
}

function parts(calls = "visitor.presence(); visitor.connect();") {
  const script = visitorScript({ visitorid: "ada" }, "") + `
    visitor.onsignal = (data) => tell("signal", { data, path: location.pathname });
    visitor.onconnect = () => tell("connect", { path: location.pathname });
    ${LIFE} ${calls}`;
  return { script: WIRE + script };
}

async function enter(visitor: VisitorBrowser, path: string): Promise<Page> {
  const page = await visitor.open(path, parts());
  await stage.site.told.next("connect", (data) => data.path === path);
  return page;
}

test("a page comes back from the cache with a new socket, and its visitor never left", async () => {
  const { told } = stage.site;
  const visitor = await stage.visitor();
  stage.site.page("/plain", html({ script: LIFE }));
  const page = await enter(visitor, "/one");
  const agent = await (await stage.agent()).watch({ visitorid: "ada" });
  await agent.signal({ n: 1 });
  await told.next("signal", ({ data }) => data.n === 1);
  await page.waitForFunction(() => {
    const [, seen] = Object.entries(sessionStorage).find(([name]) => name.startsWith("vestibule.seen")) ?? [];
    return seen && (JSON.parse(seen) as unknown[][]).every(([, , isConfirmed]) => isConfirmed);
  });
  const tab = await page.evaluate(() => sessionStorage.getItem("vestibule.tab"));

  // A page of the site without us: the socket ends as the page is left, not when the cache lets it go.
  await page.goto(`${stage.site.origin}/plain`);
  expect(await told.next("pagehide", ({ path }) => path === "/one")).toMatchObject({ persisted: true });
  expect(await agent.journal.next("visitorsock", ({ connected }) => !connected)).toEqual({ connected: false, sockets: 0 });
  expect(await agent.signal({ n: 2 })).toMatchObject({ ok: { outcome: "held" } });

  await travel(page, -1);
  expect(await told.next("pageshow", ({ path }) => path === "/one")).toMatchObject({ persisted: false });
  expect(await told.next("pageshow", ({ path }) => path === "/one")).toMatchObject({ persisted: true });
  await told.next("connect", ({ path }) => path === "/one");
  await told.next("signal", ({ data }) => data.n === 2);
  await agent.signal({ n: 3 });
  await told.next("signal", ({ data }) => data.n === 3);
  const [first, second, ...more] = hellos();
  expect(more).toEqual([]);
  expect(first).toMatchObject({ tab });
  expect(second).toMatchObject({ tab });
  expect(second?.page).not.toBe(first?.page);
  // The acknowledgements arrived, so there is nothing to tell.
  expect(second?.seen).toBeUndefined();

  expect(stage.site.inOrder("signal").map(({ data }) => data.n)).toEqual([1, 2, 3]);
  expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
  expect(visitor.diary.errors).toEqual([]);
});

test("between two cached pages the tab stays one tab, and what one page saw the other does not see again", async () => {
  const { told } = stage.site;
  told.clear();
  const visitor = await stage.visitor();
  const page = await visitor.context.newPage();
  await page.goto(visitor.put("/one", parts()));
  await told.next("connect");
  const agent = await (await stage.agent()).watch({ visitorid: "ada" });
  visitor.put("/two", parts());
  await page.goto(`${stage.site.origin}/two`);
  await told.next("connect");
  let n = 0;
  // Back and forth; each time the page that was left sleeps in the cache.
  for (const turn of ["back", "forward", "back", "forward", "back"] as const) {
    await agent.signal({ n: (n += 1) });
    await told.next("signal", ({ data }) => data.n === n);
    // Sent just as the page is left: one of the two pages gets it.
    const last = agent.signal({ n: (n += 1) });
    await page.evaluate((turn) => setTimeout(() => history[turn](), 0), turn);
    expect(await told.next("pageshow", ({ persisted }) => persisted)).toBeTruthy();
    await told.next("connect");
    expect(await last).toHaveProperty("ok");
  }
  await told.until(() => told.all("signal").length >= n, "all signals");
  expect(stage.site.inOrder("signal").map(({ data }) => data.n)).toEqual(Array.from({ length: n }, (_, at) => at + 1));
  expect(hellos()).toHaveLength(7);
  expect(new Set(hellos().map(({ tab }) => tab)).size).toBe(1);
  expect(new Set(hellos().map(({ page }) => page)).size).toBe(7);
  expect(await stage.server.figure('vestibule_sockets_open{kind="visitor"}')).toBe(1);
  expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
});

test("an agent's page comes back from the cache and watches on, without a repeated state", async () => {
  const visitor = await stage.visitor();
  await enter(visitor, "/one");
  const desk = await stage.agent();
  const agent = await desk.watch({ visitorid: "ada" });
  stage.site.page("/elsewhere", "<h1>Elsewhere</h1>");
  await desk.page.goto(`${stage.site.origin}/elsewhere`);
  await travel(desk.page, -1);
  await desk.page.waitForFunction(() => (window as any).GLANCE !== undefined);
  await visitor.open("/one");
  expect(await agent.journal.next("visitorsock", ({ sockets }) => sockets === 2)).toEqual({ connected: true, sockets: 2 });
  expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
  expect(await agent.signal("still here")).toHaveProperty("ok");
});

test("neither side registers an unload or a beforeunload handler, and nothing speaks against the cache", async () => {
  const visitor = await stage.visitor();
  const watch = (): void => {
    const page = window as any;
    page.registered = [];
    const add = EventTarget.prototype.addEventListener;
    EventTarget.prototype.addEventListener = function (this: EventTarget, type: string, ...rest: any[]) {
      page.registered.push(type);
      return (add as any).call(this, type, ...rest);
    };
  };
  await visitor.context.addInitScript(watch);
  const page = await enter(visitor, "/one");
  await page.goto(visitor.put("/two", parts("visitor.connectUnique({ data: { cart: 1 } });")));
  await stage.site.told.next("connect", ({ path }) => path === "/two");
  const desk = await stage.agent();
  await desk.context.addInitScript(watch);
  await desk.page.reload();
  await desk.watch({ visitorid: "ada" });
  for (const each of [page, desk.page]) {
    const registered: string[] = await each.evaluate(() => (window as any).registered);
    expect(registered).toContain("pagehide");
    expect(registered.filter((type) => /unload/.test(type))).toEqual([]);
    expect(await each.evaluate(() => [window.onunload, window.onbeforeunload])).toEqual([null, null]);
    expect(await listeners(each)).not.toContain("unload");
    expect(await listeners(each)).not.toContain("beforeunload");
  }
  expect(await page.evaluate(() => (performance.getEntriesByType("navigation")[0] as any).notRestoredReasons)).toBeNull();
});

/** What the browser itself knows to be listened for on the window. */
async function listeners(page: Page): Promise<string[]> {
  const cdp = await page.context().newCDPSession(page);
  const { result } = await cdp.send("Runtime.evaluate", { expression: "window" });
  const { listeners } = await cdp.send("DOMDebugger.getEventListeners", { objectId: result.objectId! });
  return listeners.map(({ type }) => type);
}
