/** The server's own pages, walked as a person walks them, in the shop and at the desk. */

import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { agree, Watching } from "./support/cobrowse";
import { DemoPage, pictureFolder } from "./support/demo";
import { API_KEY, API_KEY_LIKE_A_LOGIN_KEY, GROUP, PARTNER_KEY } from "./support/settings";
import { useStage } from "./support/stage";

const BADGE = "#presence-badge[data-presence-state=connected]";

describe("without settings", () => {
  const stage = useStage({ development: true });
  const shop = (path = "/demo/") => DemoPage.open(stage, "shop", path);

  async function desk(): Promise<DemoPage> {
    const page = await DemoPage.open(stage, "desk", "/demo/agent");
    await page.has("body[data-session=ready]");
    return page;
  }

  /** Opens a visitor from the list; gives the panel's selector. */
  async function choose(page: DemoPage, visitorid: string): Promise<string> {
    await page.click(`#roster [data-visitor="${visitorid}"] button`);
    const panel = `[data-panel="${visitorid}"]`;
    await page.has(`${panel}[data-standing=connected]`);
    return panel;
  }

  test("home says how the server is, and leads everywhere", async () => {
    const home = await DemoPage.open(stage, "home", "/");
    await home.has("#status[data-ready=yes]");
    await home.has("#mode", "development");
    expect(await (await home.has("#tag")).textContent()).toContain(`${stage.server.origin}/cobrowse/CobrowseJS.ashx?groupid=12345`);
    const links = await home.page.locator("a[href^='/']").evaluateAll((all) => all.map((each) => each.getAttribute("href")!));
    expect(links.length).toBeGreaterThan(6);
    for (const link of new Set(links)) expect([link, (await fetch(stage.server.origin + link)).status]).toEqual([link, 200]);
    await home.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await home.click("#copy");
    expect(await home.page.evaluate(() => navigator.clipboard.readText())).toContain('data-presence="on"');
    await home.picture("home");
    expect(home.complaints).toEqual([]);
  });

  test("a walk through the shop, watched from the desk", { timeout: 90_000 }, async () => {
    const agent = await desk();
    await agent.has("#roster-empty");
    const visitor = await shop();
    await visitor.has(BADGE);
    const anonymous = await visitor.attribute("#presence-badge", "data-visitor-id");
    expect(anonymous).toMatch(/^~[0-9a-f]{32}$/);
    const panel = await choose(agent, anonymous);

    // A product, by link; two of it.
    await visitor.click("a[href='/demo/mug']");
    await visitor.has("body[data-page=product]");
    await visitor.page.selectOption("#quantity", "2");
    await visitor.click("[data-testid=add]");
    await visitor.has("[data-added]", "2 Cove mug added");
    await visitor.has("[data-cart-count]", "2");
    await agent.has(`${panel} [data-page-url]`, "/demo/mug");
    await agent.has(`${panel} [data-key=cart] td`, "2 items");
    await agent.has(`${panel} [data-key=product] td`, "Cove mug");

    // A note.
    await agent.page.fill(`${panel} [data-field=message]`, "Shall I wrap them?");
    await agent.click(`${panel} [data-action=signal]`);
    await agent.has(`${panel} [data-result-of=signal][data-result=ok]`);
    await visitor.has("#notes .note [data-note-text]", "Shall I wrap them?");

    // Functions: one that points, one that leads elsewhere, one that fails.
    await agent.click(`${panel} [data-action=invoke]`);
    await visitor.has("h1.pointed-at");
    await agent.page.fill(`${panel} [data-field=args]`, '{"selector": "#nothing"}');
    await agent.click(`${panel} [data-action=invoke]`);
    await agent.has("#log [data-event=visitorerror]", "nothing on this page matches #nothing");
    await agent.page.selectOption(`${panel} [data-field=preset]`, { label: "Open a page of the shop" });
    await agent.click(`${panel} [data-action=invoke]`);
    await visitor.page.waitForURL("**/demo/lantern");
    await visitor.has(BADGE);
    await agent.has(`${panel} [data-page-url]`, "/demo/lantern");

    // The terms, accepted; the session that follows cannot start here.
    await agent.page.selectOption(`${panel} [data-field=preset]`, { label: "Show the terms" });
    await agent.click(`${panel} [data-action=invoke]`);
    const accept = visitor.page.getByRole("button", { name: "Accept" });
    await accept.waitFor();
    await visitor.picture("shop-terms");
    await accept.click();
    await agent.has(`${panel} [data-extra]`, "terms accepted");

    // The order, by a real form.
    await visitor.click("a.basket");
    await visitor.has("[data-line=mug]");
    await visitor.click('[data-step="mug+"]');
    await visitor.has("#cart-total", "£49.50");
    await agent.has(`${panel} [data-key=cart] td`, "3 items");
    await visitor.page.fill("#order-name", "Ada");
    await visitor.picture("shop-cart");
    await visitor.click("[data-testid=order]");
    await visitor.page.waitForURL("**/demo/thanks");
    await visitor.has(BADGE);
    await agent.has(`${panel} [data-key=cart] td`, "empty");
    await agent.picture("desk");

    // All the while nobody left.
    expect(await agent.count("#log [data-event=visitorconn]")).toBe(1);
    expect(agent.complaints).toEqual([]);
    expect(visitor.complaints).toEqual([]);
  });

  test("signing in: the anonymous visitor becomes known without a leave", async () => {
    const agent = await desk();
    const visitor = await shop("/demo/account");
    await visitor.has(BADGE);
    const anonymous = await visitor.attribute("#presence-badge", "data-visitor-id");
    const panel = await choose(agent, anonymous);
    await visitor.page.fill("#name", "no spaces please");
    await visitor.click("[data-testid=sign-in]");
    await visitor.has("#name-error", "letters");
    await visitor.click("[data-sign-in=ada]");
    await visitor.has("#signed-in", "ada");
    await visitor.has('#presence-badge[data-visitor-id="ada"]');
    await agent.has('#roster [data-visitor="ada"]');
    await agent.page.locator(`#roster [data-visitor="${anonymous}"]`).waitFor({ state: "detached" });
    // The panel that was opened for the anonymous visitor goes on.
    await agent.has(`${panel}[data-standing=connected] [data-key=signed_in] td`, "ada");
    await agent.page.fill(`${panel} [data-field=message]`, "Hello Ada");
    await agent.click(`${panel} [data-action=signal]`);
    await visitor.has("#notes .note", "Hello Ada");
    expect(await agent.count("#log [data-event=visitorconn]")).toBe(1);
    // On the next page he is known from the start.
    await visitor.click("a[href='/demo/']");
    await visitor.has(`${BADGE}[data-visitor-id="ada"]`);
    await agent.has(`${panel} [data-page-url]`, /\/demo\/$/);
    await visitor.picture("shop");
    await visitor.goto("/demo/account");
    await visitor.has(BADGE);
    await visitor.picture("shop-account");
    // Signing out is a leave, at once.
    await visitor.click("#sign-out");
    await agent.has(`${panel}[data-standing=gone]`);
    expect([...agent.complaints, ...visitor.complaints]).toEqual([]);
  });

  test("the help page's code leads an agent to the visitor", async () => {
    const agent = await desk();
    const visitor = await shop("/demo/help");
    await visitor.has("#code-box[data-code=live]");
    const code = await visitor.attribute("#code", "data-unique-id");
    expect(code).toMatch(/^\d{6}$/);
    await visitor.has("#code-left", /Good for another/);
    await agent.page.fill("#reach-id", `${code.slice(0, 3)} ${code.slice(3)}`);
    await agent.click("[data-testid=reach]");
    const panel = `[data-panel="${code}"]`;
    await agent.has(`${panel}[data-standing=connected]`);
    await agent.page.fill(`${panel} [data-field=message]`, "Found you");
    await agent.click(`${panel} [data-action=signal]`);
    await visitor.has("#notes .note", "Found you");
    await visitor.click("#code-extend");
    await visitor.has("#code-box[data-code=live]");
    await visitor.picture("shop-help");
    // He walks on, and stays reachable.
    await visitor.click("a[href='/demo/']");
    await visitor.has(BADGE);
    await agent.page.fill(`${panel} [data-field=message]`, "Still there?");
    await agent.click(`${panel} [data-action=signal]`);
    await visitor.has("#notes .note", "Still there?");
    // A code that leads nowhere.
    await agent.page.fill("#reach-id", code === "000000" ? "000001" : "000000");
    await agent.click("[data-testid=reach]");
    await agent.has('[data-panel^="00000"] .trouble', "leads to nobody");
    await agent.picture("desk-wrong-code");
    expect(visitor.complaints).toEqual([]);
  });

  test("the desk's button shows the visitor's page, once the visitor agrees", async () => {
    const agent = await desk();
    const visitor = await shop("/demo/help");
    await visitor.has(BADGE);
    const panel = await choose(agent, await visitor.attribute("#presence-badge", "data-visitor-id"));
    const opening = agent.context.waitForEvent("page");
    await agent.click(`${panel} [data-action=view]`);
    const watching = new Watching(await opening, []);
    await watching.standing("asking");
    await agree(visitor.page);
    await watching.sees("#code-box");
    await watching.standing("live");
    expect(new URL(watching.page.url()).hash).toBe("");
    await agent.has(`${panel} [data-result-of=view][data-result=ok]`);
    await agent.has(`${panel} [data-extra]`, "session running");
    await watching.page.screenshot({ path: `${pictureFolder()}/watch.png` });
    await visitor.picture("shop-shown");
    await watching.page.click("#end");
    await watching.page.click("#ending button[value=end]");
    await watching.standing("ended");
    await agent.has(`${panel} [data-extra]`, "session ended by agent");
  });

  test("the single-page shop is one page with many addresses", async () => {
    const agent = await desk();
    const visitor = await shop("/demo/spa");
    await visitor.has(BADGE);
    const panel = await choose(agent, await visitor.attribute("#presence-badge", "data-visitor-id"));
    await agent.has(`${panel} [data-page-url]`, /\/demo\/spa$/);
    const sockets = await agent.count("#log [data-event=visitorsock]");
    for (const item of ["mug", "lantern"]) {
      await visitor.click(`#stage a[data-route=${item}]`);
      await visitor.has(`#stage[data-route=${item}]`);
      await agent.has(`${panel} [data-page-url]`, `/demo/spa?item=${item}`);
      await agent.has(`${panel} [data-page-title]`, item === "mug" ? "Cove mug" : /lantern/i);
      await visitor.page.goBack({ waitUntil: "commit" });
      await visitor.has("#stage[data-route=list]");
      await agent.has(`${panel} [data-page-url]`, /\/demo\/spa$/);
    }
    await visitor.picture("shop-spa");
    expect(await agent.count("#log [data-event=visitorsock]")).toBe(sockets);
    expect([...agent.complaints, ...visitor.complaints]).toEqual([]);
  });

  test("the desk says what is wrong with what was typed", async () => {
    const agent = await desk();
    const visitor = await shop("/demo/pack");
    await visitor.has(BADGE);
    const panel = await choose(agent, await visitor.attribute("#presence-badge", "data-visitor-id"));
    const signal = `${panel} [data-result-of=signal][data-result=fail]`;
    const invoke = `${panel} [data-result-of=invoke][data-result=fail]`;
    await agent.click(`${panel} [data-action=signal]`);
    await agent.has(signal, "Write something first");
    await agent.page.check(`${panel} [data-field=message-raw]`);
    await agent.page.fill(`${panel} [data-field=message]`, "{bad");
    await agent.click(`${panel} [data-action=signal]`);
    await agent.has(signal, "This is not JSON");
    await agent.page.fill(`${panel} [data-field=message]`, '{"good": true}');
    await agent.click(`${panel} [data-action=signal]`);
    await visitor.has("#notes .note pre", '"good": true');
    await agent.page.fill(`${panel} [data-field=func]`, "alert");
    await agent.click(`${panel} [data-action=invoke]`);
    await agent.has(invoke, "under GLANCE");
    await agent.page.fill(`${panel} [data-field=func]`, "GLANCE.Authorization.setToken");
    await agent.click(`${panel} [data-action=invoke]`);
    await agent.has(invoke, "must not be called from outside");
    await agent.page.fill(`${panel} [data-field=args]`, "[");
    await agent.click(`${panel} [data-action=invoke]`);
    await agent.has(invoke, "This is not JSON");
    await agent.page.fill("#reach-id", "what?");
    await agent.click("[data-testid=reach]");
    await agent.has("#reach-error", "letters, digits");
    await agent.picture("desk-errors");
    expect(visitor.complaints).toEqual([]);
  });

  test("the reference draws every call and message; all pages are whole", async () => {
    const docs = await DemoPage.open(stage, "docs", "/docs");
    await docs.has("body[data-docs=ready]");
    expect(await docs.count("[data-operation]")).toBeGreaterThan(5);
    expect(await docs.count("[data-message]")).toBeGreaterThan(20);
    await docs.picture("docs", { fullPage: false });
    await docs.page.setViewportSize({ width: 400, height: 800 });
    expect(await docs.page.evaluate(() => document.documentElement.scrollWidth), "what is wide scrolls in its own box").toBe(400);
    expect(docs.complaints).toEqual([]);
    const visitor = await shop();
    for (const name of ["blanket", "kettle", "lantern", "mug", "pack", "stool", "thanks"]) {
      await visitor.goto(`/demo/${name}`);
      await visitor.has(BADGE);
      if (name === "kettle" || name === "thanks") await visitor.picture(`shop-${name}`);
    }
    expect(visitor.complaints).toEqual([]);
  });
});

