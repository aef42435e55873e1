/** Browsers that keep nothing for the site, and sites that want nothing kept. */

import type { Page } from "playwright-core";
import { afterEach, expect, test } from "vitest";
import { GROUP } from "./support/settings";
import { html } from "./support/site";
import { useStage } from "./support/stage";
import { visitorScript, type VisitorBrowser } from "./support/visitor";

const stage = useStage();
afterEach(() => stage.site.told.clear());

/** Merely naming either storage throws, as where a browser blocks a site's data. */
function block(): void {
  for (const name of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(window, name, {
      configurable: true,
      get: () => {
        throw new DOMException("denied for this document", "SecurityError");
      },
    });
  }
}

/** Both storages can be read, and are full. */
function fill(): void {
  Storage.prototype.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
}

const calls = `
  visitor.onsignal = (data) => tell("signal", { data });
  visitor.onconnect = () => tell("connect", { id: visitor.core.visitorid });
  visitor.presence(); visitor.connect();`;

async function connected(): Promise<string> {
  return (await stage.site.told.next("connect")).id;
}

async function blocked(how: () => void): Promise<VisitorBrowser> {
  const visitor = await stage.visitor();
  await visitor.context.addInitScript(how);
  return visitor;
}

for (const [what, how] of [["blocked", block], ["full", fill]] as const) {
  test(`storage ${what}: a known visitor goes from page to page and gets each signal once`, async () => {
    const { told } = stage.site;
    const visitor = await blocked(how);
    const script = visitorScript({ visitorid: `ada-${what}` }, calls);
    const page = await visitor.open("/one", { script });
    await connected();
    const agent = await (await stage.agent()).watch({ visitorid: `ada-${what}` });
    for (let n = 0; n < 8; n += 1) {
      await agent.signal({ n });
      await told.next("signal", ({ data }) => data.n === n);
      await page.goto(`${stage.site.origin}/one?n=${n}`);
      await connected();
    }
    expect(stage.site.inOrder("signal").map(({ data }) => data.n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
    expect(visitor.diary.errors).toEqual([]);
  });

  test(`storage ${what}: an anonymous visitor is somebody else on each page, and is reached there`, async () => {
    const { told } = stage.site;
    const visitor = await blocked(how);
    const page = await visitor.open("/anonymous", { script: visitorScript({}, calls) });
    const first = await connected();
    expect(first).toMatch(/^~[0-9a-f]{32}$/);
    await page.reload();
    const second = await connected();
    expect(second).not.toBe(first);
    const agent = await (await stage.agent()).watch({ visitorid: second });
    await agent.signal("here");
    expect(await told.next("signal")).toMatchObject({ data: "here" });
    // Two objects on the page are one visitor all the same.
    await page.evaluate(() => {
      const page = window as any;
      const other = new page.GLANCE.Presence.Visitor({});
      other.onconnect = () => page.tell("other", { id: other.core.visitorid });
      other.connect();
      page.tell("other", { id: other.core.visitorid });
    });
    expect(await told.next("other")).toMatchObject({ id: second });
    expect(visitor.diary.errors).toEqual([]);
  });
}

test("storage blocked: the demo shop works all the same", async () => {
  const visitor = await blocked(block);
  const page = await visitor.context.newPage();
  await page.goto(`${stage.server.origin}/demo/mug`);
  await page.locator("#presence-badge[data-presence-state=connected]").waitFor();
  await page.locator("[data-testid=add]").click();
  await page.locator("[data-cart-count]", { hasText: "1" }).waitFor();
  await page.goto(`${stage.server.origin}/demo/account`);
  await page.locator("[data-sign-in=ada]").click();
  await page.locator('#presence-badge[data-visitor-id="ada"]').waitFor();
  expect(visitor.diary.errors).toEqual([]);
});

test("without a stored anonymous id the tab is one visitor, and the next tab another", async () => {
  const sdk = `${stage.server.origin}/sdk/visitor.js`;
  const script = `
    import(${JSON.stringify(sdk)}).then(({ Visitor }) => {
      const visitor = new Visitor({ server: "${stage.server.origin}", group: "${GROUP}", storeAnonymousId: false });
      visitor.on("connected", () => tell("connect", { id: visitor.visitorid }));
      visitor.connect();
    });`;
  const url = stage.site.page("/own", html({ script }));
  const visitor = await stage.visitor();
  const page = await visitor.context.newPage();
  await page.goto(url);
  const first = await connected();
  const agent = await (await stage.agent()).watch({ visitorid: first });
  await page.goto(`${url}?next`);
  expect(await connected()).toBe(first);
  expect(await stored(page)).toEqual([]);
  const other = await visitor.context.newPage();
  await other.goto(url);
  expect(await connected()).not.toBe(first);
  expect(await stored(other)).toEqual([]);
  expect(await visitor.context.cookies()).toEqual([]);
  expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
  expect(visitor.diary.errors).toEqual([]);
});

test("what is kept otherwise: one anonymous id for the site, and no cookie", async () => {
  const visitor = await stage.visitor();
  const page = await visitor.open("/kept", { script: visitorScript({}, calls) });
  const id = await connected();
  expect(await stored(page)).toEqual([[`vestibule.anonymous.${GROUP}`, id]]);
  const other = await visitor.open("/kept");
  expect(await connected()).toBe(id);
  expect(await stored(other)).toHaveLength(1);
  expect(await visitor.context.cookies()).toEqual([]);
});

function stored(page: Page): Promise<[string, string][]> {
  return page.evaluate(() => Object.entries({ ...localStorage }) as [string, string][]);
}
