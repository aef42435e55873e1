/** A page that was written for Oracle's Cobrowse object: its calls, states and events. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { Reasons } from "../../sdk/facades/oracle/states";
import { press } from "./support/cobrowse";
import { eventually } from "./support/journal";
import { joins, Shopper, SITE_CODE } from "./support/oracle";
import { setVisibility } from "./support/page";
import { GROUP, mintToken } from "./support/settings";
import { useStage } from "./support/stage";

const cobrowse = { site_code: SITE_CODE };
const stage = useStage({ settings: { cobrowse, sessions: { agent_grace_ms: 500 } } });

const none = { accessCode: "undefined", SID: "undefined", siteCode: SITE_CODE };

test("a session's life: every event with its properties, in order", async () => {
  const shopper = await Shopper.come(stage);
  const page = await shopper.open("/one", {});
  await page.is("READY");
  expect(await page.start()).toEqual({ result: true, description: "" });
  const code = await page.code();
  expect(code).toMatch(/^\d{6}$/);
  await page.is("ACTIVE:WAIT");
  expect(await page.session()).toEqual({ state: "ACTIVE:WAIT", accessCode: code, mode: "ICB", previousState: "ACTIVE" });
  const ann = await joins(stage, { code });
  await ann.sees("#page");
  const { id } = await shopper.journal.next("AgentConnected");
  await ann.page.close();
  await shopper.journal.next("AgentDisconnected");
  const bea = await joins(stage, { code }, "Bea");
  const other = (await shopper.journal.next("AgentConnected")).id;
  expect(other).not.toBe(id);
  expect(await page.stop({ reason: "the order is placed" })).toEqual({ result: true, description: "" });
  await page.is("READY");
  await bea.standing("ended");
  const of = { accessCode: code, SID: "undefined", siteCode: SITE_CODE };
  const changed = (state: string, previousState: string, common: object = of) => ({ name: "StateChanged", data: { state, previousState, ...common } });
  expect(shopper.journal.entries).toEqual([
    changed("READY", "INIT", none),
    { name: "SessionStarting", data: { SID: "undefined", siteCode: SITE_CODE } },
    changed("STARTING", "READY", none),
    { name: "SessionStarted", data: { ...of, mode: "ICB" } },
    changed("ACTIVE", "STARTING"),
    changed("ACTIVE:WAIT", "ACTIVE"),
    { name: "AgentConnected", data: { name: "Ann", id, ...of } },
    changed("ACTIVE:ACTIVE", "ACTIVE:WAIT"),
    { name: "AgentDisconnected", data: { name: "Ann", id, ...of } },
    changed("ACTIVE:WAIT", "ACTIVE:ACTIVE"),
    { name: "AgentConnected", data: { name: "Bea", id: other, ...of } },
    changed("ACTIVE:ACTIVE", "ACTIVE:WAIT"),
    changed("DISCONNECTING", "ACTIVE:ACTIVE"),
    { name: "SessionEnded", data: { reason: "the order is placed", ...of, agentCount: 1 } },
    changed("READY", "DISCONNECTING", none),
  ]);
  expect(await page.session()).toEqual({ state: "READY", accessCode: undefined, mode: null, previousState: "DISCONNECTING" });
  expect(shopper.complaints).toEqual([]);
});

test("what a state forbids is refused and throws nothing", async () => {
  const shopper = await Shopper.come(stage);
  const page = await shopper.open("/one", {});
  await page.is("READY");
  const call = (name: string, params?: unknown) =>
    page.tab.evaluate(({ name, params }) => name.split(".").reduce((object, key) => object[key], (window as any).Cobrowse.API)(params), { name, params });
  expect(await page.stop()).toEqual({ result: false, description: "Invalid app state: READY" });
  expect(await page.start({ SID: "two words" })).toMatchObject({ result: false });
  expect(await call("checkEnvironment")).toEqual({ ICB: true, ACB: false });
  expect([await call("setReportingId", {}), await call("setReportingId"), await call("setReportingId", { extKey: "a b" })]).toEqual([false, false, false]);
  expect(await call("setReportingId", { extKey: "visit-7" })).toBe(true);
  expect(await call("Session.startAdvancedMode")).toMatchObject({ result: false });
  await page.start();
  await page.is("ACTIVE:WAIT");
  expect(await page.start()).toEqual({ result: false, description: "Invalid app state: ACTIVE:WAIT" });
  expect(await call("checkEnvironment")).toEqual({ ICB: false, ACB: false });
  expect(await call("setReportingId", { extKey: "late" })).toBe(false);
  const running = await stage.server.rest("GET", `/groups/${GROUP}/sessions`, mintToken());
  expect(running.body.sessions).toHaveLength(1);
  const { session, reportingid, reference } = running.body.sessions[0];
  expect([reportingid, reference]).toEqual(["visit-7", null]);
  await page.stop();
  await page.is("READY");
  const over = await stage.server.rest("GET", `/groups/${GROUP}/sessions/${session}`, mintToken());
  expect(over.body.over).toMatchObject({ reportingid: "visit-7", reason: "visitor", text: null });
});

test("a session survives a page load: the state alone tells of it", async () => {
  const shopper = await Shopper.come(stage);
  const page = await shopper.open("/one", {});
  shopper.put("/two", { body: `<h1 id="second">two</h1>` });
  await page.start();
  const code = await page.code();
  const ann = await joins(stage, { code });
  await ann.sees("#page");
  await page.is("ACTIVE:ACTIVE");
  shopper.journal.clear();
  await page.tab.click("a");
  await page.tab.waitForURL("**/two");
  await page.leaves("INIT");
  expect(await page.session()).toEqual({ state: "ACTIVE:ACTIVE", accessCode: code, mode: "ICB", previousState: "INIT" });
  await ann.sees("#second");
  expect(shopper.journal.entries).toEqual([
    { name: "StateChanged", data: { state: "ACTIVE:ACTIVE", previousState: "INIT", accessCode: code, SID: "undefined", siteCode: SITE_CODE } },
  ]);
  await page.stop();
  expect(await shopper.journal.next("SessionEnded")).toMatchObject({ reason: "USER_INITIATED", accessCode: code, agentCount: 1 });
});