describe("with settings", () => {
  const stage = useStage();

  function loginKey(user: string): string {
    const expiry = Math.floor(Date.now() / 1000) + 600;
    const signature = createHmac("sha256", PARTNER_KEY).update(`${GROUP}${user}1${expiry}`).digest("base64url");
    return `$1$${expiry}$${signature}`;
  }

  test("the desk asks for a key, and takes a login key as well as an API key", async () => {
    const agent = await DemoPage.open(stage, "desk", "/demo/agent");
    await agent.has("body[data-session=asking]");
    await agent.picture("desk-sign-in");
    await agent.signIn("partner", "grace", "$1$1$wrong");
    await agent.has("#sign-in-error", "does not accept this key");
    // Which key is which, who is new does not know.
    await agent.signIn("partner", "grace", API_KEY);
    await agent.has("#sign-in-error", "choose “API key” above");
    await agent.signIn("key", "grace", loginKey("grace"));
    await agent.has("#sign-in-error", "choose “Login key” above");
    await agent.signIn("partner", "grace", loginKey("grace"));
    await agent.has("body[data-session=ready]");
    const visitor = await DemoPage.open(stage, "shop", "/demo/");
    await visitor.has(BADGE);
    const id = await visitor.attribute("#presence-badge", "data-visitor-id");
    await agent.click(`#roster [data-visitor="${id}"] button`);
    await agent.has(`[data-panel="${id}"][data-standing=connected]`);
    await agent.click("#sign-out");
    await agent.has("body[data-session=asking]");
    await agent.signIn("key", "Grace", API_KEY);
    await agent.has("body[data-session=ready]");
    await agent.click(`#roster [data-visitor="${id}"] button`);
    const panel = `[data-panel="${id}"]`;
    await agent.has(`${panel}[data-standing=connected]`);
    await agent.page.fill(`${panel} [data-field=message]`, "With a key");
    await agent.click(`${panel} [data-action=signal]`);
    await visitor.has("#notes .note", "With a key");
    // An API key is no login key because it begins like one.
    await agent.click("#sign-out");
    await agent.has("body[data-session=asking]");
    await agent.signIn("key", "Grace", API_KEY_LIKE_A_LOGIN_KEY);
    await agent.has("body[data-session=ready]");
    // The one complaint is about the wrong key.
    expect(agent.complaints).toHaveLength(1);
    expect(visitor.complaints).toEqual([]);
  });
});
