/** The visitor's side: how a page starts it, what it reports, who it is, and how it ends. */

import { describe, expect, test } from "vitest";
import type { AgentObject } from "./support/agent";
import { eventually } from "./support/journal";
import { GROUP, mintToken } from "./support/settings";
import { useStage } from "./support/stage";
import { visitorEvents, visitorScript, type VisitorBrowser, type VisitorPageParts } from "./support/visitor";

const stage = useStage();

const VISITOR_SOCKETS = 'vestibule_sockets_open{kind="visitor"}';

async function onPage(visitorid: string, calls?: string, parts: VisitorPageParts = {}) {
  const visitor = await stage.visitor(visitorid);
  const page = await visitor.open(`/${visitorid}`, { script: visitorScript({ visitorid }, calls), ...parts });
  await visitor.journal.next("connect");
  return { visitor, page };
}

async function watching(visitorid: string): Promise<AgentObject> {
  return (await stage.agent()).watch({ visitorid });
}

/** The id that the page's visitor object goes by. */
function idOn(page: Awaited<ReturnType<VisitorBrowser["open"]>>): Promise<string> {
  return page.evaluate(() => (window as any).GLANCE.Presence.Visitor.instance.core.visitorid);
}

describe("presence", () => {
  test("alone, it is counted as connected and gets no signals; connect() goes on over the same socket", async () => {
    const agent = await watching("reporting");
    const { visitor, page } = await onPage("reporting", "visitor.presence({ data: { cart: 1 }, onsuccess: () => note('visitor', 'told') });");
    await visitor.journal.next("told");
    expect(await agent.journal.next("presence")).toMatchObject({ cart: 1 });
    expect(agent.journal.all("visitorconn")).toEqual([{ connected: false }, { connected: true }]);
    expect(await agent.signal("unheard")).toEqual({ fail: "visitornotpresent" });
    await page.evaluate(() => (window as any).visitor.connect());
    const { ok } = await eventually(() => agent.signal("heard"), (outcome) => "ok" in outcome);
    expect(ok).toMatchObject({ visitorid: "reporting" });
    expect(await visitor.journal.next("signal")).toBe("heard");
    expect(visitor.journal.all("signal")).toEqual(["heard"]);
    expect(agent.journal.all("visitorsock").at(-1)).toEqual({ connected: true, sockets: 1 });
    expect(visitor.journal.all("connect")).toHaveLength(1);
  });

  test("merges, and numbers stay numbers", async () => {
    const { page } = await onPage("merging");
    const agent = await watching("merging");
    for (const data of [{ a: 1, b: "x" }, { b: "y", c: 1.5 }, { c: "" }]) {
      await page.evaluate((given) => (window as any).visitor.presence({ data: given }), data);
      expect(await agent.journal.next("presence")).toMatchObject(data);
    }
    expect((await agent.lookup()).ok).toMatchObject({ a: 1, b: "y", c: "" });
  });

  test("what breaks a limit is refused with onerror and merges nothing", async () => {
    const { visitor, page } = await onPage("excessive");
    const agent = await watching("excessive");
    const many = Object.fromEntries(Array.from({ length: 70 }, (_, at) => [`key${at}`, at]));
    const refused: [string, object][] = [
      ["badrequest", { nested: { no: 1 } }],
      ["badrequest", { list: [1] }],
      ["badrequest", { flag: true }],
      ["badrequest", { nothing: null }],
      ["toolarge", many],
      ["toolarge", { long: "x".repeat(1025) }],
      ["toolarge", { ["k".repeat(65)]: 1 }],
    ];
    for (const [, data] of refused) {
      await page.evaluate((given) => {
        const { note, visitor } = window as any;
        visitor.presence({ data: { ...given, marker: 1 }, onsuccess: () => note("visitor", "told") });
      }, data);
      const failure = await visitor.journal.next("error");
      expect([Object.keys(data)[0], failure]).toEqual([
        Object.keys(data)[0],
        { error: expect.stringMatching(/^(badrequest|toolarge)$/), detail: expect.stringMatching(/./) },
      ]);
    }
    expect(visitor.journal.all("told")).toEqual([]);
    await page.evaluate(() => (window as any).visitor.presence({ data: { fine: 1 } }));
    expect(await agent.journal.next("presence")).toMatchObject({ fine: 1 });
    expect((await agent.lookup()).ok).not.toHaveProperty("marker");
    expect(agent.journal.all("presence")).toHaveLength(1);
  });
});