test("what one tab begins is there in the other", async () => {
  const shopper = await Shopper.come(stage);
  const first = await shopper.open("/one", {});
  const second = await shopper.open("/two", {});
  await second.is("READY");
  await setVisibility(second.tab, "hidden");
  await first.start();
  const code = await first.code();
  expect(await second.code()).toBe(code);
  await second.is("ACTIVE:WAIT");
  const ann = await joins(stage, { code });
  await ann.sees("#page");
  for (const page of [first, second]) await page.is("ACTIVE:ACTIVE");
  await second.stop({ reason: "from the second" });
  for (const page of [first, second]) await page.is("READY");
  expect(shopper.journal.all("SessionEnded").map(({ reason }) => reason)).toEqual(["from the second", "from the second"]);
  expect(shopper.journal.all("SessionStarted")).toHaveLength(2);
});

test("an integrated session has an identifier from outside, and no code", async () => {
  const shopper = await Shopper.come(stage);
  const page = await shopper.open("/one", {});
  await page.is("READY");
  expect(await page.start({ SID: "chat-4711" })).toMatchObject({ result: true });
  await page.is("ACTIVE:WAIT");
  const of = { accessCode: "undefined", SID: "chat-4711", siteCode: SITE_CODE };
  expect(await shopper.journal.next("SessionStarting")).toEqual({ SID: "chat-4711", siteCode: SITE_CODE });
  expect(await shopper.journal.next("SessionStarted")).toEqual({ ...of, mode: "ICB" });
  expect(await page.drawn("code")).toBeUndefined();
  const ann = await joins(stage, { reference: "chat-4711" });
  await ann.sees("#page");
  expect(await shopper.journal.next("AgentConnected")).toMatchObject({ name: "Ann", ...of });
  await page.tab.reload();
  await page.is("ACTIVE:ACTIVE");
  await page.stop();
  expect(await shopper.journal.next("SessionEnded")).toEqual({ reason: "USER_INITIATED", ...of, agentCount: 1 });
  await expect(joins(stage, { reference: "chat-4711" })).rejects.toThrow("404");
});

test("an end by an agent is told as such, and said to the visitor until he closes it", async () => {
  const shopper = await Shopper.come(stage);
  const page = await shopper.open("/one", {});
  await page.start();
  const ann = await joins(stage, { code: await page.code() });
  await ann.sees("#page");
  await ann.page.click("#end");
  await ann.page.click("#ending button[value=end], #ending .primary");
  expect(await shopper.journal.next("SessionEnded")).toMatchObject({ reason: "AGENT_INITIATED", agentCount: 1 });
  await eventually(() => page.drawn("text"), (text) => text === "The agent ended it.");
  await press(page.tab, "close", "launcherRoot");
  await eventually(() => page.drawn("start"), (text) => text === "Show this page to an agent");
  expect(await page.drawn("text")).toBeUndefined();
});

