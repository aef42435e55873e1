import { expect, test } from "vitest";
import { useStage } from "./support/stage";
import { visitorScript } from "./support/visitor";

const stage = useStage();

test("an agent sees a visitor come, is heard by him, and sees him change pages", async () => {
  const agent = await (await stage.agent()).watch({ visitorid: "ada" });
  const visitor = await stage.visitor();
  const parts = { script: visitorScript({ visitorid: "ada" }) };
  const page = await visitor.open("/one", parts);
  await agent.journal.next("visitorconn", ({ connected }) => connected);
  expect(await agent.signal({ hello: 1 })).toHaveProperty("ok");
  expect(await visitor.journal.next("signal")).toEqual({ hello: 1 });
  await page.goto(visitor.put("/two", parts));
  await agent.journal.next("visitorsock", ({ connected }) => !connected);
  await agent.journal.next("visitorsock", ({ connected }) => connected);
  expect(agent.journal.all("visitorconn")).toEqual([{ connected: false }, { connected: true }]);
  expect(visitor.diary.errors).toEqual([]);
});