describe("starting", () => {
  test("data-presence=on with data-visitorid needs no code: present, reporting, and open to invocations", async () => {
    const agent = await watching("declared");
    const visitor = await stage.visitor();
    const script = `window.GLANCE.Shop = { open(args) { note("shop", "open", args); } };`;
    await visitor.open("/declared", { tag: { presence: "on", visitorid: "declared" }, script });
    expect(await agent.journal.next("presence")).toMatchObject({ url: `${stage.site.origin}/declared`, title: "Test page" });
    await eventually(() => agent.invoke("GLANCE.Shop.open", { a: 1 }), (outcome) => "ok" in outcome);
    expect(await visitor.diary.journal("shop").next("open")).toEqual({ a: 1 });
    expect(agent.journal.all("visitorsock").at(-1)).toEqual({ connected: true, sockets: 1 });
  });

  test("GLANCE_COBROWSE gives the visitor id and the group, before the tag's", async () => {
    const agent = await watching("from-globals");
    const visitor = await stage.visitor();
    const tag = { presence: "on", visitorid: "from-tag", groupid: "99" };
    await visitor.open("/globals", { tag, globals: { visitorid: "from-globals", groupid: Number(GROUP) } });
    expect(await agent.journal.next("visitorconn", ({ connected }) => connected)).toEqual({ connected: true });
  });

  test("api, off, or no attribute: nothing happens until the page calls", async () => {
    await eventually(() => stage.server.figure(VISITOR_SOCKETS), (count) => count === 0);
    for (const tag of [{ presence: "api" }, { presence: "off" }, {}] as Record<string, string>[]) {
      const visitor = await stage.visitor();
      const page = await visitor.open("/quiet", { tag: { ...tag, visitorid: "quiet" } });
      await page.waitForLoadState("load");
      expect(await page.evaluate(() => (window as any).GLANCE.Presence.Visitor.instance === undefined)).toBe(true);
      expect(await stage.server.figure(VISITOR_SOCKETS)).toBe(0);
      await page.evaluate((events) => {
        const { GLANCE, noteAll } = window as any;
        noteAll("visitor", new GLANCE.Presence.Visitor(), events).connect();
      }, visitorEvents);
      await visitor.journal.next("connect");
      expect(await idOn(page)).toBe("quiet");
      await page.close();
      await eventually(() => stage.server.figure(VISITOR_SOCKETS), (count) => count === 0);
    }
  });

  test("the page's own object, made at once, goes before the automatic one; instance is the latest", async () => {
    const visitor = await stage.visitor();
    const page = await visitor.open("/both", { tag: { presence: "api", visitorid: "both" }, script: visitorScript({ visitorid: "both" }) });
    await visitor.journal.next("connect");
    expect(await page.evaluate(() => (window as any).GLANCE.Presence.Visitor.instance === (window as any).visitor)).toBe(true);
  });
});

