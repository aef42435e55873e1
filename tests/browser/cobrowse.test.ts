/** An agent sees the visitor's page as it is: consent, page changes, reloads, tabs, several agents, pause and stop. */

import { expect, test } from "vitest";
import { barSays, press, Showing } from "./support/cobrowse";
import { eventually } from "./support/journal";
import { useStage } from "./support/stage";

const stage = useStage();

const page = (name: string, rest = "") => ({
  head: "<style>p { color: rgb(10, 20, 30); }</style>",
  body: `<h1 id="${name}">${name}</h1><p>Words of ${name}</p><a href="/two">two</a>${rest}`,
});

async function shown(name = "one", rest?: string) {
  const showing = new Showing(stage);
  const tab = await showing.open(`/${name}`, page(name, rest));
  const agent = await showing.watch();
  await press(tab, "accept");
  await agent.sees(`#${name}`);
  return { showing, tab, agent };
}

test("nothing is seen before the visitor agreed, then the page as it is", async () => {
  const showing = new Showing(stage);
  const tab = await showing.open("/one", page("one"));
  const agent = await showing.watch();
  await agent.standing("asking");
  expect(await agent.picture("html")).toBeUndefined();
  await press(tab, "accept");
  const frame = await agent.sees("#one");
  expect(await frame.evaluate(() => getComputedStyle(document.querySelector("p")!).color)).toBe("rgb(10, 20, 30)");
  await agent.standing("live");
  await eventually(() => barSays(tab), (words) => words?.includes("sees this page") ?? false);
  expect(agent.errors).toEqual([]);
  expect(agent.page.url()).not.toContain("#");
});

test("changes, scrolling and typing are seen", async () => {
  const { tab, agent } = await shown("one", `<input id="name"><div style="height: 4000px"></div>`);
  await tab.evaluate(() => (document.querySelector("p")!.textContent = "Changed"));
  await agent.until(`document.querySelector("p").textContent === "Changed"`);
  await tab.fill("#name", "Ada");
  await agent.until(`document.querySelector("#name").value === "Ada"`);
  await tab.evaluate(() => scrollTo(0, 1200));
  await agent.until(`Math.abs(scrollY - 1200) < 2`);
});

test("a page change and a reload are followed, without asking again", async () => {
  const { showing, tab, agent } = await shown();
  showing.put("/two", page("two"));
  await tab.click("a");
  await agent.sees("#two");
  await tab.reload();
  await tab.evaluate(() => (document.querySelector("p")!.textContent = "After the reload"));
  await agent.until(`document.querySelector("p").textContent === "After the reload"`);
  expect(await barSays(tab)).toContain("sees this page");
});

test("an agent's reload, and a second agent, see it at once", async () => {
  const { showing, agent } = await shown();
  await agent.page.reload();
  await agent.sees("#one");
  const second = await showing.watch();
  await second.sees("#one");
  await agent.sees("#one");
});

test("while the visitor pauses nothing is seen, and after he stopped nothing any more", async () => {
  const { tab, agent } = await shown();
  await press(tab, "pause");
  await agent.standing("paused");
  expect(await agent.picture("html")).toBeUndefined();
  await tab.evaluate(() => (document.querySelector("p")!.textContent = "Meanwhile"));
  await press(tab, "pause");
  await agent.until(`document.querySelector("p").textContent === "Meanwhile"`);
  await press(tab, "stop");
  await agent.standing("ended");
  expect(await agent.picture("html")).toBeUndefined();
  expect(await agent.page.textContent("#notice-text")).toContain("The visitor ended it");
});

test("whoever declines is not seen, and whoever presses Escape declines", async () => {
  const showing = new Showing(stage);
  const tab = await showing.open("/one", page("one"));
  const agent = await showing.watch();
  await agent.standing("asking");
  await eventually(() => tab.evaluate(() => Boolean((window as any).sessionRoot?.querySelector("dialog[open]"))), (open) => open);
  await tab.keyboard.press("Escape");
  await agent.page.waitForFunction(() => ["declined", "ended"].includes(document.body.dataset.standing ?? ""));
  expect(await agent.picture("html")).toBeUndefined();
});

test("an agent's cursor, spotlight and strokes are seen by the visitor, and take no clicks of his", async () => {
  const { showing, tab, agent } = await shown("one", `<button onclick="note('visitor', 'clicked')" style="position:fixed;left:100px;top:100px;width:200px;height:80px">Press</button>`);
  const surface = (await agent.page.locator("#surface").boundingBox())!;
  const scale = await agent.page.evaluate(() => Number(document.querySelector<HTMLElement>("#frame")!.style.getPropertyValue("--scale")));
  const to = (x: number, y: number) => agent.page.mouse.move(surface.x + x * scale, surface.y + y * scale);
  const part = (name: string) =>
    tab.evaluate((wanted) => {
      const box = (window as any).sessionRoot.querySelector(`[part~="${wanted}"]`)?.getBoundingClientRect();
      return box ? { x: Math.round(box.x), y: Math.round(box.y) } : undefined;
    }, name);
  await to(150, 120);
  await to(160, 130);
  await eventually(() => part("cursor"), (at) => at !== undefined && Math.abs(at.x - 160) < 3 && Math.abs(at.y - 130) < 3);
  await tab.mouse.click(160, 130);
  await showing.visitor.journal.next("clicked");
  await agent.page.check("input[value=spotlight]", { force: true });
  await to(200, 150);
  await eventually(() => part("spotlight"), (at) => at !== undefined);
  await agent.page.check("input[value=draw]", { force: true });
  await to(50, 50);
  await agent.page.mouse.down();
  await to(90, 90);
  await to(120, 60);
  await agent.page.mouse.up();
  await eventually(() => part("stroke"), (at) => at !== undefined);
});
