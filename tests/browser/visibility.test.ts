/** Hidden, frozen and prerendered pages: none of them is gone, and none is there before it is shown. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DevTools } from "./support/devtools";
import { eventually } from "./support/journal";
import { setVisibility } from "./support/page";
import { mintToken } from "./support/settings";
import { useStage } from "./support/stage";
import { visitorHtml, visitorScript } from "./support/visitor";

const ACK_MS = 1500;
const PING_MS = 400;
const GRACE_MS = 2500;

const stage = useStage({
  settings: { presence: { ack_ms: ACK_MS, grace_ms: GRACE_MS }, server: { ping_min_ms: PING_MS, ping_max_ms: PING_MS } },
});
let browser: DevTools;
beforeAll(() => void (browser = DevTools.open()));
afterAll(() => browser?.close());

/** Puts a page that tells the site what its visitor sees; gives its address. */
function page(path: string, visitorid: string): string {
  const script = `
    tell("loaded", { path: location.pathname, prerendering: document.prerendering });
    ${visitorScript({ visitorid }, "")}
    for (const event of ["focus", "blur", "connect"]) visitor["on" + event] = () => tell(event, { path: location.pathname });
    visitor.onsignal = (data) => tell("signal", { data, path: location.pathname });
    document.addEventListener("visibilitychange", () => tell("visibility", { path: location.pathname, state: document.visibilityState }));
    for (const event of ["freeze", "resume"]) document.addEventListener(event, () => tell(event, { path: location.pathname }));
    visitor.presence(); visitor.connect();`;
  return stage.site.page(path, visitorHtml(stage.server.origin, { script }));
}

function outcome(visitorid: string, id: string): Promise<string> {
  const ask = async () => (await stage.server.rest("GET", `/groups/12345/visitors/${visitorid}/signals/${id}`, mintToken())).body?.outcome;
  return eventually(ask, (outcome) => outcome !== "held");
}

test("a page that is hidden and shown tells so, and gets signals all the while", async () => {
  const visitor = await stage.visitor();
  const tab = await visitor.open("/one", { script: visitorScript({ visitorid: "ada" }) });
  await visitor.journal.next("connect");
  const agent = await (await stage.agent()).watch({ visitorid: "ada" });
  for (const visibility of ["hidden", "visible", "hidden", "visible"] as const) {
    await setVisibility(tab, visibility);
    expect(await agent.journal.next("visibility")).toEqual({ visibility });
    await agent.signal(visibility);
    expect(await visitor.journal.next("signal")).toBe(visibility);
  }
  expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
  expect(agent.journal.all("visitorsock")).toHaveLength(1);
});

test("of two real tabs the one in front gets the signals", async () => {
  const { told } = stage.site;
  const first = await browser.tab(page("/first", "bruno"));
  await told.next("connect", ({ path }) => path === "/first");
  const agent = await (await stage.agent()).watch({ visitorid: "bruno" });
  const second = await browser.tab(page("/second", "bruno"));
  await told.next("connect", ({ path }) => path === "/second");
  await second.show();
  await told.next("visibility", ({ path, state }) => path === "/first" && state === "hidden");
  await told.next("focus", ({ path }) => path === "/second");
  for (const [tab, path, other] of [[first, "/first", "/second"], [second, "/second", "/first"], [first, "/first", "/second"]] as const) {
    // What the tab heard of the focus before, as when it connected, is not meant.
    told.clear();
    const gotFocus = told.next("focus", (data) => data.path === path);
    await tab.show();
    await told.next("visibility", (data) => data.path === other && data.state === "hidden");
    await gotFocus;
    await agent.signal({ to: path });
    expect(await told.next("signal", ({ data }) => data.to === path)).toMatchObject({ path });
  }
  expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
  // Between two tabs there may be a moment when neither is seen, but in the end one is.
  await agent.journal.until(() => agent.journal.all("visibility").at(-1)?.visibility !== "hidden", "visible visitor");
  agent.journal.clear();
  // A page of somebody else comes to the front.
  const elsewhere = await browser.tab(stage.site.page("/elsewhere", "<h1>Elsewhere</h1>"));
  await elsewhere.show();
  expect(await agent.journal.next("visibility", ({ visibility }) => visibility === "hidden")).toEqual({ visibility: "hidden" });
  await agent.signal({ to: "hidden" });
  expect(await told.next("signal", ({ data }) => data.to === "hidden")).toMatchObject({ path: "/first" });
  await Promise.all([first.close(), second.close(), elsewhere.close()]);
  await agent.journal.next("visitorconn", ({ connected }) => !connected);
});