describe("identity", () => {
  test("an anonymous visitor keeps his id over pages and tabs", async () => {
    const visitor = await stage.visitor();
    const page = await visitor.open("/anonymous", { script: visitorScript({}) });
    await visitor.journal.next("connect");
    const id = await idOn(page);
    expect(id).toMatch(/^~[0-9a-f]{32}$/);
    await page.reload();
    await visitor.journal.next("connect");
    expect(await idOn(page)).toBe(id);
    const other = await visitor.open("/anonymous");
    await visitor.journal.next("connect");
    expect(await idOn(other)).toBe(id);
  });

  test("setVisitorId makes an anonymous visitor known without a leave; who watched him follows", async () => {
    const visitor = await stage.visitor();
    const page = await visitor.open("/joining", { script: visitorScript({}, "visitor.presence({ data: { cart: 2 } }); visitor.connect();") });
    await visitor.journal.next("connect");
    const anonymous = await idOn(page);
    const follower = await watching(anonymous);
    const known = await watching("joined");
    await page.evaluate(() => (window as any).GLANCE.Presence.Visitor.setVisitorId("joined"));
    await known.journal.next("visitorconn", ({ connected }) => connected);
    await page.evaluate(() => (window as any).visitor.presence({ data: { step: "pay" } }));
    for (const agent of [follower, known]) {
      expect(await agent.journal.next("presence", ({ step }) => step === "pay")).toMatchObject({ step: "pay" });
      expect(await agent.signal(agent === known ? "to the known" : "to the former")).toHaveProperty("ok");
      await visitor.journal.next("signal");
      expect((await agent.lookup()).ok).toMatchObject({ visitorid: "joined", cart: 2 });
    }
    expect(follower.journal.all("visitorconn")).toEqual([{ connected: true }]);
    expect(known.journal.all("visitorconn")).toEqual([{ connected: false }, { connected: true }]);
    expect(visitor.journal.all("signal")).toEqual(["to the former", "to the known"]);
  });

  test("setVisitorId from one known id to another: the first leaves, the second comes", async () => {
    const { visitor, page } = await onPage("switch-a");
    const first = await watching("switch-a");
    const second = await watching("switch-b");
    await page.evaluate(() => (window as any).GLANCE.Presence.Visitor.setVisitorId("switch-b"));
    await second.journal.next("visitorconn", ({ connected }) => connected);
    await first.journal.next("visitorconn", ({ connected }) => !connected);
    // Held for who may come back as the first, and for nobody else.
    await first.signal("to the first");
    await second.signal("to the second");
    await visitor.journal.next("signal");
    expect(visitor.journal.all("signal")).toEqual(["to the second"]);
  });

  test("anonymous on one page and known on the next: joined without a leave, and forgotten", async () => {
    const visitor = await stage.visitor();
    visitor.put("/signed-in", { script: visitorScript({ visitorid: "signed-in" }) });
    const page = await visitor.open("/before", { script: visitorScript({}, "visitor.presence({ data: { cart: 4 } }); visitor.connect();") });
    await visitor.journal.next("connect");
    const anonymous = await idOn(page);
    const follower = await watching(anonymous);
    await page.goto(`${stage.site.origin}/signed-in`);
    await visitor.journal.next("connect");
    await page.evaluate(() => (window as any).visitor.presence({ data: { step: "pay" } }));
    await follower.journal.next("presence", ({ step }) => step === "pay");
    expect(follower.journal.all("visitorconn")).toEqual([{ connected: true }]);
    expect(await follower.signal("still with you")).toHaveProperty("ok");
    expect(await visitor.journal.next("signal")).toBe("still with you");
    expect((await follower.lookup()).ok).toMatchObject({ visitorid: "signed-in", cart: 4, step: "pay" });
    expect(await page.evaluate((group) => localStorage.getItem(`vestibule.anonymous.${group}`), GROUP)).toBeNull();
    const { body } = await stage.server.rest("GET", `/groups/${GROUP}/visitors`, mintToken());
    const present = body.visitors.map(({ visitorid }: { visitorid: string }) => visitorid);
    expect(present).toContain("signed-in");
    expect(present).not.toContain(anonymous);
  });
});

