/** A page that was written for Oracle's Cobrowse object: its events and states, what begins a session, and what the visitor sees. */

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { Reasons } from "../../sdk/facades/oracle/states";
import { barSays, press, Watching } from "./support/cobrowse";
import { DemoPage, pictureFolder } from "./support/demo";
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
  const sharing = async (): Promise<[Shopper, Awaited<ReturnType<Shopper["open"]>>]> => {
    const shopper = await Shopper.come(stage);
    const page = await shopper.open("/one", { body: `<h1 id="page">one</h1><a id="away" href="${elsewhere()}">away</a> <a id="tab" target="_blank" href="${elsewhere()}">tab</a>` });
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
    const [shopper, page] = await sharing();
    await page.tab.evaluate(() => ((window as any).Cobrowse.API.DefaultUI.navigatingAwayPopupEnabled = false));
    await page.start();
    await page.code();
    await page.tab.click("#away");
    await page.tab.waitForURL(elsewhere());
    expect(shopper.journal.all("NavigatingAway")).toHaveLength(1);
    const [another, idle] = await sharing();
    await idle.tab.click("#away");
    await idle.tab.waitForURL(elsewhere());
    expect(another.story).toEqual(["READY"]);
  });
});

describe("what begins a session", () => {
  test("is a button, then the code stands in its place, by mouse and by keys", async () => {
    const shopper = await Shopper.come(stage);
    const page = await shopper.open("/one", {});
    await eventually(() => page.drawn("start"), (text) => text !== undefined);
    await page.tab.keyboard.press("Tab");
    await page.tab.keyboard.press("Tab");
    await page.tab.keyboard.press("Enter");
    const code = await page.code();
    await eventually(() => page.drawn("digits"), (text) => text?.replace(/\D/g, "") === code);
    expect(await page.drawn("start")).toBeUndefined();
    // Read out digit by digit, and the focus is where the code is.
    expect(await page.drawn("said")).toBe([...code].join(" "));
    expect(await page.tab.evaluate(() => (window as any).launcherRoot.activeElement?.getAttribute("part"))).toBe("panel");
    const ann = await joins(stage, { code });
    const frame = await ann.sees("#page");
    // What the visitor reads out is in no picture.
    expect(await frame.evaluate(() => document.documentElement.outerHTML)).not.toContain(code);
    expect(await ann.tap.text()).not.toContain(code);
    await eventually(() => page.drawn("code"), (text) => text === undefined);
    await eventually(() => barSays(page.tab), (words) => words === "Ann sees this page");
  });

  test("is cancelled by the panel's button", async () => {
    const shopper = await Shopper.come(stage);
    const page = await shopper.open("/one", {});
    await press(page.tab, "start", "launcherRoot");
    await page.code();
    await press(page.tab, "cancel", "launcherRoot");
    expect(await shopper.journal.next("SessionEnded")).toMatchObject({ reason: "USER_INITIATED" });
    await eventually(() => page.drawn("start"), (text) => text !== undefined);
  });

  test("speaks the page's language, and is not there where the page draws it itself", async () => {
    const shopper = await Shopper.come(stage);
    const page = await shopper.open("/one", { query: "&LANG=de-AT" });
    await eventually(() => page.drawn("start"), (text) => text === "Diese Seite zeigen");
    const language = (given: unknown) => page.tab.evaluate((given) => ((window as any).Cobrowse.API.DefaultUI.setLanguage(given), (window as any).Cobrowse.API.DefaultUI.getLanguage()), given);
    expect([await language(1036), await language("es-MX"), await language("xx")]).toEqual([1036, 3082, 1033]);
    await eventually(() => page.drawn("start"), (text) => text === "Show this page to an agent");
    await page.tab.evaluate(() => ((window as any).Cobrowse.API.DefaultUI.liveExpertPanelEnabled = false));
    await page.start();
    await page.code();
    await eventually(() => page.drawn("start"), (text) => text === undefined);
    expect(await page.drawn("code")).toBeUndefined();
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

describe("the site's own way", () => {
  const terms = "An agent sees this page as you do.";
  const own = useStage({ settings: { cobrowse: { ...cobrowse, launch: "#help", terms } } });
  const body = `<h1 id="page">one</h1><p id="help">Help <b>me</b></p>`;

  test("its element begins a session once the terms are accepted", async () => {
    const shopper = await Shopper.come(own);
    const page = await shopper.open("/one", { body });
    await page.is("READY");
    expect(await page.drawn("start")).toBeUndefined();
    await page.tab.click("#help b");
    await page.is("STARTING");
    await eventually(() => page.drawn("explanation"), (text) => text === terms);
    await page.tab.keyboard.press("Enter");
    expect(await shopper.journal.next("SessionEnded")).toMatchObject({ reason: "USER_INITIATED", agentCount: 0 });
    await page.is("READY");
    expect(shopper.story).toEqual(["READY", "SessionStarting", "STARTING", "DISCONNECTING", "SessionEnded", "READY"]);
    await page.tab.click("#help");
    await press(page.tab, "yes", "launcherRoot");
    await page.is("ACTIVE:WAIT");
    const ann = await joins(own, { code: await page.code() });
    await ann.sees("#page");
  });
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

describe("at the desk", () => {
  const demo = useStage({ development: true });

  test("the agent enters the code and sees the page; a wrong one is explained", async () => {
    const shopper = await Shopper.come(demo);
    const page = await shopper.open("/one", {});
    await press(page.tab, "start", "launcherRoot");
    const code = await page.code();
    const desk = await DemoPage.open(demo, "desk", "/demo/agent");
    await desk.has("body[data-session=ready]");
    await desk.page.fill("#join-code", "12");
    await desk.page.keyboard.press("Enter");
    await desk.has("#join-error", /digits only/);
    await desk.page.fill("#join-code", String((Number(code) + 1) % 1_000_000).padStart(6, "0"));
    expect(await desk.attribute("#join-code", "aria-invalid")).toBe("false");
    await desk.click("[data-testid=join]");
    await desk.has("#join-error", /leads to no session/);
    await desk.page.fill("#join-code", `${code.slice(0, 3)}-${code.slice(3)}`);
    const [tab] = await Promise.all([desk.context.waitForEvent("page"), desk.click("[data-testid=join]")]);
    await new Watching(tab, []).sees("#page");
    expect(await shopper.journal.next("AgentConnected")).toMatchObject({ name: "Demo agent", accessCode: code, siteCode: GROUP });
    expect(await desk.page.inputValue("#join-code")).toBe("");
  });

  test("looks as it should", async () => {
    const shopper = await Shopper.come(demo);
    const page = await shopper.open("/shop", { body: `<main style="max-width: 40rem; margin: 4rem auto; font: 1.1rem/1.5 Georgia, serif"><h1>Harbour Stools</h1><p>Made of ash, in the old dock.</p><a href="http://localhost:1/">Our makers</a></main>` });
    const pictures = async (name: string): Promise<void> => {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.tab.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.tab.screenshot({ path: join(pictureFolder(), `launcher-${name}-${colorScheme}.png`) });
      }
    };
    await page.tab.setViewportSize({ width: 900, height: 620 });
    await eventually(() => page.drawn("start"), (text) => text !== undefined);
    await pictures("button");
    await press(page.tab, "start", "launcherRoot");
    await page.code();
    await eventually(() => barSays(page.tab), (words) => words !== undefined);
    await pictures("code");
    await page.tab.click("a");
    await eventually(() => page.drawn("question"), (question) => question !== undefined);
    await pictures("leaving");
    await press(page.tab, "no", "launcherRoot");
    await page.tab.setViewportSize({ width: 360, height: 640 });
    await pictures("code-small");
    // The panel stands above the bar, and both are in the window.
    const edges = await page.tab.evaluate(() => {
      const box = (root: string, part: string): DOMRect => (window as any)[root].querySelector(`[part=${part}]`).getBoundingClientRect();
      const [panel, bar] = [box("launcherRoot", "panel"), box("sessionRoot", "bar")];
      return { left: panel.left, right: panel.right, gap: bar.top - panel.bottom };
    });
    expect(edges.gap).toBeGreaterThanOrEqual(4);
    expect([edges.left >= 0, edges.right <= 360]).toEqual([true, true]);
    const { body } = await demo.server.rest("GET", `/groups/${GROUP}/sessions`, await demo.token());
    await demo.server.rest("DELETE", `/groups/${GROUP}/sessions/${body.sessions[0].session}`, await demo.token());
    await eventually(() => page.drawn("close"), (text) => text !== undefined);
    await pictures("ended");
    const desk = await DemoPage.open(demo, "desk", "/demo/agent");
    await desk.has("body[data-session=ready]");
    await desk.page.fill("#join-code", "204 816");
    await desk.picture("desk-code");
    expect(desk.complaints).toEqual([]);
  });
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