/** Chromium may keep a frozen page's socket, or close it when the page goes on. */
const browsers = [
  { does: "keeps", switches: ["--disable-features=DisconnectWebSocketOnBFCache"] },
  { does: "closes", switches: ["--enable-features=DisconnectWebSocketOnBFCache"] },
];

describe.each(browsers)("in a browser that $does the sockets of frozen pages", ({ does, switches }) => {
  let browser: DevTools;
  beforeAll(() => void (browser = DevTools.open(...switches)));
  afterAll(() => browser?.close());

  test("a frozen page is not gone; what came too late for it expires and is not shown", async () => {
    const { told } = stage.site;
    const [visitorid, path] = [`chiara-${does}`, `/frozen-${does}`];
    const mine = (data: any): boolean => data.path === path;
    const tab = await browser.tab(page(path, visitorid));
    await told.next("connect", mine);
    const cover = await browser.tab(stage.site.page("/cover", "<h1>Cover</h1>"));
    await cover.show();
    const agent = await (await stage.agent()).watch({ visitorid });
    await agent.signal({ n: 1 });
    await told.next("signal", mine);

    await tab.freeze();
    await told.next("freeze", mine);
    const late = await agent.signal({ n: 2 });
    expect(late.ok.outcome).toBe("held");
    expect(await outcome(visitorid, late.ok.id)).toBe("expired");
    // Longer than the server waits for one who is gone.
    await sleep(GRACE_MS);
    expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
    expect(agent.journal.all("visitorsock")).toHaveLength(1);
    expect((await agent.lookup()).ok).toMatchObject({ visitorid });

    await tab.thaw();
    await cover.close();
    await told.next("resume", mine);
    if (does === "closes") await told.next("connect", mine);
    await agent.signal({ n: 3 });
    await told.next("signal", (data) => mine(data) && data.data.n === 3);
    expect(stage.site.inOrder("signal").filter(mine).map(({ data }) => data.n)).toEqual([1, 3]);
    expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
    if (does === "keeps") expect(agent.journal.all("visitorsock")).toHaveLength(1);
    expect(await stage.server.figure('vestibule_closes_total{code="pingtimeout"}')).toBe(0);
    await tab.close();
  });

  test("a page frozen for a moment gets what came meanwhile", async () => {
    const { told } = stage.site;
    const [visitorid, path] = [`dora-${does}`, `/nap-${does}`];
    const mine = (data: any): boolean => data.path === path;
    const tab = await browser.tab(page(path, visitorid));
    await told.next("connect", mine);
    const agent = await (await stage.agent()).watch({ visitorid });
    await tab.freeze();
    await told.next("freeze", mine);
    const sent = [await agent.signal({ n: 1 }), await agent.signal({ n: 2 })];
    await tab.thaw();
    const got = () => told.all("signal").filter(mine);
    await told.until(() => got().length >= 2, "both signals");
    for (const { ok } of sent) expect(await outcome(visitorid, ok.id)).toBe("delivered");
    expect(stage.site.inOrder("signal").filter(mine).map(({ data }) => data.n)).toEqual([1, 2]);
    expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
    await tab.close();
  });
});

test("a prerendered page opens no socket before it is shown", async () => {
  const { told } = stage.site;
  page("/next", "emil");
  const rules = JSON.stringify({ prerender: [{ urls: ["/next"], eagerness: "immediate" }] });
  // The page follows its link as soon as the site has a page at /go.
  const follow = `
    const look = async () => (await fetch("/go")).ok ? document.querySelector("a").click() : setTimeout(look, 100);
    look();`;
  const start = `<script type="speculationrules">${rules}</script><a href="/next">next</a><script>${follow}</script>`;
  const agent = await (await stage.agent()).watch({ visitorid: "emil" });
  const target = await browser.leaveAlone(stage.site.page("/start", start));
  const next = (data: any): boolean => data.path === "/next";
  expect(await told.next("loaded", next)).toMatchObject({ prerendering: true });
  // What comes later by the same way shows that nothing came before.
  const other = await browser.tab(page("/other", "frida"));
  await told.next("connect", ({ path }) => path === "/other");
  expect(told.all("connect").filter(next)).toEqual([]);
  expect(agent.journal.all("visitorconn")).toEqual([{ connected: false }]);
  expect((await agent.signal("early")).fail).toBe("visitornotpresent");

  await other.close();
  stage.site.page("/go", "go");
  await told.next("connect", next);
  expect(told.all("loaded").filter(next)).toHaveLength(1);
  await agent.journal.next("visitorconn", ({ connected }) => connected);
  await agent.signal({ n: 1 });
  expect(await told.next("signal", next)).toMatchObject({ data: { n: 1 } });
  await browser.closeTab(target);
});
