/** Several agents, and several agent objects on one page. */

import { expect, test } from "vitest";
import { eventually } from "./support/journal";
import { useStage } from "./support/stage";
import { visitorScript } from "./support/visitor";

const stage = useStage();

const AGENT_SOCKETS = 'vestibule_sockets_open{kind="agent"}';

async function openVisitor(visitorid: string, calls?: string) {
  const visitor = await stage.visitor(visitorid);
  const page = await visitor.open(`/${visitorid}`, { script: visitorScript({ visitorid }, calls) });
  await visitor.journal.next("connect");
  return { visitor, page };
}

function agentSockets(count: number): Promise<number> {
  return eventually(() => stage.server.figure(AGENT_SOCKETS), (figure) => figure === count);
}

test("one visitor by visitor id and by unique id", async () => {
  const { visitor, page } = await openVisitor("both-ways", "visitor.connectUnique({ data: { guest: 'G' } });");
  const [uniqueid, seconds] = await visitor.journal.next("uniqueid");
  expect(uniqueid).toMatch(/^\d{6}$/);
  expect(seconds).toBeGreaterThan(290);
  const desk = await stage.agent();
  const agents = [await desk.watch({ visitorid: "both-ways" }), await desk.watch({ uniqueid })];
  for (const agent of agents) {
    expect(agent.journal.entries.slice(0, 2)).toEqual([
      { name: "visitorconn", data: { connected: true } },
      { name: "visitorsock", data: { connected: true, sockets: 1 } },
    ]);
    expect((await agent.lookup()).ok).toMatchObject({ visitorid: "both-ways", guest: "G" });
    expect(await agent.signal(agent.name)).toHaveProperty("ok");
    expect(await visitor.journal.next("signal")).toBe(agent.name);
  }
  await page.evaluate(() => (window as any).visitor.presence({ data: { cart: 2 } }));
  for (const agent of agents) expect(await agent.journal.next("presence")).toMatchObject({ cart: 2 });
});

test("a unique id that nobody has is refused", async () => {
  const agent = await (await stage.agent()).make({ uniqueid: "000000" });
  expect(await agent.signal(1)).toEqual({ fail: "visitornotpresent" });
  expect(await agent.lookup()).toEqual({ ok: {} });
  await agent.connect();
  expect(await agent.journal.next("error")).toMatchObject({ error: "connfail" });
});

test("two agents on two pages see the same, and both reach the visitor", async () => {
  const agents = [
    await (await stage.agent({ name: "first" })).watch({ visitorid: "shared" }),
    await (await stage.agent({ name: "second" })).watch({ visitorid: "shared" }),
  ];
  const { visitor, page } = await openVisitor("shared", "visitor.connect(); visitor.presence({ data: { cart: 1 } });");
  for (const agent of agents) {
    expect(await agent.journal.next("presence")).toMatchObject({ cart: 1 });
    expect(agent.journal.names).toEqual(["visitorconn", "visitorsock", "visitorconn", "visitorsock", "presence"]);
    expect(await agent.signal(agent.name)).toHaveProperty("ok");
    await visitor.journal.next("signal");
  }
  await agents[0]?.disconnect();
  await page.evaluate(() => (window as any).visitor.presence({ data: { cart: 9 } }));
  expect(await agents[1]?.journal.next("presence")).toMatchObject({ cart: 9 });
  expect(agents[0]?.journal.all("presence")).toHaveLength(1);
});

test("agent objects of one page share one socket, which closes with the last of them", async () => {
  await agentSockets(0);
  const desk = await stage.agent();
  const objects = [await desk.watch({ visitorid: "one" }), await desk.watch({ visitorid: "two" }), await desk.watch({ visitorid: "one" })];
  expect(await stage.server.figure(AGENT_SOCKETS)).toBe(1);
  const { visitor } = await openVisitor("one");
  for (const at of [0, 2]) await objects[at]?.journal.next("visitorconn", ({ connected }) => connected);
  expect(objects[1]?.journal.all("visitorconn")).toEqual([{ connected: false }]);
  await objects[0]?.disconnect();
  expect(await objects[2]?.signal("still there")).toHaveProperty("ok");
  expect(await visitor.journal.next("signal")).toBe("still there");
  await objects[1]?.disconnect();
  expect(await stage.server.figure(AGENT_SOCKETS)).toBe(1);
  await objects[2]?.disconnect();
  await agentSockets(0);
});

test("a second object for a visitor is told the present state at once, the first is not told again", async () => {
  const { page } = await openVisitor("seen-twice");
  const desk = await stage.agent();
  const first = await desk.watch({ visitorid: "seen-twice" });
  const second = await desk.watch({ visitorid: "seen-twice" });
  await page.evaluate(() => (window as any).visitor.presence({ data: { cart: 1 } }));
  for (const agent of [first, second]) {
    await agent.journal.next("presence");
    expect(agent.journal.names).toEqual(["visitorconn", "visitorsock", "presence"]);
  }
});

test("handlers may be set and nulled after connect; one that throws harms nobody else", async () => {
  const { page } = await openVisitor("handled");
  const desk = await stage.agent();
  const agent = await desk.watch({ visitorid: "handled" });
  const other = await desk.watch({ visitorid: "handled" });
  const report = (cart: number) => page.evaluate((count) => (window as any).visitor.presence({ data: { cart: count } }), cart);
  const carts = (journal: typeof agent.journal) => journal.all("presence").map(({ cart }) => cart);

  await desk.page.evaluate((name) => ((window as any)[name].onpresence = null), agent.name);
  await report(1);
  await other.journal.next("presence", ({ cart }) => cart === 1);
  await desk.page.evaluate((name) => {
    const { note, [name]: object } = window as any;
    object.onpresence = (data: object) => {
      note(name, "presence", data);
      throw new Error("the page's own mistake");
    };
  }, agent.name);
  await report(2);
  await report(3);
  await other.journal.next("presence", ({ cart }) => cart === 3);
  await agent.journal.next("presence", ({ cart }) => cart === 3);
  expect(carts(agent.journal)).toEqual([2, 3]);
  expect(carts(other.journal)).toEqual([1, 2, 3]);
  await eventually(() => desk.diary.errors, (errors) => errors.length === 2);
  expect(desk.diary.errors[0]).toContain("the page's own mistake");
});

test("an agent whose socket comes back is told what changed, and nothing twice", async () => {
  const { visitor, page } = await openVisitor("returned-to");
  const desk = await stage.agent();
  const agent = await desk.watch({ visitorid: "returned-to" });
  const away = () => desk.page.evaluate(() => window.dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  const back = () => desk.page.evaluate(() => window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));

  await away();
  await agentSockets(0);
  await back();
  await agentSockets(1);
  await page.evaluate(() => (window as any).visitor.presence({ data: { cart: 1 } }));
  await agent.journal.next("presence");
  expect(agent.journal.names).toEqual(["visitorconn", "visitorsock", "presence"]);

  await away();
  await agentSockets(0);
  await page.evaluate(() => (window as any).visitor.disconnect());
  await eventually(() => stage.server.figure('vestibule_sockets_open{kind="visitor"}'), (count) => count === 0);
  await back();
  await agent.journal.next("visitorconn", ({ connected }) => !connected);
  await agent.journal.next("visitorsock", ({ sockets }) => sockets === 0);
  await page.evaluate(() => (window as any).visitor.connect());
  await visitor.journal.next("connect");
  await agent.journal.next("visitorsock", ({ sockets }) => sockets === 1);
  expect(agent.journal.all("visitorconn").map(({ connected }) => connected)).toEqual([true, false, true]);
  expect(agent.journal.all("error")).toEqual([]);
});