describe("the terms dialog", () => {
  test("is a named modal dialog that keeps the focus, starts on Decline, and gives the focus back", async () => {
    const body = `<h1>Shop</h1><button id="before">Buy</button>`;
    const { page } = await onPage("reader", undefined, { body, script: visitorScript({ visitorid: "reader" }) });
    await page.locator("#before").focus();
    await page.evaluate(() => void (window as any).GLANCE.Cobrowse.Visitor.showTerms({ termsurl: "/terms" }));
    const dialog = page.getByRole("dialog", { name: "Show this page to an agent?" });
    await dialog.waitFor();
    const facts = await page.evaluate(() => {
      const root = document.querySelector("[data-glance-terms]")?.shadowRoot;
      const element = root?.querySelector("dialog");
      const described = element?.getAttribute("aria-describedby");
      return {
        modal: element?.matches(":modal"),
        focus: root?.activeElement?.textContent,
        description: described && root?.getElementById(described)?.textContent,
        heights: [...(root?.querySelectorAll("button") ?? [])].map((button) => button.getBoundingClientRect().height),
      };
    });
    expect(facts).toMatchObject({ modal: true, focus: "Decline", description: expect.stringContaining("You can stop at any time") });
    for (const height of facts.heights) expect(height).toBeGreaterThanOrEqual(44);
    const link = page.getByRole("link", { name: "Terms and conditions" });
    expect(await link.getAttribute("href")).toBe(`${stage.site.origin}/terms`);
    expect(await link.getAttribute("rel")).toContain("noopener");

    const focused = () => page.evaluate(() => document.querySelector("[data-glance-terms]")?.shadowRoot?.activeElement?.textContent ?? document.activeElement?.id);
    const seen = new Set<string | undefined>();
    for (let step = 0; step < 6; step += 1) {
      await page.keyboard.press("Tab");
      seen.add(await focused());
    }
    expect(seen).toContain("Accept");
    expect(seen).not.toContain("before");
    // What lies behind cannot be reached by mouse either.
    await expect(page.locator("#before").click({ timeout: 300 })).rejects.toThrow();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(await focused()).toBe("before");
  });

  test("a second request while it is open asks no second time; a script address makes no link", async () => {
    const { page } = await onPage("asked");
    const agent = await watching("asked");
    const answers = page.evaluate(() => {
      const { showTerms } = (window as any).GLANCE.Cobrowse.Visitor;
      return Promise.all([showTerms({ termsurl: "javascript:alert(1)" }), showTerms({})]);
    });
    await agent.journal.next("terms", ({ status }) => status === "displayed");
    expect(await page.getByRole("dialog").count()).toBe(1);
    expect(await page.getByRole("link").count()).toBe(0);
    await page.getByRole("button", { name: "Accept" }).click();
    expect(await answers).toEqual(["accepted", "accepted"]);
    await agent.journal.next("terms", ({ status }) => status === "accepted");
    expect(agent.journal.all("terms")).toHaveLength(2);
  });
});

describe("the end", () => {
  test("disconnect is a leave at once, without the grace, and forgets the data", async () => {
    const { visitor, page } = await onPage("leaving", "visitor.presence({ data: { cart: 1 } }); visitor.connect();");
    const agent = await watching("leaving");
    const started = Date.now();
    await page.evaluate(() => (window as any).visitor.disconnect());
    await agent.journal.next("visitorconn", ({ connected }) => !connected);
    expect(Date.now() - started).toBeLessThan(2_500);
    // The signal window is a rule of its own: it holds whatever ended the socket.
    expect((await agent.signal("meanwhile")).ok).toMatchObject({ outcome: "held" });
    expect(visitor.journal.names).not.toContain("signal");
    expect(visitor.journal.names).not.toContain("close");
    expect(visitor.journal.names).not.toContain("error");
    await page.evaluate(() => (window as any).visitor.connect());
    await visitor.journal.next("connect");
    await agent.journal.next("visitorconn", ({ connected }) => connected);
    expect((await agent.lookup()).ok).not.toHaveProperty("cart");
    expect(await agent.signal("again")).toHaveProperty("ok");
    await visitor.journal.next("signal", (data) => data === "again");
    expect(visitor.journal.all("signal")).toEqual(["meanwhile", "again"]);
  });
});