test("an end by the bar is the visitor's", async () => {
  const shopper = await Shopper.come(stage);
  const page = await shopper.open("/one", {});
  await page.start();
  await page.code();
  await press(page.tab, "stop");
  expect(await shopper.journal.next("SessionEnded")).toMatchObject({ reason: "USER_INITIATED", agentCount: 0 });
  await page.is("READY");
  expect(await page.drawn("panel")).toBeUndefined();
});

test("a session that an agent begins is told like one that the page began", async () => {
  const shopper = await Shopper.come(stage);
  const page = await shopper.open("/one", {});
  await page.is("READY");
  const { body } = await stage.server.rest("GET", `/groups/${GROUP}/visitors?transit=false&url[prefix]=${encodeURIComponent(stage.site.origin)}`, mintToken());
  const [{ visitorid }] = body.visitors.filter((visitor: { data: { url: string } }) => visitor.data.url.endsWith("/one"));
  await stage.server.rest("POST", `/groups/${GROUP}/sessions`, mintToken(), { visitorid });
  await page.is("ACTIVE:WAIT");
  expect(shopper.story).toEqual(["READY", "SessionStarting", "STARTING", "SessionStarted", "ACTIVE", "ACTIVE:WAIT"]);
  expect((await page.session()).accessCode).toBeUndefined();
});

describe("links away from the site", () => {
  // The same server under another name is another site to a browser.
  const elsewhere = (): string => stage.site.page("/elsewhere", "<h1>Elsewhere</h1>").replace("127.0.0.1", "localhost");
  // What a page notes while it is left may be lost on the way; what it tells the site is not.
  const LEFT = `Cobrowse.Events.NavigatingAway.listen(({ url }) => tell("left", { url }));`;
  const sharing = async (script?: string): Promise<[Shopper, Awaited<ReturnType<Shopper["open"]>>]> => {
    const shopper = await Shopper.come(stage);
    const page = await shopper.open("/one", { body: `<h1 id="page">one</h1><a id="away" href="${elsewhere()}">away</a> <a id="tab" target="_blank" href="${elsewhere()}">tab</a>`, script });
    await page.is("READY");
    return [shopper, page];
  };

  test("are told, and ask the visitor first", async () => {
    const [shopper, page] = await sharing();
    await page.start();
    const code = await page.code();
    await page.tab.click("#tab");
    await page.tab.click("#away");
    expect(await shopper.journal.next("NavigatingAway")).toEqual({ url: elsewhere(), accessCode: code, SID: "undefined", siteCode: SITE_CODE });
    await eventually(() => page.drawn("question"), (question) => question === "Leave this site?");
    await page.tab.keyboard.press("Escape");
    expect(page.tab.url()).toContain("/one");
    await page.tab.click("#away");
    await shopper.journal.next("NavigatingAway");
    await press(page.tab, "yes", "launcherRoot");
    await page.tab.waitForURL(elsewhere());
    expect(shopper.journal.all("NavigatingAway")).toHaveLength(2);
  });

  test("are told and followed where the page wants no question, and told of in a session only", async () => {
    const [, page] = await sharing(LEFT);
    await page.tab.evaluate(() => ((window as any).Cobrowse.API.DefaultUI.navigatingAwayPopupEnabled = false));
    await page.start();
    await page.code();
    await page.tab.click("#away");
    await page.tab.waitForURL(elsewhere());
    expect(await stage.site.told.next("left")).toMatchObject({ url: elsewhere() });
    const [another, idle] = await sharing(LEFT);
    await idle.tab.click("#away");
    await idle.tab.waitForURL(elsewhere());
    expect(another.story).toEqual(["READY"]);
  });
});

test("ready calls back and resolves, whenever it is asked", async () => {
  const shopper = await Shopper.come(stage);
  const script = `
    const order = [];
    Cobrowse.ready(() => { order.push("called"); });
    Cobrowse.ready().then(() => order.push("resolved " + Cobrowse.API.Session.getState()));
    order.push("asked");
    setTimeout(() => note("cobrowse", "order", order));`;
  const page = await shopper.open("/one", { script });
  expect(await shopper.journal.next("order")).toEqual(["asked", "resolved INIT", "called"]);
  await page.is("READY");
  expect(await page.tab.evaluate(() => new Promise((resolve) => (window as any).Cobrowse.ready(() => resolve("late"))))).toBe("late");
  expect(await page.tab.evaluate(() => (window as any).Cobrowse.ready(() => {}) === undefined)).toBe(true);
});

