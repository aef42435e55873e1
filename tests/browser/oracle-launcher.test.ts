/** What a visitor sees on a page that was written for Oracle's Cobrowse object: what begins a session, its code, and the agent's desk where it is entered. */

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { barSays, press, Watching } from "./support/cobrowse";
import { DemoPage, pictureFolder } from "./support/demo";
import { eventually } from "./support/journal";
import { joins, Shopper, SITE_CODE } from "./support/oracle";
import { GROUP } from "./support/settings";
import { useStage } from "./support/stage";

const cobrowse = { site_code: SITE_CODE };
const stage = useStage({ settings: { cobrowse } });

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
