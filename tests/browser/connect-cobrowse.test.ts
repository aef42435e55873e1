/** Co-browse by contact code: the page around the frame is shown, and its topics tell of it once a session. */

import { expect, test } from "vitest";
import { agree, barSays, press, Watching } from "./support/cobrowse";
import { ConnectPage } from "./support/connect";
import { DemoPage } from "./support/demo";
import { eventually } from "./support/journal";
import { API_KEY, GROUP } from "./support/settings";
import { useStage } from "./support/stage";

const stage = useStage();

const START = "~pagesession/cobrowsing/start";
const STOP = "~pagesession/cobrowsing/stop";
const LISTENS = `listen("~pagesession/cobrowsing/#"); listen("~/site_connect/#");`;

/** An agent types a code at his desk and asks to see the page. */
async function watchBy(code: string): Promise<Watching> {
  const desk = await DemoPage.open(stage, "agent", "/demo/agent");
  await desk.signIn("key", "ann", API_KEY);
  await desk.has("body[data-session=ready]");
  await desk.page.fill("#reach-id", `${code.slice(0, 3)} ${code.slice(3)}`);
  await desk.click("[data-testid=reach]");
  const opened = desk.context.waitForEvent("page");
  await desk.click("[data-action=view]");
  return new Watching(await opened, desk.diary.errors);
}

/** Starts, and stops, that the visitor's pages heard of. */
const told = ({ journal }: ConnectPage): string[] => journal.names.filter((name) => name === START || name === STOP).map((name) => name.split("/")[2]!);

async function endBy({ page }: Watching): Promise<void> {
  await page.click("#end");
  await page.click("dialog[open] button[value=end]");
}

async function shown(): Promise<{ visitor: ConnectPage; agent: Watching; code: string }> {
  const visitor = await ConnectPage.open(stage, { script: LISTENS });
  const code = await visitor.code();
  const agent = await watchBy(code);
  await agent.standing("asking");
  expect(told(visitor)).toEqual([]);
  await agree(visitor.page);
  await agent.sees("#one");
  await visitor.journal.next(START);
  return { visitor, agent, code };
}

test("an agent types the code, the visitor agrees on his page, and that page is seen; after the session there is a new code", async () => {
  const { visitor, agent, code } = await shown();
  await eventually(() => barSays(visitor.page), (words) => words?.includes("sees this page") ?? false);
  await visitor.page.evaluate(() => (document.querySelector("#one")!.textContent = "Changed"));
  const picture = await agent.until(`document.querySelector("#one").textContent === "Changed"`);
  // Of the frame there is a box.
  expect(await picture.locator("iframe").count()).toBe(0);

  // The code was good for this session.
  const token = await stage.token();
  expect((await stage.server.rest("POST", `/groups/${GROUP}/sessions`, token, { uniqueid: code })).status).toBe(404);
  await visitor.call("stop_session");
  await visitor.call("stop_session");
  await visitor.journal.next(STOP);
  await agent.standing("ended");
  const fresh = await visitor.code(code);
  expect(await visitor.journal.next("~/site_connect/new_code")).toEqual({ code: fresh });
  await visitor.call("stop_session");
  expect(told(visitor)).toEqual(["start", "stop"]);

  // Who comes late hears the code that is good now, and no start of a session that is over.
  await visitor.page.evaluate(() => {
    const note = (window as any).note;
    (window as any).site_connect.subscribe("#", (topic: string, message: unknown) => note("late", topic, message), () => note("late", "ack", null));
  });
  const late = visitor.visitor.diary.journal("late");
  await late.next("ack");
  expect(late.entries.filter(({ name }) => name !== "ack")).toEqual([
    { name: "~/site_connect/ready", data: { code: fresh } },
    { name: "~/site_connect/new_code", data: { code: fresh } },
  ]);

  // And it begins the next session.
  const again = await watchBy(fresh);
  await agree(visitor.page);
  await again.sees("#one");
  await visitor.journal.next(START);
  expect(visitor.visitor.diary.errors).toEqual([]);
});

test("the session goes on over page changes and reloads, and is told of once", async () => {
  const { visitor, agent } = await shown();
  await visitor.page.goto(ConnectPage.put(stage, { path: "/second", script: LISTENS, body: `<h2 id="two">Two</h2>` }));
  await agent.sees("#two");
  await visitor.page.reload();
  await visitor.page.evaluate(() => (document.querySelector("#two")!.textContent = "After the reload"));
  await agent.until(`document.querySelector("#two").textContent === "After the reload"`);
  expect(await barSays(visitor.page)).toContain("sees this page");
  await visitor.listen("~pagesession/hide_frame");
  expect(told(visitor)).toEqual(["start"]);
  // In a session the page has a code all the same, for the next one.
  await visitor.code();

  await endBy(agent);
  await visitor.journal.next(STOP);
  expect(told(visitor)).toEqual(["start", "stop"]);
});

test("the visitor's own stop, a refusal, and an end while no page was there", async () => {
  const stopped = await shown();
  await press(stopped.visitor.page, "stop");
  await stopped.visitor.journal.next(STOP);
  expect(told(stopped.visitor)).toEqual(["start", "stop"]);

  // What did not start does not stop.
  const refused = await ConnectPage.open(stage, { script: LISTENS });
  const code = await refused.code();
  const agent = await watchBy(code);
  await press(refused.page, "decline");
  await agent.standing("ended");
  await refused.journal.next("~/site_connect/new_code");
  expect(told(refused)).toEqual([]);

  const left = await shown();
  const address = left.visitor.page.url();
  await left.visitor.page.goto("about:blank");
  await endBy(left.agent);
  await left.agent.standing("ended");
  await left.visitor.page.goto(address);
  await left.visitor.journal.next(STOP);
  expect(told(left.visitor)).toEqual(["start", "stop"]);
});

test("the frame may be taken out of the page in a session, which goes on when it is back", async () => {
  const { visitor, agent } = await shown();
  await visitor.page.evaluate(() => document.querySelector("iframe")!.parentElement!.remove());
  await visitor.listen("~pagesession/show_frame");
  await visitor.page.evaluate(() => (document.querySelector("#one")!.textContent = "Still here"));
  await agent.until(`document.querySelector("#one").textContent === "Still here"`);
  await visitor.call("stop_session");
  await visitor.journal.next(STOP);
  expect(told(visitor)).toEqual(["start", "stop"]);
});

test("a page that must not be seen stops the session as its first word, before there is a frame, or a connection", async () => {
  for (const use of ["static", "started"] as const) {
    const { visitor, agent } = await shown();
    const script = `${LISTENS} site_connect.stop_session(); ${use === "started" ? `site_connect.start("${GROUP}");` : ""}`;
    await visitor.page.goto(ConnectPage.put(stage, { use, script, body: `<h2 id="secret">Secret</h2>` }));
    await visitor.journal.next(STOP);
    await agent.standing("ended");
    expect(told(visitor)).toEqual(["start", "stop"]);
    expect(await agent.page.content()).not.toContain("Secret");
    await visitor.code();
  }
});
