/** Visitors who are reached by a code that the server gives them. */

import { expect, test } from "vitest";
import { eventually } from "./support/journal";
import { leave } from "./support/page";
import { useStage } from "./support/stage";
import { visitorScript } from "./support/visitor";

const LIFE_SECONDS = 10;

const stage = useStage({ settings: { presence: { unique_id_seconds: LIFE_SECONDS, unique_id_digits: 9 } } });

async function guest(name: string, data: object = { guestname: name }) {
  const visitor = await stage.visitor(name);
  const script = visitorScript({}, `visitor.connectUnique(${JSON.stringify({ data })});`);
  const page = await visitor.open(`/${name}`, { script });
  const [uniqueid, seconds] = await visitor.journal.next("uniqueid");
  return { visitor, page, uniqueid: uniqueid as string, seconds: seconds as number };
}

test("onuniqueid gives the code and its life as two arguments; the agent reaches the guest by it", async () => {
  const { visitor, uniqueid, seconds } = await guest("gina");
  expect(uniqueid).toMatch(/^\d{9}$/);
  expect([LIFE_SECONDS, LIFE_SECONDS - 1]).toContain(seconds);
  const agent = await (await stage.agent()).watch({ uniqueid });
  expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
  expect((await agent.lookup()).ok).toMatchObject({ guestname: "gina" });
  expect(await agent.signal("welcome")).toHaveProperty("ok");
  expect(await visitor.journal.next("signal")).toBe("welcome");
});

test("the same code, with the life that is left, after a page change", async () => {
  const { visitor, page, uniqueid, seconds } = await guest("paul");
  const agent = await (await stage.agent()).watch({ uniqueid });
  await leave(page);
  await agent.journal.next("visitorsock", ({ connected }) => !connected);
  await agent.signal("on the way");
  await page.goto(`${stage.site.origin}/paul`);
  const [again, left] = await visitor.journal.next("uniqueid");
  expect(again).toBe(uniqueid);
  expect(left).toBeLessThanOrEqual(seconds);
  expect(await visitor.journal.next("signal")).toBe("on the way");
  expect(agent.journal.all("visitorconn")).toEqual([{ connected: true }]);
});

test("guests have different codes; disconnect does not call onclose", async () => {
  const [one, two] = [await guest("one"), await guest("two")];
  expect(one.uniqueid).not.toBe(two.uniqueid);
  const desk = await stage.agent();
  const agent = await desk.watch({ uniqueid: one.uniqueid });
  await one.page.evaluate(() => (window as any).visitor.disconnect());
  await agent.journal.next("visitorconn", ({ connected }) => !connected);
  const other = await desk.make({ uniqueid: two.uniqueid });
  await other.signal("after");
  await two.visitor.journal.next("signal");
  expect(one.visitor.journal.names).not.toContain("close");
});

test("at the end of its life onclose is called and the agent sees the guest go; extending gives a whole life again", async () => {
  const [ends, stays] = [await guest("ends"), await guest("stays")];
  const desk = await stage.agent();
  const watchers = [await desk.watch({ uniqueid: ends.uniqueid }), await desk.watch({ uniqueid: stays.uniqueid })];
  // Late enough that the extended life reaches well beyond the first one.
  const started = Date.now();
  await eventually(() => Date.now() - started, (passed) => passed > 5_000);
  await stays.page.evaluate(() => (window as any).visitor.extendUnique());

  expect(await ends.visitor.journal.next("close", undefined, 15_000)).toBeNull();
  const left = await watchers[0]?.journal.next("visitorconn", ({ connected }) => !connected);
  expect(left).toEqual({ connected: false });
  expect(ends.visitor.journal.all("error")).toEqual([]);
  const late = await desk.make({ uniqueid: ends.uniqueid });
  expect(await late.signal("too late")).toEqual({ fail: "visitornotpresent" });

  expect(stays.visitor.journal.names).not.toContain("close");
  expect(await watchers[1]?.signal("still here")).toHaveProperty("ok");
  await stays.visitor.journal.next("signal");
  await stays.visitor.journal.next("close", undefined, 15_000);
  expect(stays.visitor.journal.all("uniqueid")).toHaveLength(1);

  // The page may ask anew, and gets another code.
  await ends.page.evaluate(() => (window as any).visitor.connectUnique({}));
  const [fresh] = await ends.visitor.journal.next("uniqueid");
  expect(fresh).not.toBe(ends.uniqueid);
}, 60_000);

test("extendUnique without a code is told as an error", async () => {
  const visitor = await stage.visitor();
  const page = await visitor.open("/none", { script: visitorScript({ visitorid: "none" }) });
  await visitor.journal.next("connect");
  await page.evaluate(() => (window as any).visitor.extendUnique());
  expect(await visitor.journal.next("error")).toMatchObject({ error: "badrequest" });
});