test("the compatibility page lists the object's names, all of them, and the events' properties", async () => {
  const text = readFileSync(resolve(import.meta.dirname, "../../docs/compatibility.md"), "utf8").split("# Compatibility with Oracle's")[1]!;
  const quoted = (cell = ""): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
  const cells = text.split("\n").filter((line) => line.startsWith("| `")).map((line) => line.split(" | "));
  const shopper = await Shopper.come(stage);
  const page = await shopper.open("/one", { body: `<h1 id="page">one</h1><a href="http://localhost:1/">away</a>` });
  const names = await page.tab.evaluate(() => {
    const found: string[] = [];
    const walk = (path: string, value: any): void => {
      const isLeaf = typeof value !== "object" || value === null;
      if (isLeaf) found.push(path);
      else for (const key of Object.keys(value)) walk(`${path}.${key}`, value[key]);
    };
    walk("Cobrowse", (window as any).Cobrowse);
    return found;
  });
  const events = new Set(names.filter((name) => name.startsWith("Cobrowse.Events.")).map((name) => name.split(".")[2]!));
  const listed = cells.flatMap(([first]) => quoted(first)).filter((name) => name.startsWith("Cobrowse."));
  expect(listed.sort()).toEqual(names.filter((name) => !name.startsWith("Cobrowse.Events.")).sort());
  for (const event of events) expect(names.filter((name) => name.startsWith(`Cobrowse.Events.${event}.`))).toHaveLength(2);
  const rows = cells.filter(([first]) => events.has(quoted(first)[0]!));
  expect(rows.map(([first]) => quoted(first)[0])).toEqual([...events]);

  await page.is("READY");
  await page.start();
  const ann = await joins(stage, { code: await page.code() });
  await ann.sees("#page");
  await page.tab.click("a");
  await press(page.tab, "no", "launcherRoot");
  await ann.page.close();
  await shopper.journal.next("AgentDisconnected");
  await page.stop();
  await shopper.journal.next("SessionEnded");
  for (const [first, properties] of rows) {
    const name = quoted(first)[0]!;
    expect([name, Object.keys(shopper.journal.all(name)[0]).sort()]).toEqual([name, quoted(properties).sort()]);
  }
  const reasons = Object.values(Reasons);
  expect(cells.flatMap(([first]) => quoted(first)).filter((name) => (reasons as string[]).includes(name)).sort()).toEqual([...reasons].sort());
});

describe("time", () => {
  const short = useStage({ settings: { cobrowse, sessions: { join_seconds: 1 } } });
  const lost = useStage({ settings: { cobrowse, sessions: { visitor_grace_ms: 1_000 } } });

  test("nobody comes: USER_TIMEOUT, and the code leads nowhere", async () => {
    const shopper = await Shopper.come(short);
    const page = await shopper.open("/one", {});
    await page.start();
    const { accessCode: code } = await shopper.journal.next("SessionStarted");
    expect(await shopper.journal.next("SessionEnded")).toMatchObject({ reason: "USER_TIMEOUT", accessCode: code, agentCount: 0 });
    await page.is("READY");
    await eventually(() => page.drawn("text"), (text) => text === "No agent joined in time.");
    await expect(joins(short, { code })).rejects.toThrow("404");
  });

  test("the connection does not come back: NETWORK_TIMEOUT, and a new session is possible when it does", async () => {
    const shopper = await Shopper.come(lost);
    const page = await shopper.open("/one", {});
    await page.start();
    const ann = await joins(lost, { code: await page.code() });
    await ann.sees("#page");
    await lost.server.stop("SIGKILL");
    expect(await shopper.journal.next("SessionEnded")).toMatchObject({ reason: "NETWORK_TIMEOUT", agentCount: 1 });
    await page.is("READY");
    await lost.server.launch();
    await eventually(async () => (await page.start(), await page.session()), ({ accessCode }) => accessCode !== undefined, 20_000);
  });
});

describe("a page that the service does not know", () => {
  const strange = useStage({ settings: { group: { visitor_origins: ["https://shop.example"] } } });

  test("is in ERROR, and everything is refused", async () => {
    const shopper = await Shopper.come(strange);
    const page = await shopper.open("/one", {});
    await page.is("ERROR");
    expect(await page.start()).toEqual({ result: false, description: "Invalid app state: ERROR" });
    expect(shopper.story).toEqual(["ERROR"]);
  });
});
