/** The desk's list, as an agent goes through it: filtered, ordered and turned by page, all of it by the server and live. */

import { expect, test } from "vitest";
import { DemoPage } from "./support/demo";
import { eventually } from "./support/journal";
import { useStage } from "./support/stage";
import { visitorScript, type VisitorBrowser } from "./support/visitor";

const stage = useStage({ development: true });

async function openDesk(): Promise<DemoPage> {
  const desk = await DemoPage.open(stage, "desk", "/demo/agent");
  await desk.has("body[data-session=ready]");
  return desk;
}

/** Somebody on a page of the site, who reports this. */
async function enter(visitorid: string, data: Record<string, string | number>): Promise<VisitorBrowser> {
  const visitor = await stage.visitor(visitorid);
  const script = visitorScript({ visitorid }, `visitor.presence(${JSON.stringify({ data })}); visitor.connect();`);
  await visitor.open(`/${visitorid}`, { script });
  await visitor.journal.next("connect");
  return visitor;
}

async function report(visitor: VisitorBrowser, data: Record<string, string | number>): Promise<void> {
  await visitor.context.pages()[0]!.evaluate((data) => (window as any).visitor.presence({ data }), data);
}

function listed(desk: DemoPage): Promise<string[]> {
  return desk.page.locator("#roster [data-visitor]").evaluateAll((rows) => rows.map((row) => row.getAttribute("data-visitor")!));
}

/** Waits until the list shows these, in this order. */
async function shows(desk: DemoPage, expected: readonly string[]): Promise<void> {
  await eventually(() => listed(desk), (ids) => ids.join() === expected.join());
}

test("the list is filtered as one types, says so, and stays live", async () => {
  const desk = await openDesk();
  const ada = await enter("ada", { plan: "gold", city: "Graz" });
  const bruno = await enter("bruno", { plan: "silver" });
  await enter("chiara", { note: "a golden ring" });
  const filter = desk.page.locator("#roster-filter");
  await shows(desk, ["chiara", "bruno", "ada"]);
  expect(await desk.page.locator("#roster-said").textContent()).toBe("");

  // In any value, in any case.
  await filter.fill("GOLD");
  await shows(desk, ["chiara", "ada"]);
  await desk.has("#roster-count", /^2 of 3$/);
  await desk.has("#roster-said", /^2 visitors match the filter$/);
  // In the id, and in the address of the page.
  await filter.fill("brun");
  await shows(desk, ["bruno"]);
  await desk.has("#roster-said", /^1 visitor matches the filter$/);
  await filter.fill("/chiara");
  await shows(desk, ["chiara"]);

  // Who comes to match appears, who no longer does goes.
  await filter.fill("graz");
  await shows(desk, ["ada"]);
  await report(bruno, { city: "Graz" });
  await shows(desk, ["bruno", "ada"]);
  await report(ada, { city: "Wien" });
  await shows(desk, ["bruno"]);

  await filter.fill("nobody is called this");
  await desk.page.locator("#roster-none").waitFor();
  await desk.has("#roster-count", /^0 of 3$/);
  // Longer than the server compares with: said at the field, and nothing is asked.
  await filter.fill("x".repeat(257));
  await desk.has("#roster-filter[aria-invalid=true]");
  await filter.fill("");
  await desk.has("#roster-filter[aria-invalid=false]");
  await shows(desk, ["chiara", "bruno", "ada"]);
  await desk.has("#roster-count", /^3$/);
  expect(desk.complaints).toEqual([]);
});

test("the list is ordered by who came, who was heard of, and by name", async () => {
  const desk = await openDesk();
  // Who is gone since the test before is listed for one grace more.
  const emil = await enter("emil", { cart: 1, plan: "gold" });
  await enter("dora", { cart: 1, plan: "silver" });
  await enter("filip", { cart: 1, plan: "gold" });
  const order = (by: string) => desk.page.selectOption("#roster-sort", { label: by });
  await shows(desk, ["filip", "dora", "emil"]);
  await order("Longest here");
  await shows(desk, ["emil", "dora", "filip"]);
  await order("By id");
  await shows(desk, ["dora", "emil", "filip"]);
  await order("Last active");
  await shows(desk, ["filip", "dora", "emil"]);
  await report(emil, { cart: 2 });
  await shows(desk, ["emil", "filip", "dora"]);
  // The order holds for what the filter leaves.
  await order("By id");
  await desk.page.fill("#roster-filter", "gold");
  await shows(desk, ["emil", "filip"]);
  expect(desk.complaints).toEqual([]);
});

test("a long list is turned by page, and who is on no page shown can be opened all the same", async () => {
  const desk = await openDesk();
  const names = Array.from({ length: 103 }, (_, n) => `v${String(n).padStart(3, "0")}`);
  const many = await stage.visitor("many");
  const script = `for (const visitorid of ${JSON.stringify(names)}) new GLANCE.Presence.Visitor({ visitorid }).connect();`;
  await many.open("/many", { script });
  await desk.page.selectOption("#roster-sort", "visitorid");
  await desk.has("#roster-count[data-count='103']");
  await shows(desk, names.slice(0, 100));
  await desk.has("#roster-range", /^1–100$/);
  expect(await desk.page.locator("#roster-before").isDisabled()).toBe(true);

  // Visibility is told on changes only, and the list does not show him.
  await desk.page.fill("#reach-id", "v102");
  await desk.click("[data-testid=reach]");
  await desk.has("[data-panel=v102][data-standing=connected] [data-visibility=visible]");

  await desk.click("#roster-after");
  await shows(desk, names.slice(100));
  await desk.has("#roster-range", /^101–103$/);
  expect(await desk.page.locator("#roster-after").isDisabled()).toBe(true);
  // A filter begins at the first page; a list of one page has nothing to turn.
  await desk.page.fill("#roster-filter", "v05");
  await shows(desk, names.slice(50, 60));
  expect(await desk.page.locator("#roster-pages").isVisible()).toBe(false);
  await desk.page.fill("#roster-filter", "");
  await shows(desk, names.slice(0, 100));
  expect(desk.complaints).toEqual([]);
});

test("while the server is away the desk says so, and nobody is on duty", async () => {
  const desk = await openDesk();
  await desk.has("#session[data-state=ready]", /^\s*On duty$/);
  await stage.server.stop("SIGKILL");
  await desk.has("#banner:not([hidden])", /does not answer/);
  await desk.has("#session[data-state=unreachable]", /^\s*Not connected$/);

  await stage.server.launch();
  await desk.has("#session[data-state=ready]", /^\s*On duty$/);
  expect(await desk.page.locator("#banner").isHidden()).toBe(true);
  const visitor = await enter("ada", { plan: "gold" });
  await eventually(() => listed(desk), (ids) => ids.includes("ada"));
  await visitor.context.close();
});
